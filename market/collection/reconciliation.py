"""Three ways to the bank: what receipts say, what was handed over, what the bank shows. What agrees is matched; the rest is named."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select, union_all
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.auth.models import UserAccount
from market.calendar import service as calendar
from market.collection import banking, classing
from market.collection.banking import MATCH_WINDOW_DAYS, AlreadyMatched, CollectorMayNotDeposit, DoesNotMatch
from market.collection.counter_models import CounterItem
from market.collection.drawers import drawers
from market.collection.models import (
    BankLine,
    BankMatch,
    Deposit,
    DepositItem,
    Handover,
    HandoverState,
    Round,
    Slip,
    VoidKind,
    VoidRequest,
    VoidState,
)  # fmt: skip
from market.collection.statement_models import LineKind, PayoutMatch
from market.collection.unmatching import apart
from market.errors import NotFound
from market.ledger import service as ledger
from market.money import rp
from market.payments.payout_models import Payout
from market.vendors import service as vendors
from market.vendors.models import Market
from market.words import N_

WINDOW = timedelta(days=MATCH_WINDOW_DAYS)
MOST = 500
LONGEST_HOLIDAY = timedelta(days=31)


class PayoutUnknown(NotFound):
    message = N_("Pencairan atau mutasi ini tidak ditemukan.")


@dataclass(frozen=True)
class Matched:
    """How many were tied to their bank lines in one run."""

    deposits: int
    payouts: int


def match_payout(session: Session, payout_id: int, line_id: int, *, by: Principal) -> PayoutMatch:
    """Tie a payout to its bank line. Raises PayoutUnknown, AlreadyMatched, DoesNotMatch."""
    line = session.execute(select(BankLine).where(col(BankLine.id) == line_id).with_for_update()).scalar_one_or_none()
    payout = session.get(Payout, payout_id)
    if line is None or payout is None or line.operator_id != payout.operator_id:
        raise PayoutUnknown
    by.require(Role.treasurer, operator_id=payout.operator_id)
    if _is_used(session, line_id) or session.get(PayoutMatch, payout_id) is not None:
        raise AlreadyMatched
    classing.refuse_named(session, line_id)
    if line.amount != payout.declared or line.account != payout.account:
        raise DoesNotMatch(line=rp(line.amount), deposit=rp(payout.declared))
    made = PayoutMatch(payout_id=payout_id, bank_line_id=line_id, matched_by=by.user_id, matched_at=clock.now())
    session.add(made)
    session.flush()
    audit.record(session, by, "payout.match", "payout", str(payout_id), after={"line": line_id})
    return made


def _is_used(session: Session, line_id: int) -> bool:
    used = (col(BankMatch.bank_line_id), col(PayoutMatch.bank_line_id))
    return any(session.execute(select(column).where(column == line_id)).first() for column in used)


def match_known(session: Session, operator_id: str, *, by: Principal) -> Matched:
    """Tie what only one thing can be: same account and amount, and the reference, or else the only pair within the days
    a bank takes. What two things could be waits for a person.
    """
    by.require(Role.treasurer, operator_id=operator_id)
    deposits = payouts = 0
    never = apart(session, operator_id)
    for by_reference in (True, False):
        desk = work(session, operator_id, [m.id for m in markets_of(session, operator_id)])
        used: set[int] = set()
        pairs = _sure(desk, never, by_reference=by_reference)
        for kind, market_id, number, line_id in pairs:
            if line_id in used:
                continue
            used.add(line_id)
            if kind == "payout":
                match_payout(session, number, line_id, by=by)
                payouts += 1
                continue
            try:
                banking.match(session, market_id, number, line_id, by=by)
            except CollectorMayNotDeposit:  # another treasurer will
                continue
            deposits += 1
    return Matched(deposits, payouts)


@dataclass(frozen=True)
class Loose:
    """A deposit or a payout that the bank has not shown. `kind`: deposit · payout. `day` is when money left for the bank."""

    kind: str
    market_id: str
    number: int
    reference: str
    account: str
    amount: int
    day: date


@dataclass(frozen=True)
class LooseLine:
    """A credit that nothing explains, with what it may be."""

    line: BankLine
    suggestions: list[Loose]


@dataclass(frozen=True)
class Desk:
    """What a person has to settle: credits without a reason, deposits and payouts without a credit."""

    lines: list[LooseLine]
    loose: list[Loose]


def work(session: Session, operator_id: str, market_ids: Collection[str]) -> Desk:
    """Three queries. Suggestions: the same reference or the same amount, nearest day first."""
    matched = (col(BankMatch.market_id) == col(Deposit.market_id)) & (col(BankMatch.deposit_id) == col(Deposit.id))
    zones = {m.id: m.timezone for m in markets_of(session, operator_id)}
    made = session.execute(
        select(Deposit)
        .outerjoin(BankMatch, matched)
        .where(col(Deposit.market_id).in_(set(market_ids) & set(zones)), col(BankMatch.bank_line_id).is_(None))
        .order_by(col(Deposit.deposited_at), col(Deposit.id))
        .limit(MOST)
    ).scalars()  # fmt: skip
    loose = [
        Loose("deposit", d.market_id, d.id, d.reference, d.account, d.amount,
              clock.local(d.deposited_at, zones[d.market_id]).date())
        for d in made
    ]  # fmt: skip
    paid = session.execute(
        select(Payout)
        .outerjoin(PayoutMatch, col(PayoutMatch.payout_id) == col(Payout.id))
        .where(col(Payout.operator_id) == operator_id, col(PayoutMatch.bank_line_id).is_(None), col(Payout.declared) > 0)
        .order_by(col(Payout.paid_on), col(Payout.id))
        .limit(MOST)
    ).scalars()  # fmt: skip
    loose += [Loose("payout", "", p.id or 0, p.reference, p.account, p.declared, p.paid_on) for p in paid]
    lines = session.execute(
        select(BankLine)
        .outerjoin(BankMatch, col(BankMatch.bank_line_id) == col(BankLine.id))
        .outerjoin(PayoutMatch, col(PayoutMatch.bank_line_id) == col(BankLine.id))
        .where(
            col(BankLine.operator_id) == operator_id,
            col(BankMatch.bank_line_id).is_(None),
            col(PayoutMatch.bank_line_id).is_(None),
            col(BankLine.id).not_in(classing.named_lines()),
        )
        .order_by(col(BankLine.booked_on), col(BankLine.id))
        .limit(MOST)
    ).scalars()  # fmt: skip
    return Desk([LooseLine(line, _suggest(line, loose)) for line in lines], loose)


def narrowed(desk: Desk) -> Desk:
    """The desk of who works only for some markets: their deposits, and credits that may be one of them."""
    lines = [
        LooseLine(x.line, own)
        for x in desk.lines
        if (own := [s for s in x.suggestions if s.kind == "deposit" and s.amount == x.line.amount])
    ]
    return Desk(lines, [x for x in desk.loose if x.kind == "deposit"])


def _suggest(line: BankLine, loose: list[Loose]) -> list[Loose]:
    fits = [x for x in loose if x.account == line.account and (x.amount == line.amount or _names(line, x))]
    return sorted(fits, key=lambda x: (not _names(line, x), x.amount != line.amount, abs(line.booked_on - x.day)))[:3]


def _names(line: BankLine, x: Loose) -> bool:
    """The bank's reference is ours, or its text holds ours (of six signs at least: `12` stands in many a text)."""
    wanted = x.reference.upper()
    return line.reference.upper() == wanted or (len(wanted) >= 6 and wanted in line.description.upper())


