"""Many vendors sell elsewhere for a while: one place per vendor first, then second places; the original right is kept.

Each round is a draw by SHA-256 of `seed:permit`, so anybody can repeat it. The permits are suspended: no daily fee
accrues at the old place. Where there is no room left, the permit is listed as waiting, and said so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from market import clock
from market.auth.access import Principal, Role
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import workflow
from market.vendors.life_models import Moved, Relocation
from market.vendors.models import ENDED, Market, Permit, PermitStatus, Place, PlaceStatus, Vendor
from market.words import N_, say


class NobodyToMove(Conflict):
    message = N_("Tidak ada izin berlaku di blok itu.")


class NoRoom(Conflict):
    message = N_("Tidak ada tempat sementara yang kosong. Daftarkan tempat berstatus TPS dulu.")


class BadRelocation(Invalid):
    message = N_("Pemindahan belum bisa dicatat.")


class RelocationUnknown(NotFound):
    message = N_("Pemindahan ini tidak ditemukan.")


@dataclass(frozen=True)
class Holder:
    """A permit to be moved and whose it is."""

    permit_id: int
    vendor_id: int


@dataclass(frozen=True)
class Allocation:
    """Who got which place in which round (1 first places, 2 second), and which permits found no room."""

    placed: tuple[tuple[int, int, int], ...]
    waiting: tuple[int, ...]


@dataclass(frozen=True)
class NowAt:
    """Where a vendor is now: the trading name, the usual place and the temporary one."""

    name: str
    goods: str
    from_market: str
    from_place: str
    to_market: str
    to_place: str
    round: int
    public: bool


def allocate(seed: str, holders: Sequence[Holder], places: Sequence[int]) -> Allocation:
    """Pure: one place per vendor first, then second places and further ones, each round in the seed's order."""
    order = sorted(holders, key=lambda h: (hashlib.sha256(f"{seed}:{h.permit_id}".encode()).hexdigest(), h.permit_id))
    nth: dict[int, int] = {}
    ranked: list[tuple[int, Holder]] = []
    for holder in order:
        nth[holder.vendor_id] = nth.get(holder.vendor_id, 0) + 1
        ranked.append((nth[holder.vendor_id], holder))
    ranked.sort(key=lambda pair: pair[0])
    placed = tuple((h.permit_id, place, n) for (n, h), place in zip(ranked, places, strict=False))
    return Allocation(placed, tuple(h.permit_id for _, h in ranked[len(placed) :]))


