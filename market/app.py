"""create_app: engine, handlers, middleware, routers. A table of contents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from sqlalchemy import Engine
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp

from market import health, logs, observing
from market import schedule as schedule
from market import tables as tables
from market.auth import account as auth_account
from market.auth import admin as auth_admin
from market.auth import pages as auth_pages
from market.auth import person as auth_person
from market.collection import api as collection_api
from market.collection import (
    counter_pages,
    device_pages,
    display_pages,
    reconciliation_pages,
    stand_in_pages,
    statement_pages,
    ticket_pages,
    void_pages,
)
from market.collection import device_api as collection_devices
from market.collection import office as collection_office
from market.collection import offline_pages as collection_offline
from market.collection import pages as collection_pages
from market.collection import proofs as slip_proofs
from market.collection import round_feed as collection_round_feed
from market.database import make_engine
from market.desk import card_pages as desk_card_pages
from market.desk import floor as desk_floor
from market.desk import guide as desk_guide
from market.desk import help as desk_help
from market.desk import message_pages as desk_messages
from market.desk import own as desk_own
from market.desk import own_pay as desk_own_pay
from market.desk import pack as desk_pack
from market.desk import pay as desk_pay
from market.desk import today as desk_today
from market.desk import trace as desk_trace
from market.desk import tracing as desk_tracing
from market.desk import transfers as desk_transfers
from market.dues import api as dues_api
from market.dues import late_api as dues_late_api
from market.dues import late_pages as dues_late
from market.dues import pages as dues_pages
from market.monitor import api as monitor_api
from market.monitor import pages as monitor_pages
from market.payments import api as payments_api
from market.payments import card_hook as payments_card_hook
from market.payments import pages as payments_pages
from market.payments import refund_api as payments_refunds
from market.payments import verify_pages as payments_verify
from market.payments import webhooks as payments_webhooks
from market.payments.card_attempts import checkout_hosts
from market.pricing import api as pricing_api
from market.pricing import correction_pages as pricing_corrections
from market.pricing import freshness
from market.pricing import office as pricing_office
from market.pricing import offline_sheet as pricing_offline
from market.pricing import pages as pricing_pages
from market.pricing import rule_pages as pricing_rules
from market.pricing import watch_pages as pricing_watch
from market.pricing.hot import HotPages
from market.replica import Replica
from market.settings import Settings, get_settings
from market.vendors import api as vendors_api
from market.vendors import application_pages as vendors_applications
from market.vendors import cards as vendors_cards
from market.vendors import directory as vendors_directory
from market.vendors import entering as vendors_entering
from market.vendors import erasing as vendors_erasing
from market.vendors import floor as vendors_floor
from market.vendors import letters as vendors_letters
from market.vendors import life_pages as vendors_life
from market.vendors import office as vendors_office
from market.vendors import pages as vendors_pages
from market.vendors import plan_pages as vendors_plans
from market.web import problems
from market.web.i18n import LanguageMiddleware
from market.web.render import ROOT
from market.web.security import SecurityMiddleware
from market.web.static_files import VersionedFiles

NATIVE_SPANS: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
}  # they hold addresses: market.tracing
LARGEST_BODY = 16 * 1024 * 1024  # a registry of 10,000 places is under 2 MiB
# A router is made ready when a request first passes it, so the doors that the public and the banks use stand first.
ROUTERS = (
    health.router, desk_today.router, pricing_pages.router, desk_pay.router, payments_webhooks.router,
    auth_pages.router, auth_account.router, auth_admin.router, auth_person.router,
    vendors_api.router, vendors_pages.router, vendors_office.router, vendors_cards.router,
    vendors_applications.router, vendors_life.router, vendors_letters.router, vendors_entering.router,
    vendors_erasing.router, vendors_floor.router, vendors_directory.router, vendors_plans.router,
    dues_api.router, dues_late_api.router, dues_pages.router, dues_late.router,
    payments_api.router, payments_refunds.router, payments_pages.router, payments_verify.router,
    payments_card_hook.router,
    pricing_api.router, pricing_offline.router, pricing_rules.router, pricing_office.router, pricing_corrections.router,
    pricing_watch.router,
    collection_api.router, collection_devices.router, collection_round_feed.router, device_pages.router, slip_proofs.router, stand_in_pages.router, collection_offline.router, collection_pages.router, collection_office.router, void_pages.router, reconciliation_pages.router, statement_pages.router, counter_pages.router, ticket_pages.router, display_pages.router,
    desk_card_pages.router, desk_guide.router, desk_trace.router, desk_tracing.router, desk_own.router, desk_messages.router, desk_own_pay.router, desk_pack.router, desk_transfers.router, desk_floor.router,
    desk_help.router,
    monitor_api.router, monitor_pages.router,
)  # fmt: skip


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
        telemetry=NATIVE_SPANS,
    )
    app.state.engine = engine or make_engine(settings.database_url)
    app.state.listener = app.state.hot = None
    app.state.replica = (
        Replica(settings.read_database_url, app.state.engine, settings.read_lag) if settings.read_database_url else None
    )
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", VersionedFiles(directory=ROOT / "static"), name="static")
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_BODY)  # counts what comes without a length
    app.add_middleware(problems.LargeBodies, most=LARGEST_BODY)
    app.add_middleware(LanguageMiddleware)
    app.add_middleware(SecurityMiddleware, https=settings.production, form_targets=checkout_hosts(settings))
    observing.install(app, settings)
    return app


def create() -> ASGIApp:
    """What a server loads: the application behind the pages that are answered from memory."""
    settings = get_settings()
    logs.configure(production=settings.production)
    app = create_app(settings)
    if app.state.engine.dialect.name == "postgresql":
        from market.listening import Listener  # it loads the driver, which an office on SQLite does not need

        url = settings.listen_database_url or settings.database_url
        app.state.listener = Listener(url, app.state.engine, freshness.CHANNEL, freshness.changed_here)
    pages = app.state.hot = HotPages(app, listener=app.state.listener)
    return pages


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    watchers = [watcher for watcher in (app.state.listener, app.state.replica) if watcher]
    for watcher in watchers:
        watcher.start()
    yield
    for watcher in watchers:
        watcher.stop()
    if app.state.spans:
        app.state.spans.shutdown()
    app.state.engine.dispose()
