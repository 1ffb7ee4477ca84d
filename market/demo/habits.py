"""How a vendor pays. Pure: a habit, a day and what is owed give what comes in, by which rail and when."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from random import Random
from zoneinfo import ZoneInfo

from market.calendar.pawukon import days_to_galungan, pawukon

TOUR_DEBT = 10  # days the tour's vendor has not paid


class Habit(StrEnum):
    """Kinds of payers, and roughly how common they are."""

    daily = "daily"  # every open day, what the day costs
    rounded = "rounded"  # every day Rp 15,000, whatever the day costs: the rest is kept for them
    weekly = "weekly"
    monthly = "monthly"
    patchy = "patchy"  # when business was good
    slipping = "slipping"  # stopped some weeks ago
    stuck = "stuck"  # months behind, pays a little now and then
    tour = "tour"  # the card of the tour: paid up to ten days ago


WEIGHTS = {
    Habit.daily: 46, Habit.rounded: 12, Habit.weekly: 17, Habit.monthly: 9, Habit.patchy: 8, Habit.slipping: 5, Habit.stuck: 3,
}  # fmt: skip
ROUND_SUM = 15_000
SMALLEST_CARD = 10_000


@dataclass(frozen=True)
class Payer:
    """A vendor's way of paying, drawn once from the seed and their id."""

    habit: Habit
    digital: float
    stopped: int  # days before the demo was made on which `slipping` stopped
    weekday: int

    @classmethod
    def of(cls, seed: int, vendor_id: int, *, old_debts: bool = False, rounds: bool = False) -> "Payer":
        """`rounds`: a market where vendors hand over a round sum and the rest is kept for them (Kereneng)."""
        dice = Random(f"{seed}/payer/{vendor_id}")
        habit = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        likes = min(1.0, max(0.0, dice.gauss(0.42, 0.35)))
        if habit is Habit.rounded and not rounds:
            habit = Habit.daily
        return cls(Habit.stuck if old_debts else habit, likes, dice.randint(12, 70), dice.randint(0, 6))


@dataclass(frozen=True)
class Coming:
    """Money that comes: rupiah and rail."""

    amount: int
    method: str


def trade(day: date) -> float:
    """How good a day's business is, 1 being ordinary: weekends, the days before a feast, the feast itself when few come."""
    p = pawukon(day)
    ahead = days_to_galungan(day)
    good = (1.0, 0.97, 0.98, 1.0, 1.05, 1.16, 1.10)[day.weekday()]
    if 1 <= ahead <= 7:
        good *= 1.3
    if p.holy_day in ("Galungan", "Manis Galungan", "Kuningan", "Saraswati", "Banyupinaruh", "Pagerwesi"):
        good *= 0.45
    elif pawukon(day + timedelta(days=1)).holy_day or p.kajeng_kliwon:
        good *= 1.15
    return good


def comes(payer: Payer, day: date, *, born: date, owed_today: int, owed: int, dice: Random) -> Coming | None:
    """What this vendor pays on `day`, if anything. `owed` includes `owed_today`; `born` is the day the demo was made."""
    if owed <= 0 and payer.habit is not Habit.rounded:
        return None
    method = "QRIS" if dice.random() < payer.digital else "TUNAI"
    good = trade(day)
    came = dice.random() < min(0.985, 0.93 * good)
    match payer.habit:
        case Habit.tour:
            return Coming(owed, method) if day <= born - timedelta(days=TOUR_DEBT) else None
        case Habit.daily:
            # One day missed is made up the next; rent of the first is paid in the first days.
            return Coming(owed, method) if came else None
        case Habit.rounded:
            return Coming(max(ROUND_SUM, _up(owed_today, 5_000)), "TUNAI") if came and owed_today else None
        case Habit.weekly:
            return Coming(owed, method) if came and day.weekday() == payer.weekday else None
        case Habit.monthly:
            if not came or day.day not in (5, 6):
                return None
            card = owed >= SMALLEST_CARD and dice.random() < 0.2
            return Coming(owed, "STRIPE" if card else "QRIS" if payer.digital > 0.3 else method)
        case Habit.patchy:
            if dice.random() < 0.34 * good:
                return Coming(min(owed, _up(owed_today * dice.randint(1, 4), 1_000) or owed), method)
        case Habit.slipping:
            if day <= born - timedelta(days=payer.stopped) and came:
                return Coming(owed, method)
        case Habit.stuck:
            if dice.random() < 0.035:
                return Coming(min(owed, 1_000 * dice.randint(10, 60)), "TUNAI")
    return None


def _up(amount: int, step: int) -> int:
    """The next whole step: what people hand over."""
    return -(-amount // step) * step


def moment(day: date, session_code: str, dice: Random, tz: str) -> datetime:
    """When on its business day: collectors walk from seven to half past eleven, at night from five to ten."""
    minutes = (
        dice.triangular(17 * 60, 22 * 60, 18 * 60 + 30)
        if session_code == "malam"
        else dice.triangular(7 * 60, 11 * 60 + 30, 8 * 60 + 20)
    )
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)) + timedelta(
        minutes=int(minutes), seconds=dice.randint(0, 59)
    )
