"""Where numbered tickets are, painted from their moves: pure, without a database."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from market.collection.ticket_models import TicketMoveKind


@dataclass(frozen=True)
class Moved:
    """One move of first…last (inclusive) of a series, in the order they happened."""

    kind: TicketMoveKind
    first: int
    last: int
    nominal: int
    collector_id: int | None = None


@dataclass(frozen=True)
class Stretch:
    """Neighbouring tickets in one state. `kind`: received and returned lie in stock, issued with `collector_id`."""

    first: int
    last: int
    kind: TicketMoveKind
    nominal: int
    collector_id: int | None = None

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    @property
    def in_stock(self) -> bool:
        return self.kind in (TicketMoveKind.received, TicketMoveKind.returned)


def paint(moves: Iterable[Moved]) -> list[Stretch]:
    """The stretches of one series, by number; later moves paint over earlier ones. What never was received is not there."""
    found: list[Stretch] = []
    for move in moves:
        starts = [s.first for s in found]
        low = max(0, bisect_right(starts, move.first) - 1)
        if low < len(found) and found[low].last < move.first:
            low += 1
        high = bisect_left(starts, move.last + 1)
        covered = found[low:high]
        pieces: list[Stretch] = []
        if covered and covered[0].first < move.first:
            pieces.append(replace(covered[0], last=move.first - 1))
        pieces.append(Stretch(move.first, move.last, move.kind, move.nominal, move.collector_id))
        if covered and covered[-1].last > move.last:
            pieces.append(replace(covered[-1], first=move.last + 1))
        found[low:high] = pieces
    return found


def within(stretches: Iterable[Stretch], first: int, last: int) -> list[Stretch]:
    """The part of the stretches that lies in first…last, cut to it."""
    return [
        replace(s, first=max(s.first, first), last=min(s.last, last))
        for s in stretches
        if s.first <= last and s.last >= first
    ]


def whole(stretches: Iterable[Stretch], first: int, last: int) -> bool:
    """Whether first…last is there without a hole."""
    return sum(s.count for s in within(stretches, first, last)) == last - first + 1


def skipped(stretches: Iterable[Stretch], highest_used: dict[int, int]) -> list[Stretch]:
    """Tickets a collector still holds below the highest one they used: each is to be found or explained."""
    return [
        replace(s, last=min(s.last, top))
        for s in stretches
        if s.kind == TicketMoveKind.issued
        and s.collector_id is not None
        and s.first <= (top := highest_used.get(s.collector_id, 0))
    ]
