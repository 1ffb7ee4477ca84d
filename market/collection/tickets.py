"""Ticket books: paper tickets by serial number, from the printer to the vendor. A number is received once and spent once.

A used ticket is a cash payment in the collector's round with a receipt of its own; what was skipped is listed until it is
used, returned or explained (domain.md 1.4: no control of ticket stock was the auditors' first finding).
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import case, exists, func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection.models import Round, VoidKind, VoidRequest, VoidState
from market.collection.rounds import ALL, SlipIn, collect, open_round
from market.collection.ticket_models import TicketMove, TicketMoveKind
from market.collection.ticket_ranges import Moved, Stretch, paint, skipped, whole, within
from market.errors import Conflict, Forbidden, Invalid
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.words import N_, Message, say

SERIES = re.compile(r"[A-Z0-9]{1,6}", re.ASCII)
LARGEST_NUMBER = 10**9
MOST_RECEIVED, MOST_USED = 100_000, 100
LARGEST_NOMINAL = 1_000_000
SHORTEST_REASON = 5


class BadTicketRange(Invalid):
    message = N_("Nomor karcis ini belum benar.")


class TicketsTaken(Conflict):
    message = N_("Karcis {range} sudah pernah diterima di stok.")


class TicketsElsewhere(Conflict):
    message = N_("Karcis {range} {where}.")


class OwnTickets(Forbidden):
    message = N_("Karcis Anda sendiri dicatat orang lain.")


class TicketReasonMissing(Invalid):
    message = N_("Tulis alasannya dalam beberapa kata.")


@dataclass(frozen=True)
class Range:
    """first…last of a series, inclusive. `A 101–150`."""

    series: str
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        numbers = str(self.first) if self.first == self.last else f"{self.first}–{self.last}"
        return f"{self.series} {numbers}"


@dataclass(frozen=True)
class Series:
    """One series of a market: its stretches by number, and what was skipped."""

    series: str
    stretches: list[Stretch]
    gaps: list[Stretch] = field(default_factory=list)

    def held_by(self, collector_id: int) -> list[Stretch]:
        """What a collector still has in the bag."""
        return [s for s in self.stretches if s.kind == TicketMoveKind.issued and s.collector_id == collector_id]


@dataclass(frozen=True)
class Counted:
    """Tickets and what they come to, in rupiah."""

    count: int = 0
    amount: int = 0


def parse_range(series: str, first: str, last: str = "") -> Range:
    """What a person typed; without `last` it is one ticket. Raises BadTicketRange with its fields."""
    wrong: dict[str, Message] = {}
    series = series.strip().upper()
    if not SERIES.fullmatch(series):
        wrong["series"] = say(N_("Isi seri dengan 1 sampai 6 huruf atau angka."))
    numbers = [re.sub(r"[ .]", "", text) for text in (first, last.strip() or first)]
    for name, text in zip(("first", "last"), numbers, strict=True):
        if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or not 0 < int(text) <= LARGEST_NUMBER:
            wrong[name] = say(N_("Isi nomor karcis dengan angka."))
    if not wrong and int(numbers[1]) < int(numbers[0]):
        wrong["last"] = say(N_("Nomor terakhir lebih kecil daripada nomor pertama."))
    if wrong:
        raise BadTicketRange(fields=wrong)
    return Range(series, int(numbers[0]), int(numbers[1]))


def receive(session: Session, market_id: str, wanted: Range, *, nominal: int, by: Principal) -> TicketMove:
    """New tickets into the stock. Raises TicketsTaken, BadTicketRange."""
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    if wanted.count > MOST_RECEIVED:
        raise BadTicketRange(fields={"last": say(N_("Paling banyak {most} lembar sekaligus."), most=MOST_RECEIVED)})
    if not 0 < nominal <= LARGEST_NOMINAL:
        raise BadTicketRange(fields={"nominal": say(N_("Isi harga satu lembar."))})
    number = _turn(session, market_id)
    if within(_painted(session, market_id, wanted), wanted.first, wanted.last):
        raise TicketsTaken(range=str(wanted))
    return _write(session, market_id, number, TicketMoveKind.received, wanted, nominal, by)


def issue(session: Session, market_id: str, wanted: Range, *, collector_id: int, by: Principal) -> list[TicketMove]:
    """Tickets from the stock to a collector. Raises TicketsElsewhere, OwnTickets."""
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    if collector_id == by.user_id:
        raise OwnTickets
    number = _turn(session, market_id)
    found = _where(session, market_id, wanted, lambda s: s.in_stock)
    return _each(session, market_id, TicketMoveKind.issued, wanted, found, number, by, collector_id=collector_id)


def take_back(session: Session, market_id: str, wanted: Range, *, collector_id: int, by: Principal) -> list[TicketMove]:
    """Unused tickets from a collector back into the stock. Raises TicketsElsewhere, OwnTickets."""
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    if collector_id == by.user_id:
        raise OwnTickets
    number = _turn(session, market_id)
    found = _where(session, market_id, wanted, lambda s: _held(s, collector_id))
    return _each(session, market_id, TicketMoveKind.returned, wanted, found, number, by, collector_id=collector_id)


def spoil(session: Session, market_id: str, wanted: Range, *, reason: str, by: Principal) -> list[TicketMove]:
    """Torn or lost tickets, in stock or in a bag. The head's word, not the holder's. Raises TicketsElsewhere, OwnTickets."""
    by.require(Role.market_head, market_id=market_id)
    if len(reason.strip()) < SHORTEST_REASON:
        raise TicketReasonMissing(fields={"reason": say(TicketReasonMissing.message)})
    number = _turn(session, market_id)
    found = _where(session, market_id, wanted, lambda s: s.in_stock or s.kind == TicketMoveKind.issued)
    if any(_held(s, by.user_id or 0) for s in found):
        raise OwnTickets
    return _each(session, market_id, TicketMoveKind.void, wanted, found, number, by, reason=reason.strip()[:300])


def use(
    session: Session, market_id: str, session_code: str, wanted: Range, *, permit_id: int, by: Principal
) -> TicketMove:
    """Tickets sold to a place: one cash payment with a receipt in the collector's round. The oldest debt first, surplus is titipan.

    Raises TicketsElsewhere, BadTicketRange, and what `collect` raises.
    """
    by.require(Role.collector, market_id=market_id)
    if wanted.count > MOST_USED:
        raise BadTicketRange(fields={"last": say(N_("Paling banyak {most} lembar sekaligus."), most=MOST_USED)})
    number = _turn(session, market_id)
    found = _where(session, market_id, wanted, lambda s: _held(s, by.user_id or 0))
    if len({s.nominal for s in found}) > 1:
        raise BadTicketRange(fields={"last": say(N_("Harga karcisnya berbeda: catat sendiri-sendiri."))})
    walk = open_round(session, market_id, session_code, by=by)
    amount = wanted.count * found[0].nominal
    # Named by its first ticket: the same ticket again is the same slip, on any page and in any tab.
    slip = SlipIn(f"KRC{wanted.series}", wanted.first, permit_id, amount, ALL, clock.now())
    done = collect(session, market_id, walk.id, slip, by=by)
    return _write(
        session, market_id, number, TicketMoveKind.used, wanted, found[0].nominal, by,
        collector_id=by.user_id, round_id=walk.id, receipt_number=done.receipt_number or "",
        day=walk.business_day,
    )  # fmt: skip


def books(session: Session, market_id: str) -> list[Series]:
    """Every series of a market with its gaps; one query."""
    moves: dict[str, list[Moved]] = {}
    tops: dict[str, dict[int, int]] = {}
    query = select(TicketMove).where(col(TicketMove.market_id) == market_id).order_by(col(TicketMove.id))
    for row in session.execute(query).scalars():
        moves.setdefault(row.series, []).append(_moved(row))
        if row.kind == TicketMoveKind.used and row.collector_id is not None:
            top = tops.setdefault(row.series, {})
            top[row.collector_id] = max(top.get(row.collector_id, 0), row.last)
    found = [Series(name, paint(rows)) for name, rows in sorted(moves.items())]
    return [Series(s.series, s.stretches, skipped(s.stretches, tops.get(s.series, {}))) for s in found]


def used_on(session: Session, market_id: str, session_code: str, day: date) -> Counted:
    """Tickets used in the rounds of a session's business day; one whose receipt was taken back counts, its money does not."""
    size = col(TicketMove.last) - col(TicketMove.first) + 1
    taken_back = exists().where(
        col(VoidRequest.market_id) == col(TicketMove.market_id),
        col(VoidRequest.receipt_number) == col(TicketMove.receipt_number),
        col(VoidRequest.state) == VoidState.approved, col(VoidRequest.kind) == VoidKind.void,
    )  # fmt: skip
    row = session.execute(
        select(
            func.coalesce(func.sum(size), 0),
            func.coalesce(func.sum(case((taken_back, 0), else_=size * col(TicketMove.nominal))), 0),
        )
        .join(Round, (col(Round.market_id) == col(TicketMove.market_id)) & (col(Round.id) == col(TicketMove.round_id)))
        .where(
            col(TicketMove.market_id) == market_id, col(Round.session_code) == session_code,
            col(Round.business_day) == day,
        )
    ).one()  # fmt: skip
    return Counted(int(row[0]), int(row[1]))


