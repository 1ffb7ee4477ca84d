"""When the hours of two sessions meet: a night that began yesterday still holds the place this morning."""

from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from itertools import product

DAY = 24 * 60
Hours = tuple[time, time]
Days = tuple[date, date | None]


def span(opens: time, closes: time) -> tuple[int, int]:
    """A session's minutes, counted from the midnight before it opens; one that closes at or before it opens runs into the next day."""
    start, end = opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute
    return start, end if end > start else end + DAY


def shifts(one: Hours, other: Hours) -> list[int]:
    """By how many days `other` must open later than `one` for both to be open at once: some of -1, 0 and 1."""
    (a, b), (c, d) = span(*one), span(*other)
    return [k for k in (-1, 0, 1) if a < d + k * DAY and c + k * DAY < b]


def meet(one: Days, other: Days, shift: int) -> bool:
    """Whether a day of `one` and the day `shift` later of `other` both exist; ranges are half-open, None has no end."""
    (a, b), (c, d) = one, other
    step = timedelta(days=shift)
    return (d is None or a < d - step) and (b is None or c - step < b)


def clashing(sessions: Iterable[tuple[str, time, time]]) -> dict[str, list[tuple[str, int]]]:
    """Of each session the others that are open at the same time, with the shift at which they are."""
    known: Sequence[tuple[str, time, time]] = list(sessions)
    found: dict[str, list[tuple[str, int]]] = {}
    for (code, *hours), (other, *theirs) in product(known, known):
        if code != other:
            met = [(other, k) for k in shifts((hours[0], hours[1]), (theirs[0], theirs[1]))]
            if met:
                found.setdefault(code, []).extend(met)
    return found
