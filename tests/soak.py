"""`make soak SEED=… SECONDS=…`: a seeded market whose bank, clerks and machine misbehave; the books must tie all the while.

Each act may be repeated, late, wrong or cut off before its commit. A second account of what was taken is kept in plain
Python, and compared with payments, receipts and the ledger. Every fifth act a QRIS payload is damaged: no damage may pass.
Then collectors with phones that are lost, wrong or cut off (rounds.py), and a month of programs that are killed (month.py).
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, text

from market import clock, guards, migrate
from market.database import make_engine, session_scope
from market.dues import service as dues
from market.payments import service as payments
from market.payments.models import OutcomeKind
from market.payments.notices import Notification
from market.payments.rails import qris
from tests import month, rounds
from tests.payments import city

PAYLOAD = (
    "00020101021226670017ID.CO.BPDBALI.WWW01189360012900000000170213SEWAKADARMA010303UME51440014ID.CO.QRIS.WWW"
    "0215ID20260000000170303UME5204939953033605802ID5917PASAR SEWAKADARMA6008DENPASAR610580232"
)


class CutOff(Exception):
    """The machine dies here: nothing of this transaction may be seen afterwards."""


@dataclass
class Books:
    """What ought to be true, kept apart from the program."""

    taken: int = 0
    receipts: int = 0
    acts: Counter[str] = field(default_factory=Counter)


class Simulation:
    """One seed, one SQLite database, a day that moves on."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine, self.dice, self.books = engine, random.Random(seed), Books()
        self.day, self.serial = city.TODAY, 0
        self.sent: list[Notification] = []
        self.slips: list[tuple[int, int, str]] = []
        with session_scope(engine) as session:
            self.town = city.build(session, days=5, vendors=8)

    def act(self) -> None:
        """One act of the day, chosen by the dice."""
        choices = [self.pay_by_qris, self.pay_cash, self.repeat_notice, self.repeat_cash, self.accrue, self.next_day]
        chosen = self.dice.choices(choices, weights=[40, 25, 15, 10, 6, 4])[0]
        self.books.acts[chosen.__name__] += 1
        with clock.freeze(city.NOON + (self.day - city.TODAY)):
            try:
                chosen()
            except CutOff:
                self.books.acts["cut off"] += 1

    def _maybe_cut_off(self) -> None:
        if self.dice.random() < 0.08:
            raise CutOff

    def pay_by_qris(self) -> None:
        vendor = self.dice.choice(self.town.vendors)
        with session_scope(self.engine) as session:
            if not dues.unpaid(session, "KRN", vendor_id=vendor):
                return
            asked = city.ask(session, vendor, count=self.dice.randint(1, 4))
        self.serial += 1
        late = timedelta(hours=self.dice.choice([0, 0, 0, 48]))
        wrong = self.dice.choice([0, 0, 0, 0, 0, 1000, -1000])
        notice = city.notice(
            asked,
            event=f"s{self.serial}",
            amount=asked.amount + wrong,
            paid_at=clock.now() + late,
            bank=f"B{self.serial}",
        )
        with clock.freeze(clock.now() + late):
            self._deliver(notice)

    def _deliver(self, notice: Notification) -> None:
        with session_scope(self.engine) as session:
            outcome = payments.receive(session, notice)
            self._maybe_cut_off()
        self.books.acts[f"outcome {outcome.kind}"] += 1
        self.sent.append(notice)
        if outcome.kind in {OutcomeKind.applied, OutcomeKind.credited, OutcomeKind.held} and outcome.payment_id:
            self.books.taken += notice.amount
            self.books.receipts += 1

    def repeat_notice(self) -> None:
        if not self.sent:
            return
        notice = self.dice.choice(self.sent)
        with session_scope(self.engine) as session:
            kind = payments.receive(session, notice).kind
        assert kind in {OutcomeKind.duplicate, OutcomeKind.conflicting, OutcomeKind.unknown}, kind

    def pay_cash(self) -> None:
        vendor, amount = (
            self.dice.choice(self.town.vendors),
            self.dice.choice([city.FEE, 2 * city.FEE, 15_000, 100_000]),
        )
        self.serial += 1
        slip = (vendor, amount, f"soak-{self.serial}")
        self._cash(slip)
        self.slips.append(slip)
        self.books.taken += amount
        self.books.receipts += 1

    def _cash(self, slip: tuple[int, int, str]) -> None:
        vendor, amount, key = slip
        with session_scope(self.engine) as session:
            payments.take_cash(session, market_id="KRN", vendor_id=vendor, amount=amount, by=city.CLERK, key=key)
            self._maybe_cut_off()

    def repeat_cash(self) -> None:
        if self.slips:
            self._cash(self.dice.choice(self.slips))

    def accrue(self) -> None:
        with session_scope(self.engine) as session:
            dues.accrue(session, self.day)
            self._maybe_cut_off()
        with session_scope(self.engine) as session:
            assert dues.accrue(session, self.day).created == 0, "a second run adds nothing"

    def next_day(self) -> None:
        self.day += timedelta(days=1)

    def compare(self) -> None:
        """The program's books against ours, and against themselves."""
        city.assert_clean(self.engine)
        with session_scope(self.engine, write=False) as session:
            taken, receipts = session.execute(
                text("SELECT (SELECT coalesce(sum(amount), 0) FROM payment), (SELECT count(*) FROM receipt)")
            ).one()
        assert (taken, receipts) == (self.books.taken, self.books.receipts)


