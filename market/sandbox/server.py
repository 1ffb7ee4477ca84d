"""The sandbox as one program: the acquirer under /acquirer, Stripe under /stripe, one loopback port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from market.sandbox import acquirer_control, acquirer_pages, stripe_control, stripe_pages
from market.sandbox.acquirer import PREFIX, Acquirer
from market.sandbox.bank import Bank
from market.sandbox.courier import PAUSES, Courier
from market.sandbox.credentials import FOLDER, prepare
from market.sandbox.faults import Dice
from market.sandbox.store import Store
from market.sandbox.stripe import StripeApi
from market.sandbox.stripe_books import Books
from market.web import problems
from market.web.i18n import LanguageMiddleware
from market.web.render import ROOT
from market.web.security import SecurityMiddleware


def create_app(product: str, folder: Path = FOLDER, pauses: tuple[float, ...] = PAUSES) -> FastAPI:
    """`product`: the address of the application that is told (http://127.0.0.1:8000); state and keys live in `folder`."""
    credentials = prepare(folder)
    store = Store(folder / "sandbox.db")
    dice = Dice(store, "acquirer")
    bank = Bank(store, dice, credentials.merchant_id)
    acquirer = Acquirer(bank, credentials, product)
    bank.courier = Courier(store, "acquirer", dice, acquirer.notify, pauses)

    stripe_dice = Dice(store, "stripe")
    books = Books(store, stripe_dice)
    stripe = StripeApi(books, credentials, product)
    books.courier = Courier(store, "stripe", stripe_dice, stripe.deliver, pauses)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bank.courier.start()
        books.courier.start()
        yield
        bank.courier.stop()
        books.courier.stop()
        store.close()

    app = FastAPI(title="Sandbox", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.sample_data = False  # the house's pages ask for it; here every page says what it is
    app.state.credentials = credentials
    problems.install(app)
    app.include_router(acquirer.router())
    app.include_router(acquirer_control.router(bank))
    app.include_router(acquirer_pages.router(acquirer))
    app.include_router(stripe.router())
    app.include_router(stripe_control.router(books))
    app.include_router(stripe_pages.router(books))

    @app.get("/")
    def home() -> RedirectResponse:
        return RedirectResponse(PREFIX, 303)

    app.mount("/static", StaticFiles(directory=ROOT / "static"), name="static")
    app.add_middleware(LanguageMiddleware)
    # The hosted page posts here and is sent on to the product: another origin, which a browser's policy must allow.
    app.add_middleware(SecurityMiddleware, https=False, form_targets=(product,))
    return app
