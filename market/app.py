"""create_app: engine, handlers, middleware, routers. A table of contents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from market import health
from market import schedule as schedule
from market import tables as tables
from market.auth import admin as auth_admin
from market.auth import pages as auth_pages
from market.database import make_engine
from market.payments.card_attempts import checkout_hosts
from market.settings import Settings, get_settings
from market.web import problems
from market.web.i18n import LanguageMiddleware
from market.web.render import ROOT
from market.web.security import SecurityMiddleware

LARGEST_BODY = 16 * 1024 * 1024  # a registry of 10,000 places is under 2 MiB
PARTS = (
    "api", "pages", "webhooks", "card_hook", "pay", "card_pages", "guide", "today", "trace", "own", "pack", "office", "cards",
)  # fmt: skip
FEATURES = ("vendors", "dues", "payments", "pricing", "collection", "desk", "monitor")


def create_app(settings: Settings | None = None, engine: Engine | None = None) -> FastAPI:
    """The whole application over one database."""
    settings = settings or get_settings()
    app = FastAPI(
        title="Smart Ekonomi",
        version="1",
        summary="Pasar rakyat: registry, charges, payments, prices",
        docs_url="/api/docs" if not settings.production else None,
        redoc_url=None,
        lifespan=_lifespan,
        max_body_size=LARGEST_BODY,
    )
    app.state.engine = engine or make_engine(settings.database_url)
    problems.install(app)
    app.include_router(health.router)
    app.include_router(auth_pages.router)
    app.include_router(auth_admin.router)
    for feature in FEATURES:
        for part in PARTS:
            if router := getattr(_module(f"market.{feature}.{part}"), "router", None):  # payments/cards.py is no page
                app.include_router(router)
    app.mount("/static", StaticFiles(directory=ROOT / "static"), name="static")
    app.add_middleware(LanguageMiddleware)
    app.add_middleware(SecurityMiddleware, https=settings.production, form_targets=checkout_hosts(settings))
    return app


def create() -> ASGIApp:
    """What a server loads: the application behind the pages that are answered from memory."""
    app = create_app()
    if module := _module("market.pricing.hot"):
        wrapped: ASGIApp = module.HotPages(app)
        return wrapped
    return app


def _module(name: str) -> ModuleType | None:
    try:
        return import_module(name) if find_spec(name) else None
    except ModuleNotFoundError:
        return None


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.engine.dispose()
