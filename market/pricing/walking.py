"""A market's own list: which commodities its surveyor asks for, in the order in which one walks past them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlmodel import Session

from market import audit
from market.auth.access import Principal, Role
from market.errors import Invalid
from market.pricing import catalogue
from market.pricing.catalogue import Item
from market.words import N_, say


class BadWalk(Invalid):
    message = N_("Urutannya belum benar.")


class NothingListed(Invalid):
    message = N_("Paling sedikit satu bahan harus dicatat.")


_OWN = text("SELECT commodity_id, step, listed FROM survey_item WHERE market_id = :market")
_PUT = text(
    "INSERT INTO survey_item (market_id, commodity_id, step, listed) VALUES (:market, :item, :step, :listed) "
    "ON CONFLICT (market_id, commodity_id) DO UPDATE SET step = excluded.step, listed = excluded.listed"
)


def survey_list(session: Session, market_id: str, *, every: bool = False) -> list[Item]:
    """What this market surveys, as one walks; with `every` also what it leaves out, last. New commodities come after the walk."""
    items = catalogue.commodities(session, surveyed=True)
    own = {c: (step, bool(listed)) for c, step, listed in session.execute(_OWN, {"market": market_id})}
    if not own:
        return items
    default = (len(items) + 1, True)
    ordered = sorted(
        items, key=lambda item: (not own.get(item.id, default)[1], own.get(item.id, default)[0], item.sort)
    )
    return [item for item in ordered if every or own.get(item.id, default)[1]]


def walks(session: Session, market_id: str) -> bool:
    """Whether the market has an order of its own."""
    return session.execute(_OWN, {"market": market_id}).first() is not None


def set_walk(
    session: Session, market_id: str, steps: Mapping[str, str], listed: Sequence[str], *, by: Principal
) -> list[Item]:
    """The whole walk at once: a number per commodity (equal ones keep the basket's order), and which are surveyed.

    Raises BadWalk with a sentence per field (`o:<commodity>`), NothingListed.
    """
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    items = catalogue.commodities(session, surveyed=True)
    wrong = {
        f"o:{item.id}": say(N_("Tulis nomor 0 sampai 999.")) for item in items if not _number(steps.get(item.id, "0"))
    }
    if wrong:
        raise BadWalk(fields=wrong)
    if not any(item.id in listed for item in items):
        raise NothingListed
    rows = [
        {"market": market_id, "item": item.id, "step": int(steps.get(item.id) or 0), "listed": item.id in listed}
        for item in items
    ]
    session.execute(_PUT, rows)
    audit.record(
        session, by, "prices.walk", "market", market_id, market_id=market_id,
        after={"listed": sum(bool(row["listed"]) for row in rows)},
    )  # fmt: skip
    session.flush()
    return survey_list(session, market_id)


def _number(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdigit() and len(text) <= 3)
