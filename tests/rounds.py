"""Collectors and their phones for some weeks, seeded: lost phones, wrong clocks, cut lines, doubled and altered slips.

A second account is kept in plain Python: what each phone signed, what cash is in each bag, what each flag should be. At the
end the ledger, the slips on the phones and the bank statement agree, or the difference stands on a work list with its cause.
`python -m tests.rounds --seed 7` repeats a run.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text
from sqlmodel import Session, select

from market import clock, migrate
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.auth.models import RoleGrant, UserAccount
from market.auth.principal import Principal
from market.collection import devices, flags, held, reconciliation, reentry, sync
from market.collection import service as collection
from market.collection.device_models import SignedSlip
from market.collection.handovers import find_by_round
from market.collection.models import Round
from market.collection.signing import Jwk, digest
from market.database import make_engine, session_scope
from market.dues import service as dues
from market.payments import service as payments
from tests.collection.phone import Phone
from tests.payments import city

FEE = city.FEE
MORNING = city.NOON - timedelta(hours=4)  # 08.00 in Denpasar
Slip = dict[str, str]


class CutOff(Exception):
    """The line broke: before anything was written, or before the answer came."""


@dataclass
class Kept:
    """One signed slip as the world knows it: its money, and who still holds its text."""

    slip: Slip
    number: int
    amount: int
    day: date
    proof: bool  # the vendor kept the paper and will bring it if asked
    sent: bool = False  # the phone saw the answer
    arrived: bool = False  # the market has it, whatever the phone saw


@dataclass
class Walker:
    """A collector: the phone in hand, what it still holds, and the cash in the bag."""

    user_id: int
    name: str
    phone: Phone
    queue: list[Kept] = field(default_factory=list)
    bag: int = 0
    removed: bool = False  # the role ended in mid-shift, until the next morning
    gone: list[tuple[str, list[Kept]]] = field(default_factory=list)  # lost phones with what only they held


@dataclass
class World:
    """What ought to be true, kept apart from the program."""

    signed: dict[str, Kept] = field(default_factory=dict)  # by digest
    tampered: set[str] = field(default_factory=set)
    late_clocks: set[str] = field(default_factory=set)  # phones that sent with a wrong clock
    odd_clocks: set[str] = field(default_factory=set)  # phones whose clock was ever wrong
    lost: dict[str, Kept] = field(default_factory=dict)  # signed, and nobody can bring the text any more
    handed: int = 0
    deposits: dict[str, int] = field(default_factory=dict)
    short_lines: dict[str, int] = field(default_factory=dict)
    acts: Counter[str] = field(default_factory=Counter)


class Rounds:
    """One seed, one SQLite database, a month of mornings."""

    def __init__(self, engine: Engine, seed: int, *, collectors: int, vendors: int) -> None:
        self.engine, self.dice, self.world = engine, random.Random(seed), World()
        self.day = city.TODAY
        with session_scope(engine) as session:
            self.town = city.build(session, days=3, vendors=vendors)
            self.head = self._person(session, "kepala", Role.market_head)
            self.treasurer = self._person(session, "bendahara", Role.treasurer)
            self.clerk = self._person(session, "loket", Role.clerk)
            self.walkers = [self._walker(session, n) for n in range(collectors)]

    def _person(self, session: Session, name: str, role: Role) -> Principal:
        user = auth.add_user(session, name, name=name.title(), password=None, by=SYSTEM)
        everywhere = role is Role.treasurer  # the operator's bank account is one treasurer's
        auth.grant(
            session, name, role, by=SYSTEM, valid_from=date(2020, 1, 1),
            operator_id="PERUMDA" if everywhere else None, market_id=None if everywhere else "KRN",
        )  # fmt: skip
        return auth.principal_for(session, user)

    def _walker(self, session: Session, n: int) -> Walker:
        by = self._person(session, f"petugas-{n}", Role.collector)
        return Walker(by.user_id or 0, by.name, self._phone(session, by))

    def _phone(self, session: Session, by: Principal) -> Phone:
        code = devices.issue_code(session, "KRN", by.user_id or 0, by=SYSTEM)
        made = Phone()
        made.code = devices.enrol(session, code, Jwk.model_validate(made.jwk), name="HP", by=by).code
        return made

    def person(self, session: Session, walker: Walker) -> Principal:
        return auth.principal_for(session, session.get_one(UserAccount, walker.user_id))

    def one_day(self, *, last: bool = False) -> None:
        """A morning of walking and sending, then the office: held slips, proofs, hand-overs, the close, the bank."""
        self.clock = MORNING + (self.day - city.TODAY)
        with self._at(0), session_scope(self.engine) as session:
            dues.accrue(session, self.day)
            for walker in self.walkers:
                if walker.removed:
                    user = session.get_one(UserAccount, walker.user_id)
                    auth.grant(session, user.username, Role.collector, by=SYSTEM, market_id="KRN", valid_from=self.day)
                    walker.removed = False
        for hour in range(1, 6):
            for walker in self.walkers:
                with self._at(hour * 60 + self.dice.randrange(50)):
                    self._walk(walker)
                    if self.dice.random() < 0.5:
                        self._send(walker)
        for walker in self.walkers:
            with self._at(5 * 60 + 55):
                if self.dice.random() < 0.04:
                    self._remove(walker)
            with self._at(6 * 60):
                if not last and not walker.removed and self.dice.random() < 0.08:
                    self._lose(walker)
                if last or self.dice.random() < 0.8:
                    self._send(walker, until_done=True)
        with self._at(6 * 60 + 30):
            self._office(last)
        with self._at(6 * 60 + 45):
            self._bank(last)
        self.day += timedelta(days=1)

    def _at(self, minutes: int) -> AbstractContextManager[datetime]:
        return clock.freeze(self.clock + timedelta(minutes=minutes))

    def _walk(self, walker: Walker) -> None:
        """Some places pay; now and then the phone's clock jumps, or somebody pays by QRIS in the same hour."""
        dice, phone = self.dice, walker.phone
        if dice.random() < 0.05:
            off = dice.choice(
                [timedelta(0), timedelta(days=1), timedelta(days=-1), timedelta(hours=5), timedelta(days=-9000)]
            )
            phone.ahead = off
            self.world.odd_clocks |= {phone.code} if off else set()
        for _ in range(dice.randint(0, 4)):
            n = dice.randrange(len(self.town.permits))
            amount = dice.choice([FEE, FEE, 2 * FEE, 10_000, 50_000])
            scope = dice.choice(["today", "all"])
            slip = phone.slip(self.town.permits[n], amount, scope=scope, day=self.day.isoformat())
            kept = Kept(slip, phone.number, amount, self.day, dice.random() < 0.7)
            walker.queue.append(kept)
            walker.bag += amount
            self.world.signed[digest(slip["body"])] = kept
            self.world.acts["slips signed"] += 1
        if dice.random() < 0.1:
            self._pay_by_qris(dice.choice(self.town.vendors))

    def _pay_by_qris(self, vendor: int) -> None:
        with session_scope(self.engine) as session:
            if not dues.unpaid(session, "KRN", vendor_id=vendor):
                return
            asked = city.ask(session, vendor, count=2)
        with session_scope(self.engine) as session:
            payments.receive(
                session, city.notice(asked, event=f"r{asked.id}", paid_at=clock.now(), bank=f"B{asked.id}")
            )
        self.world.acts["paid by QRIS meanwhile"] += 1

    def _send(self, walker: Walker, *, until_done: bool = False) -> None:
        """The queue in pieces: shuffled, doubled, altered on the way, cut before or after it was written."""
        dice, phone = self.dice, walker.phone
        while walker.queue:
            piece = walker.queue[: dice.randint(1, 10)]
            slips = [kept.slip for kept in piece]
            if dice.random() < 0.2:
                slips = [*slips, dice.choice(slips)]
            if dice.random() < 0.2:
                dice.shuffle(slips)
            if dice.random() < 0.1:
                slips.insert(0, self._altered(dice.choice(slips)))
            try:
                answers = self._deliver(walker, phone, slips, waiting=len(walker.queue) - len(piece))
            except CutOff:
                self.world.acts["line cut"] += 1
                if not until_done:
                    return
                continue
            assert len(answers) == len(slips)
            for kept in piece:
                kept.sent = True
            walker.queue = walker.queue[len(piece) :]

    def _deliver(self, walker: Walker, phone: Phone, slips: list[Slip], *, waiting: int) -> list[sync.Answer]:
        envelopes = [sync.Envelope(s["body"], s["signature"]) for s in slips]
        lucky = self.dice.random()
        with session_scope(self.engine) as session:
            by = self.person(session, walker)
            answers = sync.receive(session, phone.code, envelopes, by=by, sent_at=phone.now, waiting=waiting)
            if lucky < 0.1:
                raise CutOff  # nothing of it was written
        for slip in slips:
            if kept := self.world.signed.get(digest(slip["body"])):
                kept.arrived = True
        self.world.tampered |= {s["body"] + s["signature"] for s in slips if digest(s["body"]) not in self.world.signed}
        if phone.ahead and any(a.outcome == "taken" for a in answers):
            self.world.late_clocks.add(phone.code)
        if lucky < 0.2:
            raise CutOff  # written, and the answer was lost: the phone will send it again
        return answers

    def _altered(self, slip: Slip) -> Slip:
        """Somebody between the phone and the market changes one digit."""
        body = slip["body"].replace('"amount":', '"amount":1', 1)
        self.world.acts["altered on the way"] += 1
        return {"body": body, "signature": slip["signature"]}

    def _lose(self, walker: Walker) -> None:
        """The phone falls into the river with what it had not sent; the office revokes it and enrols another."""
        self.world.acts["phone lost"] += 1
        old = walker.phone
        walker.gone.append((old.code, walker.queue))
        for kept in walker.queue:
            if not kept.proof and not kept.arrived:
                self.world.lost[digest(kept.slip["body"])] = kept
        walker.queue = []
        with session_scope(self.engine) as session:
            devices.revoke(session, old.code, reason="Hilang", by=self.head)
            walker.phone = self._phone(session, self.person(session, walker))

    def _remove(self, walker: Walker) -> None:
        """The office takes the role away while the phone holds slips and the bag holds cash."""
        self.world.acts["removed in mid-shift"] += 1
        walker.removed = True
        with session_scope(self.engine) as session:
            held_roles = session.exec(select(RoleGrant).where(RoleGrant.user_id == walker.user_id)).all()
            for grant in held_roles:
                if grant.valid_until is None:
                    grant.valid_until = max(self.day, grant.valid_from + timedelta(days=1))

    def _office(self, last: bool) -> None:
        """Vendors bring the slips of lost phones, the head decides, every bag is counted and the day is closed."""
        for walker in self.walkers:
            for code, held_back in walker.gone:
                brought = [k for k in held_back if k.proof and not k.sent and (last or self.dice.random() < 0.5)]
                if brought:
                    lines = "\n".join(f"x#p={Phone.proof(walker.phone, k.slip)}" for k in brought)
                    with session_scope(self.engine) as session:
                        reentry.enter(session, code, lines, by=self.clerk)
                    for kept in brought:
                        kept.sent = True
                    self.world.acts["proofs brought by vendors"] += len(brought)
        with session_scope(self.engine) as session:
            waiting = held.waiting(session, ["KRN"], limit=100_000)
            if waiting:
                keys = [(h.slip.device, h.slip.digest) for h in waiting]
                done = held.accept(session, "KRN", keys, places={}, by=self.head)
                assert not done.refused, done.refused
                self.world.acts["held, then accepted"] += done.done
        for walker in self.walkers:
            self._hand_over(walker)
        if self.dice.random() < 0.7:
            with session_scope(self.engine) as session:
                collection.close(session, "KRN", "pagi", self.day, by=self.treasurer)
            self.world.acts["days closed"] += 1

    def _hand_over(self, walker: Walker) -> None:
        """All cash but that of slips the phone still shows as unsent; a difference is written with its reason."""
        with session_scope(self.engine) as session:
            rounds = list(
                session.exec(select(Round).where(Round.market_id == "KRN", Round.collector_id == walker.user_id))
            )
            unsent = sum(kept.amount for kept in walker.queue)
            by = self.person(session, walker)
            still = [row for row in rounds if find_by_round(session, "KRN", row.id) is None]
            for n, row in enumerate(still):
                expected = collection.takings(session, "KRN", row.id)
                counted = walker.bag - unsent if n == len(still) - 1 else min(expected, walker.bag - unsent)
                why = "Petugas diberhentikan di tengah hari" if walker.removed else ""
                who = self.clerk if walker.removed else by
                given = collection.hand_over(session, "KRN", row.id, counted=counted, because=why, by=who)
                reason = "" if counted == expected else "Uang dari slip perangkat yang hilang"
                collection.verify(session, "KRN", given.id, received=counted, reason=reason, by=self.head)
                walker.bag -= counted
                self.world.handed += counted

    def _bank(self, last: bool) -> None:
        """The treasurer brings what was verified to the bank; the statement shows it, now and then a note short."""
        with session_scope(self.engine) as session:
            ready = collection.undeposited(session, "KRN")
            if not ready:
                return
            amount, reference = sum(u.amount for u in ready), f"STS-{self.day}"
            collection.deposit(
                session, "KRN", [u.handover_id for u in ready], amount=amount, account="BPD-1", reference=reference,
                by=self.treasurer,
            )  # fmt: skip
            self.world.deposits[reference] = amount
            shown = amount
            if self.dice.random() < 0.1:
                shown -= 1_000  # a note the bank would not take
                self.world.short_lines[reference] = shown
            collection.record_line(
                session, "PERUMDA", account="BPD-1", booked_on=self.day, amount=shown, reference=reference,
                by=self.treasurer,
            )  # fmt: skip
            collection.match_all(session, "PERUMDA", by=self.treasurer)

    def compare(self) -> None:
        """The program's books against ours, slip by slip; what differs must stand on a list with its cause."""
        world = self.world
        city.assert_clean(self.engine)
        with session_scope(self.engine, write=False) as session:
            rows = {row.digest: row for row in session.exec(select(SignedSlip))}
            assert set(world.signed) - set(rows) == set(world.lost), "only what nobody can bring is missing"
            assert {str(row.state) for row in rows.values()} == {"taken"}
            assert all(world.signed[d].amount == row.amount for d, row in rows.items())
            receipts = [row.receipt_number for row in rows.values()]
            slips = session.execute(text("SELECT count(*), sum(amount) FROM slip")).one()
            booked = sum(row.amount for row in rows.values())
            assert (len(set(receipts)), slips[0], slips[1]) == (len(rows), len(rows), booked)
            # The cash of lost slips was handed over as a surplus: it stands as such, to the rupiah.
            missing = sum(kept.amount for kept in world.lost.values())
            assert world.handed == booked + missing
            variance = session.execute(
                text("SELECT coalesce(sum(amount), 0) FROM posting WHERE account LIKE 'variance:%'")
            ).scalar()
            assert -int(variance or 0) == missing
            markets = reconciliation.markets_of(session, "PERUMDA")
            sums = reconciliation.three_way(session, markets, city.TODAY, self.day)
            assert (sums.receipts, sums.received, sums.deposited) == (
                booked,
                world.handed,
                sum(world.deposits.values()),
            )
            differences = [g for g in sums.gaps if g.kind == "short"]
            assert all(g.owner for g in differences) and sum(g.amount for g in differences) == missing, differences
            desk = reconciliation.work(session, "PERUMDA", ["KRN"])
            assert {loose.reference for loose in desk.loose} == set(world.short_lines)
            assert {row.line.reference: row.line.amount for row in desk.lines} == world.short_lines
            self._flags(session)
        for walker in self.walkers:
            assert walker.bag == 0 and not walker.queue

    def _flags(self, session: Session) -> None:
        """Each altered slip and each day of a wrong clock is one flag; each number lost in the middle is in a gap."""
        found = flags.open_flags(session, ["KRN"])
        kinds = Counter(str(f.kind) for f in found)
        assert kinds["tampered"] == len(self.world.tampered)
        wrong = {f.device for f in found if f.kind == "clock"}
        assert self.world.late_clocks <= wrong <= self.world.odd_clocks
        assert set(kinds) <= {"tampered", "clock"}
        brought: dict[str, int] = {}
        for row in session.exec(select(SignedSlip)):
            brought[row.device] = max(brought.get(row.device, 0), row.number)
        gaps = {(g.device, n) for g in flags.gaps(session, ["KRN"]) for n in range(g.first, g.last + 1)}
        lost = {
            (code, k.number)
            for w in self.walkers
            for code, held_back in w.gone
            for k in held_back
            if not (k.proof or k.arrived)
        }
        assert gaps == {(code, n) for code, n in lost if n < brought.get(code, 0)}
        self.world.acts["numbers on the list as missing"] = len(gaps)


