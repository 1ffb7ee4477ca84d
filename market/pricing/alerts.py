"""Word when a price crosses a figure: asked for by a signed-in vendor, sent by the outbox in the publishing transaction.

Only the crossing is told, not every day beyond it. The telephone number stays where the vendor's own data stand.
"""

from datetime import date
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from market import clock
from market.errors import Invalid
from market.jobs.delivery import template
from market.jobs.service import send
from market.pricing import catalogue
from market.pricing.models import PriceAlert
from market.pricing.reading import day_of
from market.web import words
from market.web.i18n import translate
from market.words import N_, say

MOST = 20
DEAREST = 100_000_000


class BadAlert(Invalid):
    message = N_("Tulis harga yang lebih dari nol dan masuk akal.")


class TooManyAlerts(Invalid):
    message = N_("Paling banyak {most} kabar harga. Hapus satu dulu.")


def alerts_of(session: Session, vendor_id: int) -> list[PriceAlert]:
    """A vendor's own."""
    query = select(PriceAlert).where(PriceAlert.vendor_id == vendor_id)
    return list(session.exec(query.order_by(col(PriceAlert.market_id), col(PriceAlert.commodity_id))))


def follow(session: Session, vendor_id: int, market: str, commodity: str, *, price: int, rising: bool) -> PriceAlert:
    """One figure per market and commodity; asked again, the new one counts. Raises BadAlert, UnknownArea, UnknownCommodity."""
    if not 0 < price <= DEAREST:
        raise BadAlert(fields={"price": say(BadAlert.message)})
    area, item = catalogue.get_market(session, market), catalogue.get_commodity(session, commodity)
    row = session.get(PriceAlert, (vendor_id, area.id, item.id))
    if row is None:
        if len(alerts_of(session, vendor_id)) >= MOST:
            raise TooManyAlerts(most=MOST, fields={"price": say(TooManyAlerts.message, most=MOST)})
        row = PriceAlert(
            vendor_id=vendor_id, market_id=area.id, commodity_id=item.id, price=price, created_at=clock.now()
        )
        session.add(row)
    row.price, row.rising = price, rising
    session.flush()
    return row


def forget(session: Session, vendor_id: int, market: str, commodity: str) -> None:
    """No more word of this one; what was not asked for is passed over."""
    if "\0" in market + commodity:
        return
    row = session.get(PriceAlert, (vendor_id, market.upper(), commodity))
    if row is not None:
        session.delete(row)
        session.flush()


_CROSSED = """
SELECT a.{who}, a.commodity_id, a.rising, a.price, l.price, c.name FROM {table} a
JOIN price_latest l ON l.area_id = a.market_id AND l.commodity_id = a.commodity_id AND l.source = 'survey'
JOIN commodity c ON c.id = a.commodity_id WHERE a.market_id = :market AND l.day = :day AND l.price IS NOT NULL {also} AND (
(a.rising AND l.price >= a.price AND (l.previous_price IS NULL OR l.previous_price < a.price)) OR
(NOT a.rising AND l.price <= a.price AND (l.previous_price IS NULL OR l.previous_price > a.price)))
ORDER BY a.{who}, a.commodity_id
"""


def crossed(
    session: Session, market_id: str, day: date, table: str, who: str, also: str = ""
) -> list[tuple[int, str, dict[str, Any]]]:
    """Whose figure the day's price has crossed: (who, commodity, the message's values). `table`, `who`, `also` are our own words."""
    query = text(_CROSSED.format(table=table, who=who, also=also))
    found = []
    for one, commodity_id, rising, asked, price, name in session.execute(
        query, {"market": market_id, "day": day.isoformat()}
    ):
        args = {"market": market_id, "name": name, "rising": bool(rising), "asked": asked, "price": price,
                "day": day.isoformat()}  # fmt: skip
        found.append((one, commodity_id, args))
    return found


def announce(session: Session, market_id: str, day: date) -> int:
    """After a publication, in its transaction: one message per figure crossed that day; returns how many."""
    rows = crossed(session, market_id, day, "price_alert", "vendor_id")
    for vendor_id, commodity_id, args in rows:
        key = f"price:{vendor_id}:{market_id}:{commodity_id}:{day.isoformat()}"
        send(session, f"vendor:{vendor_id}", "price_crossed", args, key=key)
    return len(rows)


@template("price_crossed")
def _worded(session: Session, _vendor_id: int, args: dict[str, Any]) -> str | None:
    return worded(session, args)


def worded(session: Session, args: dict[str, Any]) -> str | None:
    """Nothing is sent about a day that has passed: it would be read as today's price."""
    day = day_of(args["day"])
    if day != clock.today():
        return None
    area = catalogue.get_market(session, args["market"])
    up = N_("{name} di {market} sekarang {price}, sudah mencapai {asked}. Harga {day}.")
    down = N_("{name} di {market} sekarang {price}, sudah turun ke {asked}. Harga {day}.")
    values = {"name": args["name"], "market": area.name, "price": words.money(args["price"]),
              "asked": words.money(args["asked"]), "day": words.day(day)}  # fmt: skip
    return translate(say(up if args["rising"] else down, **values))