def _sure(desk: Desk, never: set[tuple[str, str, int, int]], *, by_reference: bool) -> list[tuple[str, str, int, int]]:
    """Pairs that have no rival on either side; what a person took apart is neither a pair nor a rival."""
    pairs = [
        (x, line.line)
        for line in desk.lines
        for x in line.suggestions
        if x.amount == line.line.amount
        and (x.kind, x.market_id, x.number, line.line.id or 0) not in never
        and (_names(line.line, x) if by_reference else x.day <= line.line.booked_on <= x.day + WINDOW)
    ]
    sides = [(x.kind, x.market_id, x.number) for x, _ in pairs], [line.id for _, line in pairs]
    return [
        (x.kind, x.market_id, x.number, line.id or 0)
        for x, line in pairs
        if sides[0].count((x.kind, x.market_id, x.number)) == 1 and sides[1].count(line.id) == 1
    ]


@dataclass(frozen=True)
class Gap:
    """One difference between receipts, hand-overs and the bank, with its age in days and who owes the next step.

    `kind`: not_handed · at_counter · not_verified · short · not_deposited · late_deposit · not_in_bank · debit · returned. The last two are
    the operator's account: no market, session or collector.
    """

    kind: str
    market_id: str
    session_code: str
    business_day: date
    who: str
    amount: int
    owner: str
    age: int
    deposit_id: int | None = None