def move(
    session: Session,
    market: Market,
    *,
    block: str,
    to_market: Market,
    cause: str,
    legal_basis: str,
    seed: str,
    by: Principal,
) -> tuple[Relocation, Allocation]:
    """Move every holder of a block ("" is the whole market) to the vacant TPS places of `to_market`, from today.

    Raises BadRelocation, NobodyToMove, NoRoom, and Forbidden where `by` does not head both markets.
    """
    by.require(Role.market_head, Role.director, market_id=market.id)
    if len(cause.strip()) < 4 or len(seed.strip()) < 6:
        wrong = {} if len(cause.strip()) >= 4 else {"cause": say(N_("Tulis sebabnya, misalnya banjir."))}
        if len(seed.strip()) < 6:
            wrong["seed"] = say(N_("Tulis angka atau kata yang disebut saksi, paling sedikit enam huruf."))
        raise BadRelocation(fields=wrong)
    if to_market.operator_id != market.operator_id:
        raise BadRelocation(fields={"to_market": say(N_("Pasar tujuan harus dari pengelola yang sama."))})
    today = clock.today(market.timezone)
    query = (
        select(col(Permit.id), col(Permit.vendor_id), col(Permit.status))
        .join(Place, (col(Place.market_id) == col(Permit.market_id)) & (col(Place.id) == col(Permit.place_id)))
        .where(
            col(Permit.market_id) == market.id, col(Permit.valid_from) <= today,
            col(Permit.valid_until).is_(None) | (col(Permit.valid_until) > today),
            col(Permit.status) == PermitStatus.ACTIVE,
        )
        .order_by(col(Permit.id))
    )  # fmt: skip
    if block:
        query = query.where(col(Place.block) == block)
    holders = [Holder(i, v) for i, v, _ in session.execute(query)]
    if not holders:
        raise NobodyToMove
    places = [p.id for p in free_places(session, to_market.id, today)]
    if not places:
        raise NoRoom
    row = Relocation(
        market_id=market.id,
        id=ledger.take_numbers(session, market.id, "relocation", 1)[0],
        to_market=to_market.id,
        cause=cause.strip()[:200],
        legal_basis=legal_basis.strip()[:200],
        seed=seed.strip()[:80],
        since=today,
        user_id=by.user_id,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    done = allocate(row.seed, holders, places)
    key = {"market_id": market.id, "relocation_id": row.id, "to_market": to_market.id}
    session.execute(insert(Moved), [key | {"permit_id": p, "place_id": q, "round": n} for p, q, n in done.placed])
    session.execute(
        update(Permit)
        .where(col(Permit.market_id) == market.id, col(Permit.id).in_([h.permit_id for h in holders]))
        .values(status=PermitStatus.SUSPENDED)
        .execution_options(synchronize_session="fetch")
    )
    facts = {"placed": str(len(done.placed)), "waiting": str(len(done.waiting)), "to": to_market.id, "block": block,
             "permits": ",".join(str(h.permit_id) for h in holders)}  # fmt: skip
    workflow.take(
        session, market.id, "relocation", row.id, before="", action="move", by=by, reason=row.cause, facts=facts
    )
    return row, done


def end(session: Session, market: Market, relocation_id: int, *, by: Principal) -> int:
    """Everybody returns to the place they always had; returns how many permits are in force again."""
    row = session.get(Relocation, (market.id, relocation_id), with_for_update=True)
    if row is None:
        raise RelocationUnknown
    workflow.take(
        session, market.id, "relocation", row.id, before="OPEN" if row.until is None else "ENDED", action="end", by=by
    )
    row.until = max(clock.today(market.timezone), row.since + timedelta(days=1))
    steps = workflow.steps_of(session, market.id, "relocation", row.id)
    moved = [int(n) for n in str(steps[0].facts["permits"]).split(",")]
    back = session.execute(
        update(Permit)
        .where(
            col(Permit.market_id) == market.id, col(Permit.id).in_(moved), col(Permit.status) == PermitStatus.SUSPENDED
        )
        .values(status=PermitStatus.ACTIVE)
        .returning(col(Permit.id))
        .execution_options(synchronize_session="fetch")
    ).all()
    session.flush()
    return len(back)


def free_places(session: Session, market_id: str, day: date) -> list[Place]:
    """Temporary places nobody holds and no open relocation uses, in walking order."""
    held = select(col(Permit.place_id)).where(
        col(Permit.market_id) == market_id, col(Permit.status).not_in([s.value for s in ENDED]),
        col(Permit.valid_until).is_(None) | (col(Permit.valid_until) > day),
    )  # fmt: skip
    used = (
        select(col(Moved.place_id))
        .join(
            Relocation,
            (col(Relocation.market_id) == col(Moved.market_id)) & (col(Relocation.id) == col(Moved.relocation_id)),
        )
        .where(col(Moved.to_market) == market_id, col(Relocation.until).is_(None) | (col(Relocation.until) > day))
    )
    query = (
        select(Place)
        .where(
            col(Place.market_id) == market_id, col(Place.status) == PlaceStatus.TPS, col(Place.id).not_in(held),
            col(Place.id).not_in(used),
        )
        .order_by(col(Place.block), col(Place.number), col(Place.code))
    )  # fmt: skip
    return list(session.execute(query).scalars())


def now_at(session: Session, *, market_ids: Sequence[str] | None = None, day: date, public: bool = True) -> list[NowAt]:
    """Where vendors are now, for shoppers (only names they agreed to show) or the office: one query."""
    old, new = Place.__table__.alias("old"), Place.__table__.alias("new")  # type: ignore[attr-defined]
    query = (
        select(
            col(Vendor.name), col(Permit.goods), col(Vendor.goods), col(Moved.market_id), old.c.code,
            col(Moved.to_market), new.c.code, col(Moved.round), col(Vendor.public),
        )
        .select_from(Moved)
        .join(
            Relocation,
            (col(Relocation.market_id) == col(Moved.market_id)) & (col(Relocation.id) == col(Moved.relocation_id)),
        )
        .join(Permit, (col(Permit.market_id) == col(Moved.market_id)) & (col(Permit.id) == col(Moved.permit_id)))
        .join(Vendor, col(Vendor.id) == col(Permit.vendor_id))
        .join(old, (old.c.market_id == col(Permit.market_id)) & (old.c.id == col(Permit.place_id)))
        .join(new, (new.c.market_id == col(Moved.to_market)) & (new.c.id == col(Moved.place_id)))
        .where(col(Relocation.since) <= day, col(Relocation.until).is_(None) | (col(Relocation.until) > day))
        .order_by(col(Moved.market_id), old.c.code)
    )  # fmt: skip
    if market_ids is not None:
        query = query.where(col(Moved.market_id).in_(market_ids) | col(Moved.to_market).in_(market_ids))
    if public:
        query = query.where(col(Vendor.public))
    return [
        NowAt(name, goods or usual, home, code, there, place, n, shown)
        for name, goods, usual, home, code, there, place, n, shown in session.execute(query)
    ]


def held(session: Session, market_id: str) -> list[Relocation]:
    """A market's relocations, the latest first."""
    query = select(Relocation).where(col(Relocation.market_id) == market_id).order_by(col(Relocation.id).desc())
    return list(session.execute(query.limit(50)).scalars())