def period_counts(
    session: Session, market_ids: Collection[str], first: date, last: date
) -> dict[str, dict[TicketMoveKind, Counted]]:
    """Tickets moved in [first, last] by market and kind; a used ticket on its round's business day."""
    size = col(TicketMove.last) - col(TicketMove.first) + 1
    rows = session.execute(
        select(
            col(TicketMove.market_id), col(TicketMove.kind), func.sum(size), func.sum(size * col(TicketMove.nominal))
        )
        .where(col(TicketMove.market_id).in_(set(market_ids)), col(TicketMove.day).between(first, last))
        .group_by(col(TicketMove.market_id), col(TicketMove.kind))
    )
    found: dict[str, dict[TicketMoveKind, Counted]] = {}
    for market_id, kind, count, amount in rows:
        found.setdefault(market_id, {})[TicketMoveKind(kind)] = Counted(int(count), int(amount))
    return found


def _held(stretch: Stretch, collector_id: int) -> bool:
    return stretch.kind == TicketMoveKind.issued and stretch.collector_id == collector_id


def _where(
    session: Session, market_id: str, wanted: Range, allowed: Callable[[Stretch], bool]
) -> list[Stretch]:  # fmt: skip
    """The stretches of the range, all of them `allowed`. Raises TicketsElsewhere, naming the first that is not."""
    painted = _painted(session, market_id, wanted)
    found = within(painted, wanted.first, wanted.last)
    for s in found:
        if not allowed(s):
            part = Range(wanted.series, s.first, s.last)
            raise TicketsElsewhere(range=str(part), where=_told(s))
    if not whole(painted, wanted.first, wanted.last):
        raise TicketsElsewhere(range=str(wanted), where=say(N_("belum pernah diterima di stok")))
    return found