@dataclass(frozen=True)
class ThreeWay:
    """Sums of a period's rounds, rupiah, and every difference; receipts − in_bank = the sum of what is on its way."""

    receipts: int
    handed: int
    received: int
    deposited: int
    in_bank: int
    gaps: list[Gap]


def three_way(session: Session, markets: Collection[Market], first: date, last: date) -> ThreeWay:
    """Vendors' receipts ↔ hand-overs of collectors and counters ↔ bank credits of the rounds in [first, last].

    A drawer that was not handed over stands with its oldest movement's day.
    """
    zones = {m.id: m.timezone for m in markets}
    # A slip that was taken back before its hand-over was never in the bag.
    taken_back = select(col(VoidRequest.receipt_number)).where(
        col(VoidRequest.market_id) == col(Slip.market_id), col(VoidRequest.receipt_number) == col(Slip.receipt_number),
        col(VoidRequest.state) == VoidState.approved, col(VoidRequest.kind) == VoidKind.void,
    )  # fmt: skip
    taken = union_all(
        select(
            col(Slip.market_id).label("market_id"), col(Slip.round_id).label("round_id"),
            col(Slip.amount).label("amount"),
        ).where(~taken_back.exists()),
        select(col(CounterItem.market_id), col(CounterItem.round_id), col(CounterItem.amount)),
    ).subquery()  # fmt: skip
    slips = (
        select(taken.c.market_id, taken.c.round_id, func.sum(taken.c.amount).label("amount"))
        .group_by(taken.c.market_id, taken.c.round_id)
        .subquery()
    )
    rows = session.execute(
        select(Round, slips.c.amount, Handover, Deposit, col(BankMatch.bank_line_id), col(UserAccount.name))
        .join(UserAccount, col(UserAccount.id) == col(Round.collector_id))
        .outerjoin(slips, (slips.c.market_id == col(Round.market_id)) & (slips.c.round_id == col(Round.id)))
        .outerjoin(
            Handover, (col(Handover.market_id) == col(Round.market_id)) & (col(Handover.round_id) == col(Round.id))
        )
        .outerjoin(
            DepositItem,
            (col(DepositItem.market_id) == col(Handover.market_id))
            & (col(DepositItem.handover_id) == col(Handover.id)),
        )
        .outerjoin(
            Deposit,
            (col(Deposit.market_id) == col(DepositItem.market_id)) & (col(Deposit.id) == col(DepositItem.deposit_id)),
        )
        .outerjoin(
            BankMatch,
            (col(BankMatch.market_id) == col(Deposit.market_id)) & (col(BankMatch.deposit_id) == col(Deposit.id)),
        )
        .where(
            col(Round.market_id).in_(set(zones)), col(Round.business_day) >= first, col(Round.business_day) <= last
        )
        .order_by(col(Round.business_day), col(Round.market_id), col(Round.id))
    ).all()  # fmt: skip
    due = _due(session, {(w.market_id, w.business_day) for w, *_ in rows})
    gaps: list[Gap] = []
    receipts = handed = counted = deposited = in_bank = 0
    for walk, slipped, handover, made, line_id, name in rows:
        amount, received = int(slipped or 0), (handover.received or 0) if handover else 0
        receipts += amount
        handed += handover.counted if handover else 0
        counted += received
        deposited += received if made else 0
        in_bank += received if line_id else 0
        zone = zones[walk.market_id]
        moment = clock.local(made.deposited_at, zone).date() if made else None
        for kind, gap, owner, since in _gaps(walk, amount, handover, moment, line_id, due):
            age = max(0, (clock.today(zone) - since).days)
            gaps.append(
                Gap(kind, walk.market_id, walk.session_code, walk.business_day, name, gap, owner, age,
                    made.id if made else None)
            )  # fmt: skip
    for drawer in drawers(session, list(zones), until=last):
        if drawer.since >= first:
            receipts += drawer.amount
        age = max(0, (clock.today(zones[drawer.market_id]) - drawer.since).days)
        gaps.append(Gap("at_counter", drawer.market_id, "", drawer.since, drawer.name, drawer.amount, "clerk", age))
    oldest_first = sorted(gaps, key=lambda g: (-g.age, g.market_id, g.kind))
    return ThreeWay(receipts, handed, counted, deposited, in_bank, oldest_first)


