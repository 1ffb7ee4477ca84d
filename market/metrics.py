"""What /metrics tells: what processes count (market.measuring), and what the database knows of work that waits.

The second part costs a few small queries; it is asked at most once in KEPT_SECONDS by each process, however often it is scraped.
"""

import os
from collections.abc import Iterator
from threading import Lock
from time import monotonic
from typing import Any

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from market import clock, measuring
from market.database import UTCDateTime, session_scope
from market.monitor import pricewatch, takings
from market.vendors.models import Market

KEPT_SECONDS = 15.0
LARGEST_CITY = 500  # markets; beyond that cash and prices are the monitor's business, not a scrape's

HELP = {
    "market_database_up": "1 where the database answers",
    "market_jobs_due": "Jobs whose time has come and that nobody has done",
    "market_jobs_oldest_due_seconds": "Age of the oldest of them",
    "market_jobs_failed": "Jobs that were given up",
    "market_outbox_waiting": "Messages that have not left",
    "market_outbox_oldest_seconds": "Age of the oldest of them",
    "market_outbox_given_up": "Messages that could not be delivered",
    "market_inbox_last_seconds": "Time since a provider's last notification",
    "market_reviews_open": "Notifications and money that a person must settle",
    "market_reviews_oldest_seconds": "Age of the oldest of them",
    "market_cash_held_rupiah": "Cash that is not at the bank",
    "market_cash_overdue_rupiah": "Of it, taken before today",
    "market_cash_oldest_days": "Age of the oldest of it",
    "market_prices_markets": "Markets",
    "market_prices_published": "Markets whose prices of today are out",
    "market_prices_on_time": "Of them, before eleven o'clock",
    "market_prices_coverage_ratio": "Published prices of today, of all that are surveyed",
    "market_listener_alive": "1 where this process hears publications of others",
    "market_replica_lag_seconds": "How far the replica is behind",
    "market_replica_usable": "1 where public reads go to the replica",
}
_WORK = text("""
    SELECT (SELECT count(*) FROM job WHERE done_at IS NULL AND failed_at IS NULL AND run_at <= :now) AS jobs,
        (SELECT min(run_at) FROM job WHERE done_at IS NULL AND failed_at IS NULL AND run_at <= :now) AS job_since,
        (SELECT count(*) FROM job WHERE done_at IS NULL AND failed_at IS NOT NULL) AS jobs_failed,
        (SELECT count(*) FROM outbox WHERE sent_at IS NULL AND gave_up_at IS NULL) AS outbox,
        (SELECT min(created_at) FROM outbox WHERE sent_at IS NULL AND gave_up_at IS NULL) AS outbox_since,
        (SELECT count(*) FROM outbox WHERE sent_at IS NULL AND gave_up_at IS NOT NULL) AS outbox_failed,
        (SELECT received_at FROM inbox ORDER BY id DESC LIMIT 1) AS inbox_last,
        (SELECT count(*) FROM review_item WHERE resolved_at IS NULL) AS reviews,
        (SELECT min(created_at) FROM review_item WHERE resolved_at IS NULL) AS reviews_since
    """).columns(job_since=UTCDateTime, outbox_since=UTCDateTime, inbox_last=UTCDateTime, reviews_since=UTCDateTime)


def told(app: FastAPI) -> bytes:
    """The whole page, in Prometheus' text format."""
    if app.state.hot:
        app.state.hot.tell()
    own = CollectorRegistry()
    own.register(Waiting(app))
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        measuring.forget_the_dead()
        multiprocess.MultiProcessCollector(own)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(own))
    return bytes(generate_latest(REGISTRY) + generate_latest(own))


_lock = Lock()


class Waiting:
    """Figures of the database and of this process's watchers, as Prometheus' collector."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def collect(self) -> Iterator[GaugeMetricFamily]:
        values = dict(_of_the_database(self._app))
        if listener := self._app.state.listener:
            values["market_listener_alive"] = float(listener.alive)
        if replica := self._app.state.replica:
            values["market_replica_usable"] = float(replica.usable)
            if replica.lag is not None:
                values["market_replica_lag_seconds"] = replica.lag
        for name, value in values.items():
            family = GaugeMetricFamily(name, HELP[name])
            family.add_metric([], value)
            yield family


def _of_the_database(app: FastAPI) -> dict[str, float]:
    with _lock:
        asked, values = getattr(app.state, "figures", (0.0, {}))
        if values and monotonic() - asked < KEPT_SECONDS:
            return dict(values)
        try:
            with session_scope(app.state.engine, write=False) as session:
                values = {"market_database_up": 1.0, **_work(session), **_day(session)}
        except SQLAlchemyError:
            return {"market_database_up": 0.0}
        app.state.figures = (monotonic(), values)
        return values


def _work(session: Session) -> dict[str, float]:
    moment = clock.now()
    row = session.execute(_WORK, {"now": moment}).one()

    def age(since: Any) -> float:
        return max(0.0, (moment - since).total_seconds()) if since else 0.0

    return {
        "market_jobs_due": row.jobs, "market_jobs_oldest_due_seconds": age(row.job_since), "market_jobs_failed": row.jobs_failed,
        "market_outbox_waiting": row.outbox, "market_outbox_oldest_seconds": age(row.outbox_since),
        "market_outbox_given_up": row.outbox_failed, "market_inbox_last_seconds": age(row.inbox_last),
        "market_reviews_open": row.reviews, "market_reviews_oldest_seconds": age(row.reviews_since),
    }  # fmt: skip


def _day(session: Session) -> dict[str, float]:
    markets = list(session.exec(select(Market).order_by(col(Market.id)).limit(LARGEST_CITY)))
    today = clock.today()
    cash = takings.cash(session, [m.id for m in markets], today).values() if markets else ()
    prices = pricewatch.coverage(session, markets, today).values() if markets else ()
    listed = sum(p.listed for p in prices)
    return {
        "market_cash_held_rupiah": sum(c.held for c in cash), "market_cash_overdue_rupiah": sum(c.overdue for c in cash),
        "market_cash_oldest_days": max((c.oldest_days for c in cash), default=0), "market_prices_markets": len(markets),
        "market_prices_published": sum(p.published > 0 for p in prices),
        "market_prices_on_time": sum(p.on_time is True for p in prices),
        "market_prices_coverage_ratio": sum(p.published for p in prices) / listed if listed else 0.0,
    }  # fmt: skip
