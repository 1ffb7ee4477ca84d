"""A shopper's list in the address: what it costs at each market on the newest day. Nothing is stored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import bindparam, text
from sqlmodel import Session

from market.errors import Invalid
from market.money import half_up
from market.pricing import catalogue
from market.pricing.catalogue import AreaRow, Item
from market.pricing.reading import day_of
from market.words import N_, Message, say

MOST_ITEMS = 40
_AMOUNT = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,3}))?")


class BadList(Invalid):
    message = N_("Ada jumlah yang tidak terbaca.")


@dataclass(frozen=True)
class Wanted:
    """One line of the list; the amount is in thousandths of the commodity's unit (2,5 kg is 2500)."""

    item: Item
    thousandths: int

    @property
    def amount(self) -> str:
        """*2,5*; as it is typed again into the form."""
        whole, part = divmod(self.thousandths, 1000)
        return f"{whole},{part:03}".rstrip("0") if part else str(whole)


@dataclass(frozen=True)
class Offer:
    """What the list costs at one market. `lines` follows the list; None where the market has no price of that day.

    `total` adds what is known: where something is missing it is no total of the list, and never compared as one.
    """

    market: AreaRow
    lines: list[int | None]
    total: int

    @property
    def missing(self) -> int:
        return self.lines.count(None)


@dataclass(frozen=True)
class Shopping:
    """The list and its offers: complete ones first, cheapest first. `day` is the newest day any market has."""

    day: date | None
    wanted: list[Wanted]
    offers: list[Offer]


def parse_amount(typed: str) -> int | None:
    """*2*, *0,5* or *0.25* as thousandths; None where it is no amount. A dot is a decimal sign here: nobody buys 1.000 kg."""
    found = _AMOUNT.fullmatch(typed.strip())
    if not found or not typed.isascii():
        return None
    value = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0"))
    return value or None


def read_list(items: Sequence[Item], typed: Mapping[str, str]) -> list[Wanted]:
    """The list of an address (`?beras-medium=5&canang-sari=2`). Unknown names are passed over. Raises BadList."""
    wrong: dict[str, Message] = {}
    wanted = []
    for item in items:
        text_ = typed.get(item.id, "").strip()
        if not text_ or text_ == "0":
            continue
        amount = parse_amount(text_)
        if amount is None:
            wrong[item.id] = say(N_("Tulis jumlah seperti 2 atau 0,5; paling banyak 999."))
        else:
            wanted.append(Wanted(item, amount))
    if wrong:
        raise BadList(fields=wrong)
    return wanted[:MOST_ITEMS]


_NEWEST = text("SELECT max(day) FROM price_latest WHERE source = 'survey'")
_PRICES = text(
    "SELECT area_id, commodity_id, price FROM price_latest "
    "WHERE source = 'survey' AND day = :day AND price IS NOT NULL AND commodity_id IN :items"
).bindparams(bindparam("items", expanding=True))


def compare_list(session: Session, wanted: Sequence[Wanted]) -> Shopping:
    """Three queries, whatever the length: the newest day, the markets and the prices of that day."""
    newest = session.execute(_NEWEST).scalar()
    if newest is None or not wanted:
        return Shopping(day_of(newest) if newest else None, list(wanted), [])
    day = day_of(newest)
    query = {"day": day.isoformat(), "items": [w.item.id for w in wanted]}
    prices = {(area, item): price for area, item, price in session.execute(_PRICES, query)}
    offers = [_offer(market, wanted, prices) for market in catalogue.markets(session)]
    offers.sort(key=lambda o: (o.missing, o.total, o.market.name))
    return Shopping(day, list(wanted), offers)


def _offer(market: AreaRow, wanted: Sequence[Wanted], prices: Mapping[tuple[str, str], int]) -> Offer:
    lines: list[int | None] = []
    for w in wanted:
        price = prices.get((market.id, w.item.id))
        lines.append(None if price is None else half_up(price * w.thousandths, 1000))
    return Offer(market, lines, sum(line for line in lines if line is not None))
