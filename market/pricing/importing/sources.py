"""Sources that are asked by the clock: when, with which words, and what came of it.

After a failure a source waits longer each time (1, 2, 4 … hours, at most a day); after BROKEN failures it is left alone
until an officer has looked and starts it again.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from sqlmodel import Session, col, select

from market import audit, clock
from market.auth.access import SYSTEM, Principal, Role
from market.errors import Conflict, Invalid, MarketError, NotFound
from market.jobs.service import Opener
from market.pricing import catalogue
from market.pricing.importing import mappings
from market.pricing.importing.fetching import Fetched, check_address, fetch
from market.pricing.importing.service import run_import
from market.pricing.models import PriceSource
from market.web.i18n import translate
from market.words import N_, say

BROKEN = 5


class UnknownSource(NotFound):
    message = N_("Sumber “{name}” tidak ada.")


class SourceTaken(Conflict):
    message = N_("Sumber “{name}” sudah ada. Pakai nama lain.")


def sources(session: Session) -> list[PriceSource]:
    """All of them, by name."""
    return list(session.exec(select(PriceSource).order_by(col(PriceSource.name))))


def add(
    session: Session, name: str, *, url: str, area_id: str = "", mapping: str = "", every_hours: int = 24, by: Principal
) -> PriceSource:
    """Put an address on the list; it is asked within the hour. Raises BadAddress, UnknownArea, UnknownMapping, SourceTaken."""
    by.require(Role.admin)
    name = " ".join(name.split())
    if not 1 <= len(name) <= 40 or not name.isprintable():
        raise Invalid(fields={"name": say(N_("Perlu diisi."))})
    if not 1 <= every_hours <= 720:
        raise Invalid(fields={"every_hours": say(N_("Tulis 1 sampai 720 jam."))})
    if len(url) > 500:
        raise Invalid(fields={"url": say(N_("Terlalu panjang."))})
    check_address(url)
    if session.get(PriceSource, name) is not None:
        raise SourceTaken(name=name, fields={"name": say(SourceTaken.message, name=name)})
    area = catalogue.get_area(session, area_id).id if area_id else ""
    if mapping:
        mappings.shape_of(session, mapping)
    row = PriceSource(
        name=name,
        url=url,
        area_id=area,
        mapping=mapping,
        every_hours=every_hours,
        next_at=clock.now(),
        user_id=by.user_id,
    )
    session.add(row)
    audit.record(session, by, "prices.source", "price_source", name, after={"url": url, "area": area})
    session.flush()
    return row


def switch(session: Session, name: str, *, active: bool, by: Principal) -> PriceSource:
    """Stop a source, or start it again with a clean record."""
    by.require(Role.admin)
    row = session.get(PriceSource, name) if "\0" not in name else None
    if row is None:
        raise UnknownSource(name=name[:40])
    row.active = active
    if active:
        row.failures, row.next_at = 0, clock.now()
    audit.record(session, by, "prices.source", "price_source", name, after={"active": active})
    session.flush()
    return row


def run_due(open_session: Opener, *, transport: httpx.BaseTransport | None = None, limit: int = 20) -> int:
    """Ask every source that is due; returns how many. No transaction is open while a server is asked."""
    with open_session() as session:
        due = session.exec(
            select(PriceSource)
            .where(col(PriceSource.active), col(PriceSource.next_at) <= clock.now(), col(PriceSource.failures) < BROKEN)
            .order_by(col(PriceSource.next_at), col(PriceSource.name))
            .limit(limit)
        ).all()
        asked = [(row.name, row.url, row.etag, row.modified) for row in due]
        for row in due:  # taken: another process that looks now passes them over
            row.next_at = clock.now() + timedelta(hours=1)
    for name, url, etag, modified in asked:
        _run(open_session, name, lambda: fetch(url, etag=etag, modified=modified, transport=transport))  # noqa: B023 - called at once
    return len(asked)


def _run(open_session: Opener, name: str, ask: Callable[[], Fetched]) -> None:
    try:
        fetched = ask()
        with open_session() as session:
            _take(session, session.get_one(PriceSource, name), fetched)
    except MarketError as error:
        with open_session() as session:
            _fail(session.get_one(PriceSource, name), error)


def _take(session: Session, row: PriceSource, fetched: Fetched) -> None:
    result: dict[str, Any] = {"taken": 0, "revised": 0, "refused": 0}
    if fetched.body is not None:
        shape = mappings.shape_of(session, row.mapping) if row.mapping else None
        result = run_import(
            session, fetched.body, market=row.area_id or None, by=SYSTEM, name=fetched.name, mapping=shape
        )
    row.outcome = "unchanged" if fetched.body is None else "taken"
    row.message, row.failures = "", 0
    row.taken, row.revised, row.refused = result["taken"], result["revised"], result["refused"]
    row.etag, row.modified = fetched.etag, fetched.modified
    row.checked_at = clock.now()
    row.next_at = row.checked_at + timedelta(hours=row.every_hours)


def _fail(row: PriceSource, error: MarketError) -> None:
    row.failures += 1
    row.outcome, row.message = "failed", translate(error.text)[:300]
    row.taken = row.revised = row.refused = 0
    row.checked_at = clock.now()
    row.next_at = row.checked_at + timedelta(hours=min(2 ** (row.failures - 1), 24))