def run(folder: Path, seed: int, *, collectors: int = 10, days: int = 30, vendors: int = 60) -> World:
    """Raises AssertionError with the first thing that does not tie."""
    engine = make_engine(f"sqlite:///{folder / 'rounds.db'}")
    migrate.upgrade(engine)
    with clock.freeze(city.NOON):
        rounds = Rounds(engine, seed, collectors=collectors, vendors=vendors)
    for n in range(days):
        rounds.one_day(last=n == days - 1)
    with clock.freeze(city.NOON + timedelta(days=days)):
        rounds.compare()
    engine.dispose()
    return rounds.world


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rounds", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--collectors", type=int, default=10)
    parser.add_argument("--days", type=int, default=30)
    args = parser.parse_args()
    again = f"python -m tests.rounds --seed {args.seed} --collectors {args.collectors} --days {args.days}"
    sys.stdout.write(f"seed {args.seed}: again with `{again}`\n")
    with tempfile.TemporaryDirectory(prefix="rounds-") as folder:
        world = run(Path(folder), args.seed, collectors=args.collectors, days=args.days)
    sys.stdout.write(told(world))
    return 0


def told(world: World) -> str:
    """What happened, and that it ties."""
    lines = [f"  {name:<32} {count:>12,}" for name, count in sorted(world.acts.items())]
    missing = sum(kept.amount for kept in world.lost.values())
    lines.append(
        f"rounds: {len(world.signed):,} slips signed, Rp {world.handed:,} handed over, Rp {missing:,} of it from "
        f"{len(world.lost)} slips that went down with a phone and stand as surplus; everything else ties"
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
