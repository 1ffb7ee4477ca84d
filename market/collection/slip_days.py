"""When a slip was taken, though the phone's clock may be wrong: its round's business day stands, the moment is fitted to it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from market import clock
from market.collection.signing import SlipText
from market.vendors import service as vendors
from market.vendors.models import MarketSession

# A phone's clock that is this far off is put right by ours; beyond the second figure a person is told.
TOLERATED, TOLD = timedelta(minutes=2), timedelta(minutes=15)


@dataclass(frozen=True)
class Booked:
    """The business day a slip is booked on and the moment within it; `said_at` is the moment before it was fitted.

    `odd`: the two did not agree, even after the clock was put right.
    """

    day: date
    paid_at: datetime
    said_at: datetime
    odd: bool


@dataclass(frozen=True)
class Days:
    """A market's sessions and time zone, and the instant of the delivery."""

    openings: dict[str, MarketSession]
    timezone: str
    now: datetime

    def knows(self, session_code: str) -> bool:
        return session_code in self.openings

    def day_of(self, session_code: str, moment: datetime) -> date:
        """The business day of a moment; the civil day in a session nobody knows."""
        opening = self.openings.get(session_code)
        if opening is None:
            return clock.local(moment, self.timezone).date()
        return clock.business_day(moment, self.timezone, opening.opens, opening.closes)

    def begins(self, session_code: str, day: date) -> datetime:
        """The first instant that belongs to a business day."""
        opening = self.openings.get(session_code)
        overnight = opening is not None and opening.closes <= opening.opens
        at = opening.closes if opening is not None and overnight else time(0)
        return datetime.combine(day, at, ZoneInfo(self.timezone))

    def place(self, text: SlipText, ahead: timedelta) -> Booked:
        """The day the device was sent on its round with, never a later one than ours; the moment put right and fitted."""
        try:
            said = text.issued_at - ahead if abs(ahead) > TOLERATED else text.issued_at
        except OverflowError:
            said = self.now
        day = min(text.day, self.day_of(text.session, self.now))
        first = self.begins(text.session, day)
        last = min(self.begins(text.session, day + timedelta(days=1)) - timedelta(seconds=1), self.now)
        odd = text.day > day or not first <= said <= last + TOLERATED
        return Booked(day, min(max(said, first), last), said, odd)


def days_of(session: Session, market_id: str) -> Days:
    """What `place` needs, for one market."""
    openings = {opening.code: opening for opening in vendors.sessions_of(session, market_id)}
    return Days(openings, vendors.get_market(session, market_id).timezone, clock.now())
