"""A draw within a zone that anybody can repeat: the order is the SHA-256 of `seed:application`, nothing else.

The seed is said aloud by the witnesses before the draw; it, the entries, the places and the outcome are published.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import applications
from market.vendors.life_models import Application, Lottery
from market.vendors.models import Market
from market.words import N_, say


class NothingToDraw(Conflict):
    message = N_("Belum ada yang bisa diundi: perlu tempat kosong dan permohonan di daftar tunggu zona ini.")


class SeedMissing(Invalid):
    message = N_("Tulis angka atau kata yang disebut saksi, paling sedikit enam huruf.")


class LotteryUnknown(NotFound):
    message = N_("Undian ini tidak ditemukan.")


def draw(seed: str, entries: Sequence[int], places: Sequence[str]) -> dict[str, int]:
    """Place → application. Entries ordered by SHA-256 of `seed:application` in hex, places by code, paired off."""
    order = sorted(entries, key=lambda n: (hashlib.sha256(f"{seed}:{n}".encode()).hexdigest(), n))
    return dict(zip(sorted(places), order, strict=False))


def hold(session: Session, market: Market, *, zone: str, session_code: str, seed: str, by: Principal) -> Lottery:
    """Draw the vacant places of a zone among those who wait for it, and offer each winner their place.

    Raises SeedMissing, NothingToDraw.
    """
    by.require(Role.market_head, market_id=market.id)
    seed = seed.strip()[:80]
    if len(seed) < 6:
        raise SeedMissing(fields={"seed": say(SeedMissing.message)})
    query = (
        select(col(Application.id))
        .where(
            col(Application.market_id) == market.id, col(Application.state) == "WAITLISTED",
            col(Application.zone) == zone, col(Application.session_code) == session_code,
        )
        .order_by(col(Application.id))
    )  # fmt: skip
    entries = list(session.execute(query).scalars())
    today = clock.today(market.timezone)
    places = [p.code for p in applications.vacant(session, market.id, session_code, today, zone=zone)]
    outcome = draw(seed, entries, places)
    if not outcome:
        raise NothingToDraw
    row = Lottery(
        market_id=market.id,
        id=ledger.take_numbers(session, market.id, "lottery", 1)[0],
        zone=zone,
        session_code=session_code,
        seed=seed,
        entries=entries,
        places=places,
        outcome=outcome,
        drawn_at=clock.now(),
        user_id=by.user_id,
    )
    session.add(row)
    session.flush()
    for place, number in sorted(outcome.items()):
        applications.act(session, market, number, "offer", by=by, place=place, facts={"lottery": str(row.id)})
    after = {"zone": zone, "entries": len(entries), "places": len(places)}
    audit.record(session, by, "lottery.draw", "lottery", str(row.id), market_id=market.id, after=after)
    return row


def find(session: Session, market_id: str, lottery_id: int) -> Lottery:
    """Raises LotteryUnknown."""
    row = session.get(Lottery, (market_id, lottery_id))
    if row is None:
        raise LotteryUnknown
    return row


def held(session: Session, market_id: str) -> list[Lottery]:
    """A market's draws, the latest first."""
    query = select(Lottery).where(col(Lottery.market_id) == market_id).order_by(col(Lottery.id).desc()).limit(50)
    return list(session.execute(query).scalars())