def _told(stretch: Stretch) -> Message:
    return say(
        {
            TicketMoveKind.used: N_("sudah terpakai"), TicketMoveKind.void: N_("sudah dicatat rusak atau hilang"),
            TicketMoveKind.issued: N_("sedang dipegang seorang petugas"), TicketMoveKind.received: N_("masih di stok"),
            TicketMoveKind.returned: N_("masih di stok"),
        }[stretch.kind]
    )  # fmt: skip


def _painted(session: Session, market_id: str, wanted: Range) -> list[Stretch]:
    query = (
        select(TicketMove)
        .where(
            col(TicketMove.market_id) == market_id, col(TicketMove.series) == wanted.series,
            col(TicketMove.first) <= wanted.last, col(TicketMove.last) >= wanted.first,
        )
        .order_by(col(TicketMove.id))
    )  # fmt: skip
    return paint(_moved(row) for row in session.execute(query).scalars())


def _moved(row: TicketMove) -> Moved:
    return Moved(row.kind, row.first, row.last, row.nominal, row.collector_id)


def _turn(session: Session, market_id: str) -> int:
    """The move's number, taken before looking: who moves tickets of this market at the same time waits here."""
    return ledger.take_numbers(session, market_id, "ticket", 1)[0]


def _each(
    session: Session, market_id: str, kind: TicketMoveKind, wanted: Range, found: list[Stretch], number: int,
    by: Principal, *, collector_id: int | None = None, reason: str = "",
) -> list[TicketMove]:  # fmt: skip
    """One move per price: a range that spans two books keeps each ticket's own."""
    parts: list[Range] = []
    prices: list[int] = []
    for s in found:
        if prices and prices[-1] == s.nominal:
            parts[-1] = Range(wanted.series, parts[-1].first, s.last)
        else:
            parts.append(Range(wanted.series, s.first, s.last))
            prices.append(s.nominal)
    return [
        _write(session, market_id, number if n == 0 else _turn(session, market_id), kind, part, price, by,
               collector_id=collector_id, reason=reason)
        for n, (part, price) in enumerate(zip(parts, prices, strict=True))
    ]  # fmt: skip


def _write(
    session: Session, market_id: str, number: int, kind: TicketMoveKind, part: Range, nominal: int, by: Principal,
    *, collector_id: int | None = None, round_id: int | None = None, receipt_number: str = "", reason: str = "",
    day: date | None = None,
) -> TicketMove:  # fmt: skip
    row = TicketMove(
        market_id=market_id, id=number, kind=kind, series=part.series, first=part.first, last=part.last,
        nominal=nominal, collector_id=collector_id, round_id=round_id, receipt_number=receipt_number, reason=reason,
        day=day or clock.today(vendors.get_market(session, market_id).timezone), done_by=by.user_id, done_at=clock.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    after = {"range": str(part), "nominal": nominal, "collector": collector_id, "reason": reason}
    audit.record(session, by, f"ticket.{kind}", "ticket", str(part), market_id=market_id, after=after)
    return row