def damage(dice: random.Random) -> None:
    """A payload with one character changed, dropped, doubled or swapped, its end lost, or made of nothing: never good."""
    whole = qris.with_amount(_with_crc(PAYLOAD), dice.randint(1, 10_000_000))
    at = dice.randrange(len(whole))
    changed = dice.choice(
        (
            whole[:at] + chr(dice.randint(32, 126)) + whole[at + 1 :],
            whole[:at] + whole[at + 1 :],
            whole[:at] + whole[at] + whole[at:],
            whole[: at - 1] + whole[at : at + 1] + whole[at - 1 : at] + whole[at + 1 :] if at else whole[1:],
            whole[:at],
            "".join(chr(dice.choice((dice.randint(32, 126), dice.randint(0, 0x2FFF)))) for _ in range(at)),
            "".join(f"{dice.randrange(100):02d}{n:02d}" + "7" * n for n in dice.choices(range(12), k=at % 12)),
        )
    )
    assert changed == whole or not qris.check(changed).valid or changed.strip() == whole, f"taken for good: {changed}"


def _with_crc(payload: str) -> str:
    return f"{payload}6304{qris.crc(payload + '6304')}"


def run(folder: Path, seed: int, seconds: float, acts: int | None = None) -> Books:
    """Simulate for so many seconds, or so many acts; raises AssertionError with the first thing that does not tie."""
    engine = make_engine(f"sqlite:///{folder / 'soak.db'}")
    migrate.upgrade(engine)
    with engine.begin() as connection:
        guards.install(connection)
    with clock.freeze(city.NOON):
        simulation = Simulation(engine, seed)
    until, n = time.monotonic() + seconds, 0
    while n < acts if acts is not None else time.monotonic() < until:
        simulation.act()
        n += 1
        if n % 5 == 0:
            damage(simulation.dice)
        if n % 200 == 0:
            simulation.compare()
    simulation.compare()
    engine.dispose()
    return simulation.books


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--seconds", type=float, default=60, help="of paying in the month; 600 kills more than 200 times"
    )
    parser.add_argument("--payloads", type=int, default=100_000)
    parser.add_argument("--vendors", type=int, default=None, help="2,000 from 300 seconds on, else 200")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--collectors", type=int, default=10, help="of the rounds on phones without a signal")
    parser.add_argument("--kills", type=int, default=None, help="at least one for each three seconds")
    args = parser.parse_args()
    sys.stdout.write(f"seed {args.seed}: again with `make soak SEED={args.seed} SECONDS={args.seconds:.0f}`\n")
    dice = random.Random(args.seed)
    for _ in range(args.payloads):
        damage(dice)
    sys.stdout.write(f"{args.payloads:,} random and damaged payloads: none taken for good\n")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        books = run(Path(folder), args.seed, args.seconds / 10)
    _print(books.acts)
    sys.stdout.write(f"in one process: {books.receipts} payments, Rp {books.taken:,} taken; everything ties\n")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        walked = rounds.run(Path(folder), args.seed, collectors=args.collectors, days=args.days)
    sys.stdout.write(rounds.told(walked))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        it = month.run(
            Path(folder),
            args.seed,
            vendors=args.vendors or (2000 if args.seconds >= 300 else 200),
            days=args.days,
            kills=args.kills or int(args.seconds / 3) + 5,
            seconds=args.seconds,
        )
    _print(it.acts)
    _print(it.figures)
    sys.stdout.write(
        f"a month, killed {it.kills} times: providers took Rp {it.taken:,}; every rupiah is on a receipt, in credit or under review\n"
    )
    return 0


def _print(figures: Mapping[str, int]) -> None:
    for name, count in sorted(figures.items()):
        sys.stdout.write(f"  {name:<32} {count:>12,}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
