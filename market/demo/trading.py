"""Time passes in one market: vendors pay, collectors hand over, heads verify and close, treasurers go to the bank.

Every act goes through its feature's service at the moment it would have happened; payments of a session's day are written together.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlmodel import Session, col, select

from market import clock
from market.auth.access import SYSTEM
from market.calendar import service as calendar
from market.collection import service as collection
from market.collection.models import DayClose, Handover, HandoverState, Round, Slip
from market.demo import mishaps
from market.demo.city import City
from market.demo.habits import Habit, Payer, comes, moment
from market.demo.messages import heard
from market.demo.people import Staff
from market.dues import service as dues
from market.dues.models import ChargeKey
from market.errors import MarketError
from market.ledger import service as ledger
from market.payments import service as payments
from market.payments.service import Draft, Method
from market.vendors import service as vendors
from market.vendors.models import Market, Permit, VendorKind

BANK = "CONTOH-BPD"  # the operator's account in the demo
PROVIDERS = {Method.TUNAI: "cash", Method.QRIS: "qris", Method.STRIPE: "stripe"}
OLD = 100  # a permit whose first unpaid line is older than this owes since long


@dataclass
class Debt:
    """One charge and what is left of it."""

    key: ChargeKey
    remaining: int
    place: str


@dataclass
class Stall:
    """A vendor in a session: charges to come (newest first, so that the next is popped) and charges open."""

    vendor_id: int
    payer: Payer
    ahead: list[Debt]
    open: list[Debt] = field(default_factory=list)

    def until(self, day: date) -> int:
        """Move what falls due by `day` to the open ones; returns what `day` itself costs."""
        while self.ahead and self.ahead[-1].key.period_start <= day:
            self.open.append(self.ahead.pop())
        return sum(d.remaining for d in self.open if d.key.period_start == day)


@dataclass(frozen=True)
class Span:
    """What has been played already and how far time has come: money of `(since, now]` is still to be played."""

    since: datetime
    now: datetime
    born: date
    record: int = 90  # days of charges this market has


class MarketPlay:
    """One market through a span of days."""

    def __init__(
        self, session: Session, city: City, people: Staff, span: Span, *, seed: int, tour_vendor: int | None
    ) -> None:
        self.session = session
        self.city = city
        self.people = people
        self.span = span
        self.seed = seed
        self.market: Market = vendors.get_market(session, city.code)
        self.zone = ZoneInfo(self.market.timezone)
        self.stalls = self._stalls(tour_vendor)
        self.payments = 0
        first, last = self._day(span.since), self._day(span.now)
        self.calendar = calendar.days_of(session, city.code, self.market.opening_rule, first, last + timedelta(days=10))
        # The days on which something goes wrong on purpose: open ones, closed long enough ago or just before the close.
        self.short_day = self._open_before(span.born, 4)
        self.void_day = self._open_before(span.born, 1)
        self.kept_night = self._open_before(span.born, 3)

    def _day(self, instant: datetime) -> date:
        return clock.local(instant, self.market.timezone).date()

    def _open_before(self, day: date, ago: int) -> date | None:
        """The newest open day at least `ago` days before `day`, in the market where things go wrong."""
        if self.city.code != mishaps.MARKET:
            return None
        days = (day - timedelta(days=n) for n in range(ago, ago + 5))
        return next((d for d in days if self._day(self.span.since) <= d and self.calendar.is_open(d)), None)

    def _stalls(self, tour_vendor: int | None) -> dict[str, list[Stall]]:
        lines: dict[tuple[str, int], list[Debt]] = defaultdict(list)
        for line in dues.unpaid(self.session, self.city.code):
            lines[line.session_code, line.vendor_id].append(Debt(line.key, line.remaining, line.place_code))
        stalls: dict[str, list[Stall]] = defaultdict(list)
        for (session_code, vendor_id), debts in sorted(lines.items()):
            old = debts[0].key.period_start < self.span.born - timedelta(days=self.span.record + OLD - 90)
            payer = Payer.of(self.seed, vendor_id, old_debts=old, rounds=self.city.code == "KRN")
            if vendor_id == tour_vendor:
                payer = Payer(Habit.tour, 0.0, 0, 0)
            stalls[session_code].append(Stall(vendor_id, payer, debts[::-1]))
        return stalls

    def play(self) -> None:
        """Day by day, as far as time has come."""
        last = self._day(self.span.now)
        # One day back: a night that was open when the last run ended.
        day = self._day(self.span.since) - timedelta(days=1)
        while day <= last:
            for opening in self.city.sessions:
                self._session_day(opening.code, day)
            self._bank(day)
            day += timedelta(days=1)

    def _session_day(self, session_code: str, day: date) -> None:
        drafts = sorted(self._drafts(session_code, day), key=lambda d: d.paid_at)
        if drafts:
            with clock.freeze(min(drafts[-1].paid_at + timedelta(minutes=2), self.span.now)):
                self._write(session_code, drafts)
        over = self._at(day, time(22, 40) if session_code == "malam" else time(12, 10))
        if over <= self.span.now:
            self._end_of_day(session_code, day, over)

    def _drafts(self, session_code: str, day: date) -> Iterator[Draft]:
        market_id, tz = self.city.code, self.market.timezone
        collector = self.people.collectors[session_code].user_id
        for stall in self.stalls.get(session_code, []):
            today = stall.until(day)
            if not self.calendar.is_open(day):
                continue
            dice = Random(f"{self.seed}/{market_id}/{stall.vendor_id}/{day.toordinal()}")
            at = moment(day, session_code, dice, tz)
            if not self.span.since < at <= self.span.now:
                continue
            owed = sum(d.remaining for d in stall.open)
            coming = comes(stall.payer, day, born=self.span.born, owed_today=today, owed=owed, dice=dice)
            if coming is None or coming.amount <= 0:
                continue
            apportioned = dues.apportion(coming.amount, stall.open)
            paid = {part.key: part.amount for part in apportioned.parts}
            places = sorted({d.place for d in stall.open if d.key in paid})
            for debt in stall.open:
                debt.remaining -= paid.get(debt.key, 0)
            stall.open = [d for d in stall.open if d.remaining]
            method = Method(coming.method)
            cash = method is Method.TUNAI
            yield Draft(
                market_id=market_id,
                method=method,
                provider=PROVIDERS[method],
                provider_reference=f"CONTOH-{market_id}-{stall.vendor_id}-{day:%Y%m%d}-{session_code}",
                account=f"cash:collector:{collector}" if cash else f"clearing:{PROVIDERS[method]}",
                vendor_id=stall.vendor_id,
                amount=coming.amount,
                parts=apportioned.parts,
                credit=apportioned.credit,
                session_code=session_code,
                business_day=day,
                paid_at=at,
                timezone=tz,
                place=", ".join(places)[:80],
                taken_by=collector if cash else None,
            )

    def _write(self, session_code: str, drafts: list[Draft]) -> None:
        """The session's payments, and the slips of those a collector took, in a round of that day."""
        written = payments.record_many(self.session, drafts)
        self.payments += len(written)
        heard(self.session, drafts, written)
        taken = [(d, w) for d, w in zip(drafts, written, strict=True) if d.method is Method.TUNAI]
        if not taken:
            return
        by = self.people.collectors[session_code]
        with clock.freeze(drafts[0].paid_at):
            round_ = collection.open_round(self.session, self.city.code, session_code, by=by)
        device = f"W{by.user_id}"
        numbers = ledger.take_numbers(self.session, self.city.code, f"slip-{device}", len(taken))
        self.session.execute(
            insert(Slip),
            [
                {
                    "market_id": self.city.code, "device": device, "number": n, "round_id": round_.id,
                    "permit_id": draft.parts[-1].key.permit_id, "vendor_id": draft.vendor_id, "amount": draft.amount,
                    "receipt_number": done.number, "issued_at": draft.paid_at, "received_at": draft.paid_at,
                }
                for n, (draft, done) in zip(numbers, taken, strict=True)
            ],
        )  # fmt: skip

    def _end_of_day(self, session_code: str, day: date, over: datetime) -> None:
        """Hand over what is open, verify what waits, close: whatever of it a person has not done meanwhile."""
        market_id = self.city.code
        by = self.people.collectors[session_code]
        waiting = self.session.execute(
            select(Round.id, Handover.id, Handover.state)
            .outerjoin(Handover, (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id)))
            .where(
                col(Round.market_id) == market_id, col(Round.session_code) == session_code, col(Round.business_day) == day,
                col(Round.collector_id) == by.user_id,
            )
        ).all()  # fmt: skip
        with clock.freeze(over):
            for round_id, handover_id, _ in waiting:
                if handover_id is None:
                    wrong = day == self.void_day and session_code == "pagi"
                    if wrong:
                        mishaps.void_a_slip(self.session, market_id, round_id, by=by, head=self.people.head)
                    counted = collection.takings(self.session, market_id, round_id)
                    collection.hand_over(self.session, market_id, round_id, counted=counted, by=by)
                    if wrong:
                        mishaps.void_too_late(self.session, market_id, round_id, by=by)
        verified = over + timedelta(minutes=25)
        if verified > self.span.now:
            return
        with clock.freeze(verified):
            for round_id, *_ in waiting:
                handover = collection.find_by_round(self.session, market_id, round_id)
                if handover is not None and handover.state == HandoverState.waiting:
                    self._verify(handover)
        closed = over + timedelta(hours=1)
        # Yesterday and before; the last day is the treasurer's to close, who is shown how.
        if (
            closed > self.span.now
            or day >= self._day(self.span.now) - timedelta(days=1)
            or not self.calendar.is_open(day)
        ):
            return
        if self.session.get(DayClose, (market_id, session_code, day)) is None:
            with clock.freeze(closed), _if_it_can():
                collection.close(self.session, market_id, session_code, day, by=self.people.head)

    def _verify(self, handover: Handover) -> None:
        dice = Random(f"{self.seed}/variance/{handover.market_id}/{handover.id}")
        short = 2_000 if handover.expected > 50_000 and dice.random() < 0.012 else 0
        why = "Kurang kembalian, dicatat sebagai selisih (contoh)" if short else ""
        if handover.business_day == self.short_day and handover.session_code == "pagi" and handover.expected > 50_000:
            short, why = mishaps.SHORT, mishaps.SHORT_WHY
            mishaps.remember_short(self.session, handover.business_day)
        collection.verify(
            self.session, handover.market_id, handover.id, received=handover.expected - short,
            reason=why, by=self.people.head,
        )  # fmt: skip

    def _bank(self, day: date) -> None:
        """On working days the treasurer brings the verified cash to the bank and records its slip."""
        at = self._at(day, time(13, 30))
        if at > self.span.now or at <= self.span.since or not self.calendar.working_day(day):
            return
        with clock.freeze(at):
            waiting = [u for u in collection.undeposited(self.session, self.city.code) if u.verified_at <= at]
            # One night's cash stays in the box, for whoever looks at the tour at any hour.
            night = self.people.collectors.get("malam")
            waiting = [
                u
                for u in waiting
                if night is None or (u.business_day, u.collector_id) != (self.kept_night, night.user_id)
            ]
            if not waiting:
                return
            reference, amount = f"STR-{self.city.code}-{day:%y%m%d}", sum(u.amount for u in waiting)
            with _if_it_can():
                collection.deposit(
                    self.session, self.city.code, [u.handover_id for u in waiting], amount=amount, account=BANK,
                    reference=reference, by=self.people.treasurer, deposited_at=at,
                )  # fmt: skip
                booked = at + timedelta(hours=3)
                if booked <= self.span.now - timedelta(days=1):
                    collection.record_line(
                        self.session, self.city.operator, account=BANK, booked_on=day, amount=amount, reference=reference,
                        description="Setoran tunai (contoh)", by=self.people.treasurer,
                    )  # fmt: skip

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone)