def _gaps(
    walk: Round, amount: int, handover: Handover | None, deposited: date | None, line_id: int | None,
    due: dict[tuple[str, date], date],
) -> list[tuple[str, int, str, date]]:  # fmt: skip
    day = walk.business_day
    if handover is None:
        return [("not_handed", amount, "collector", day)] if amount else []
    found = []
    if handover.state != HandoverState.verified:
        found.append(("not_verified", handover.counted, "market_head", day))
        return found
    received = handover.received or 0
    if received != handover.expected:
        found.append(("short", received - handover.expected, "market_head", day))
    if not received:
        return found
    limit = due[(walk.market_id, day)]
    if deposited is None:
        late = clock.today() > limit
        found.append(("late_deposit" if late else "not_deposited", received, "treasurer", day))
    else:
        if deposited > limit:
            found.append(("late_deposit", received, "treasurer", limit))
        if line_id is None:
            found.append(("not_in_bank", received, "treasurer", deposited))
    return found


@dataclass(frozen=True)
class BankSide:
    """What the bank took in a period, beside what came in and never netted from it: rupiah of fees, and what is unsettled."""

    fees: int
    gaps: list[Gap]


def bank_side(session: Session, operator_id: str, first: date, last: date) -> BankSide:
    """Fees named in [first, last]; debits that nobody named, and money the bank gave back that was not deposited again."""
    gone = classing.debits(session, operator_id, first, last)
    said = classing.words_on(session, debit_ids=[d.id for d in gone if d.id is not None])
    today = clock.today()
    fees, gaps, returned = 0, list[Gap](), list[date]()
    for debit in gone:
        word = said.get(("debit", debit.id or 0))
        if word is None:
            age = max(0, (today - debit.booked_on).days)
            gaps.append(Gap("debit", "", "", debit.booked_on, debit.reference, debit.amount, "treasurer", age))
        elif word.kind == LineKind.fee and debit.booked_on >= first:
            fees += debit.amount
        elif word.kind == LineKind.returned:
            returned.append(debit.booked_on)
    waiting = ledger.balance(session, f"@{operator_id}", "returned:bank")
    if waiting > 0:
        since = min(returned, default=first)
        age = max(0, (today - since).days)
        gaps.append(Gap("returned", "", "", since, operator_id, waiting, "treasurer", age))
    return BankSide(fees, gaps)


def late(session: Session, markets: Collection[Market], today: date) -> list[tuple[str, date, int]]:
    """Verified cash not at the bank by the end of the next working day: market, business day, rupiah (domain.md 1.4)."""
    ids = [m.id for m in markets]
    rows = session.execute(
        select(col(Handover.market_id), col(Handover.business_day), func.sum(col(Handover.received)))
        .outerjoin(
            DepositItem,
            (col(DepositItem.market_id) == col(Handover.market_id))
            & (col(DepositItem.handover_id) == col(Handover.id)),
        )
        .where(
            col(Handover.market_id).in_(ids), col(Handover.state) == HandoverState.verified,
            col(Handover.received) > 0, col(DepositItem.deposit_id).is_(None), col(Handover.business_day) < today,
        )
        .group_by(col(Handover.market_id), col(Handover.business_day))
        .order_by(col(Handover.business_day), col(Handover.market_id))
    ).all()  # fmt: skip
    due = _due(session, {(m, day) for m, day, _ in rows})
    return [(m, day, int(amount)) for m, day, amount in rows if due[(m, day)] < today]


def _due(session: Session, pairs: Collection[tuple[str, date]]) -> dict[tuple[str, date], date]:
    """The last day on which a business day's cash may reach the bank: the next working day. One query per market."""
    found: dict[tuple[str, date], date] = {}
    for market_id in sorted({m for m, _ in pairs}):
        days = sorted(d for m, d in pairs if m == market_id)
        known = calendar.days_of(session, market_id, "DAILY", days[0], days[-1] + LONGEST_HOLIDAY)
        for day in days:
            following = day + timedelta(days=1)
            while not known.working_day(following) and following < days[-1] + LONGEST_HOLIDAY:
                following += timedelta(days=1)
            found[(market_id, day)] = following
    return found


def markets_of(session: Session, operator_id: str) -> list[Market]:
    """Every market of an operator."""
    return [m for m in vendors.every_market(session) if m.operator_id == operator_id]


def operators(session: Session, by: Principal) -> dict[str, list[Market]]:
    """The markets a person may reconcile or audit, by operator."""
    found: dict[str, list[Market]] = {}
    for market in vendors.visible_markets(session, by, Role.treasurer, Role.auditor, Role.director):
        found.setdefault(market.operator_id, []).append(market)
    return found