@contextmanager
def _if_it_can() -> Iterator[None]:
    """A person may have done it differently since the demo was last brought up to date: then theirs stands."""
    try:
        yield
    except MarketError:
        return


def check_in_seasonal(session: Session, city: City, *, seed: int, since: datetime, now: datetime) -> int:
    """Seasonal vendors who came on the days of the span; charges follow at the next accrual."""
    market = vendors.get_market(session, city.code)
    first, last = (clock.local(t, market.timezone).date() for t in (since, now))
    days = calendar.days_of(session, city.code, market.opening_rule, first, last)
    rows = []
    for permit in seasonal_permits(session, city.code):
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            dice = Random(f"{seed}/seasonal/{city.code}/{permit}/{day.toordinal()}")
            at = moment(day, "pagi", dice, market.timezone) - timedelta(minutes=30)
            if days.is_open(day) and since < at <= now and dice.random() < (0.62 if day.weekday() > 4 else 0.4):
                rows.append((permit, day))
    return vendors.check_in_many(session, city.code, rows, by=SYSTEM)


def seasonal_permits(session: Session, market_id: str) -> list[int]:
    """Ids of the permits that owe only the days of a check-in."""
    query = select(Permit.id).where(col(Permit.market_id) == market_id, col(Permit.vendor_kind) == VendorKind.MUSIMAN)
    return sorted(session.execute(query).scalars())
