"""Letters about lateness: who is due one, who asked for it and who issued it, when it was received, and what it interrupts.

A letter gets its number (gap-free per market and year) when a second person issues it. The next one is due so many days
after this one was received. A letter whose lines are settled ends its row of letters; the next debt begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, FromClause, and_, func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import SYSTEM, Principal, Role
from market.dues.charges import OPEN, charge, unpaid
from market.dues.documents import LEVY
from market.dues.instalments import held_lines
from market.dues.interest_rules import Policy, policies, policy_on
from market.dues.late_models import Acknowledgement, Decision, InstalmentPlan, Letter, LetterKind, LetterLine, PlanLine
from market.dues.lateness import ONE, expires_on, paused_days
from market.dues.letter_rules import WARNINGS, LetterRule, letter_rules
from market.dues.models import ChargeKey
from market.dues.pauses import Days, pauses, touching
from market.dues.sources import permit
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.jobs.service import send
from market.ledger import service as ledger
from market.vendors import permit_life, warned
from market.vendors import service as vendors
from market.vendors.models import Market, PermitStatus, Vendor
from market.words import N_

letter = Letter.__table__  # type: ignore[attr-defined]
named = LetterLine.__table__  # type: ignore[attr-defined]
vendor = Vendor.__table__  # type: ignore[attr-defined]


class NoLetterDue(Conflict):
    message = N_("Belum waktunya menulis surat kepada pedagang ini.")


class NoSuchLetter(NotFound):
    message = N_("Surat ini tidak ada.")


class LetterDecided(Conflict):
    message = N_("Surat ini sudah diputuskan.")


class OwnLetter(Forbidden):
    message = N_("Surat ini Anda sendiri yang mengusulkan. Orang kedua yang menerbitkannya.")


class BadReceiptDay(Invalid):
    message = N_("Tanggal terima tidak sebelum surat terbit dan tidak sesudah hari ini, dan hanya sekali dicatat.")


class BadAcknowledgement(Invalid):
    message = N_("Isi hari yang sudah lewat dan cara pedagang mengakui utangnya.")


@dataclass(frozen=True)
class DueLetter:
    """Somebody who is due a letter: which, since when they are late, and how much, in rupiah."""

    vendor_id: int
    vendor_name: str
    rule: LetterRule
    oldest: date
    days: int
    amount: int


@dataclass(frozen=True)
class Late:
    """A vendor's late lines: sum, first due day, and the days that count."""

    oldest: date
    days: int
    amount: int
    lines: Sequence[tuple[ChargeKey, int]]


def number_of(row: Letter) -> str:
    """*0007/SP1/KRN/2026*; empty until it is issued."""
    return f"{row.number:04d}/{row.kind}/{row.market_id}/{row.year}" if row.number else ""


def due_letters(session: Session, market: Market) -> list[DueLetter]:
    """Vendors to whom a letter is due today, the longest late first. A handful of queries, whatever their number."""
    today = clock.today(market.timezone)
    rules = letter_rules(session, market, today)
    stops = pauses(session, market.id)
    planned = {key.permit_id for key in held_lines(session, market.id)}
    standing = _standing(session, market.id)
    rows = session.execute(
        select(vendor.c.id, vendor.c.name, func.min(charge.c.period_start), func.sum(_LEFT))
        .select_from(_owed())
        .where(charge.c.market_id == market.id, OPEN, charge.c.period_start < today)
        .group_by(vendor.c.id, vendor.c.name)
        .having(func.sum(_LEFT) > 0)
    )
    with_plan = _vendors_of(session, market.id, planned)
    interest = policies(session, market)
    found = []
    for vendor_id, name, first, amount in rows:
        oldest, owed = _due(interest, first), int(amount)
        days = _days(oldest, today, touching(stops, vendor_id))
        if vendor_id in with_plan:
            late = late_of(session, market, vendor_id)
            oldest, days, owed = (late.oldest, late.days, late.amount) if late else (oldest, 0, 0)
        rule = _next(rules, standing.get(vendor_id), days, today) if owed > 0 else None
        if rule is not None:
            found.append(DueLetter(vendor_id, name, rule, oldest, days, owed))
    return sorted(found, key=lambda d: (-d.days, d.vendor_name, d.vendor_id))


def late_of(session: Session, market: Market, vendor_id: int) -> Late | None:
    """What is late of one vendor today: not what a kept plan holds, and no paused day counted. None where nothing is."""
    today = clock.today(market.timezone)
    held = held_lines(session, market.id, vendor_id=vendor_id)
    days = touching(pauses(session, market.id, vendor_id=vendor_id), vendor_id)
    interest = policies(session, market)
    owed = unpaid(session, market.id, vendor_id=vendor_id, until=today - timedelta(days=1))
    lines = [
        (c.key, c.remaining) for c in owed if c.key not in held and _days(_due(interest, c.due_on), today, days) > 0
    ]
    amount = sum(left for _, left in lines)
    if amount <= 0:
        return None
    oldest = _due(interest, lines[0][0].period_start)
    return Late(oldest, _days(oldest, today, days), amount, lines)


def propose_letter(session: Session, market_id: str, vendor_id: int, *, by: Principal) -> Letter:
    """Write the letter that is due to a vendor; it is sent and counts once a second person issues it. Raises NoLetterDue."""
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    market = vendors.get_market(session, market_id)
    late = late_of(session, market, vendor_id)
    rule = due_rule(session, market, vendor_id, late)
    if late is None or rule is None:
        raise NoLetterDue
    row = Letter(
        market_id=market.id, id=ledger.take_numbers(session, market.id, "letter", 1)[0], kind=rule.kind,
        vendor_id=vendor_id, amount=late.amount, oldest=late.oldest, answer_days=rule.answer_days,
        legal_basis=rule.legal_basis, created_by=by.user_id,
    )  # fmt: skip
    session.add(row)
    session.add_all(LetterLine(**key._asdict(), letter_id=row.id, amount=left) for key, left in late.lines)
    session.flush()
    _record(session, by, "letter.propose", row)
    return row


def due_rule(session: Session, market: Market, vendor_id: int, late: Late | None) -> LetterRule | None:
    """The letter that may be written to a vendor today; None where none may."""
    if late is None:
        return None
    today = clock.today(market.timezone)
    standing = _standing(session, market.id, vendor_id).get(vendor_id)
    return _next(letter_rules(session, market, today), standing, late.days, today)


def decide_letter(session: Session, market_id: str, letter_id: int, *, approve: bool, by: Principal) -> Letter:
    """Issue a proposed letter with its number, or refuse it. Raises NoSuchLetter, LetterDecided, OwnLetter."""
    by.require(Role.market_head, Role.director, market_id=market_id)
    market = vendors.get_market(session, market_id)
    row = _locked(session, market.id, letter_id)
    if row.state != Decision.PROPOSED:
        raise LetterDecided
    if approve and by.user_id is not None and by.user_id == row.created_by:
        raise OwnLetter
    row.decided_by = by.user_id
    if approve:
        today = clock.today(market.timezone)
        row.issued_on, row.answer_by, row.year = today, today + timedelta(days=row.answer_days), today.year
        row.number = ledger.next_number(session, market.id, f"letter-{today.year}")
    row.state = Decision.APPROVED if approve else Decision.REFUSED
    session.flush()
    _record(session, by, "letter.issue" if approve else "letter.refuse", row)
    if approve:
        if row.kind in WARNINGS:
            warned.mark(session, market.id, _permits(session, row), PermitStatus(row.kind))
        args = {"market": market.id, "letter": row.id}
        send(session, f"vendor:{row.vendor_id}", "letter_issued", args, key=f"letter:{market.id}:{row.id}")
    return row


def receive_letter(session: Session, market_id: str, letter_id: int, day: date, *, by: Principal) -> Letter:
    """Note when the vendor received it: the answer and the expiry count from there. Raises NoSuchLetter, BadReceiptDay."""
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    market = vendors.get_market(session, market_id)
    row = _locked(session, market.id, letter_id)
    if row.issued_on is None or row.received_on is not None or not row.issued_on <= day <= clock.today(market.timezone):
        raise BadReceiptDay
    row.received_on, row.answer_by = day, day + timedelta(days=row.answer_days)
    session.flush()
    _record(session, by, "letter.receive", row)
    return row


def acknowledge(
    session: Session, market_id: str, vendor_id: int, day: date, *, note: str, by: Principal
) -> Acknowledgement:
    """A vendor acknowledged the debt (or objected) on a day: the expiry begins again. Raises BadAcknowledgement."""
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    market = vendors.get_market(session, market_id)
    if day > clock.today(market.timezone) or len(note.strip()) < 3:
        raise BadAcknowledgement
    row = Acknowledgement(
        market_id=market.id, id=ledger.take_numbers(session, market.id, "acknowledgement", 1)[0], vendor_id=vendor_id,
        day=day, note=note.strip()[:300], created_by=by.user_id,
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(
        session, by, "debt.acknowledge", "acknowledgement", str(row.id), market_id=market.id,
        after={"vendor": vendor_id, "day": day},
    )  # fmt: skip
    return row


def letters(
    session: Session,
    market_id: str,
    *,
    vendor_id: int | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[Letter]:
    """Letters of a market, or of one vendor there; the latest first, below number `before`."""
    query = select(Letter).where(col(Letter.market_id) == market_id)
    if vendor_id is not None:
        query = query.where(col(Letter.vendor_id) == vendor_id)
    if before is not None:
        query = query.where(col(Letter.id) < before)
    return list(session.execute(query.order_by(col(Letter.id).desc()).limit(limit)).scalars())


def lines_of_letter(session: Session, row: Letter) -> list[LetterLine]:
    """What a letter names, oldest first."""
    query = select(LetterLine).where(col(LetterLine.market_id) == row.market_id, col(LetterLine.letter_id) == row.id)
    order = (col(LetterLine.period_start), col(LetterLine.charge_type), col(LetterLine.permit_id))
    return list(session.execute(query.order_by(*order)).scalars())


def first_expiry(session: Session, market: Market, vendor_id: int) -> tuple[date, date] | None:
    """Of a levy vendor's unpaid lines the one that expires first: (its due day, the day the claim lives until)."""
    if market.fee_regime != LEVY:
        return None
    owed = [c for c in unpaid(session, market.id, vendor_id=vendor_id) if c.remaining > 0]
    if not owed:
        return None
    interest = policies(session, market)
    acknowledged = session.execute(
        select(col(Acknowledgement.day)).where(
            col(Acknowledgement.market_id) == market.id, col(Acknowledgement.vendor_id) == vendor_id
        )
    ).scalars()
    days = list(acknowledged)
    by_line = _interruptions(session, market.id, vendor_id)
    dated = [(_due(interest, c.due_on), c.key) for c in owed]
    return min(((due, expires_on(due, days + by_line.get(key, []))) for due, key in dated), key=lambda d: d[1])


def clear_warnings(session: Session) -> None:
    """A permit shows its warning no more once what the letter named is settled, or held by a kept plan. Catch-up."""
    for market in vendors.visible_markets(session, SYSTEM):
        rows = session.execute(
            select(named.c.permit_id, named.c.charge_type, named.c.period_start, named.c.revision, OPEN)
            .select_from(
                named.join(letter, and_(letter.c.market_id == named.c.market_id, letter.c.id == named.c.letter_id))
                .join(permit, and_(permit.c.market_id == named.c.market_id, permit.c.id == named.c.permit_id))
                .join(charge, _same_key())
            )
            .where(
                named.c.market_id == market.id, letter.c.state == Decision.APPROVED,
                permit.c.status.in_([str(s) for s in warned.WARNED]),
            )
        ).all()  # fmt: skip
        held = held_lines(session, market.id) if rows else set()
        seen = {row[0] for row in rows}
        late = {row[0] for row in rows if row[4] and ChargeKey(market.id, row[0], row[1], row[2], row[3]) not in held}
        over = [n for n in sorted(seen - late) if permit_life.revocation(session, market.id, n) is None]
        if over:
            warned.mark(session, market.id, over, PermitStatus.ACTIVE)
            audit.record(
                session,
                SYSTEM,
                "letter.settled",
                "market",
                market.id,
                market_id=market.id,
                after={"permits": over[:50]},
            )


# -- what is late -------------------------------------------------------------------------------------------------

_LEFT = charge.c.gross - charge.c.relieved - charge.c.settled


def _owed() -> FromClause:
    holder = and_(permit.c.market_id == charge.c.market_id, permit.c.id == charge.c.permit_id)
    joined: FromClause = charge.join(permit, holder).join(vendor, vendor.c.id == permit.c.vendor_id)
    return joined


def _same_key() -> ColumnElement[bool]:
    keys = ("market_id", "permit_id", "charge_type", "period_start", "revision")
    return and_(*(named.c[key] == charge.c[key] for key in keys))


def _due(interest: Sequence[Policy], start: date) -> date:
    rule = policy_on(interest, start)
    return start + timedelta(days=rule.due_days if rule else 0)


def _days(due: date, today: date, stops: list[Days]) -> int:
    return max(0, (today - due).days - paused_days(due + ONE, today + ONE, stops)) if due < today else 0


def _next(rules: list[LetterRule], last: Letter | None, days: int, today: date) -> LetterRule | None:
    """The letter that follows the last one standing; None while one waits, was not received, or the time has not come."""
    if last is None:
        return rules[0] if days > 0 and days >= rules[0].after_days else None
    if last.state == Decision.PROPOSED or last.received_on is None:
        return None
    kinds = [rule.kind for rule in rules]
    place = kinds.index(last.kind) + 1 if last.kind in kinds else len(rules)
    if place >= len(rules) or days <= 0 or today < last.received_on + timedelta(days=rules[place].after_days):
        return None
    return rules[place]


def _standing(session: Session, market_id: str, vendor_id: int | None = None) -> dict[int, Letter]:
    """The latest letter of each vendor that is proposed, or issued with something still unpaid of what it named."""
    still = select(named.c.amount).select_from(named.join(charge, _same_key())).where(
        named.c.market_id == letter.c.market_id, named.c.letter_id == letter.c.id, OPEN
    )  # fmt: skip
    query = select(Letter).where(
        letter.c.market_id == market_id,
        (letter.c.state == Decision.PROPOSED) | ((letter.c.state == Decision.APPROVED) & still.exists()),
    )
    if vendor_id is not None:
        query = query.where(letter.c.vendor_id == vendor_id)
    return {row.vendor_id: row for row in session.execute(query.order_by(letter.c.id)).scalars()}


def _vendors_of(session: Session, market_id: str, permits: set[int]) -> set[int]:
    if not permits:
        return set()
    query = select(permit.c.vendor_id).where(permit.c.market_id == market_id, permit.c.id.in_(permits))
    return set(session.execute(query).scalars())


def _interruptions(session: Session, market_id: str, vendor_id: int) -> dict[ChargeKey, list[date]]:
    """Per line: when a formal reminder that names it was received, and when instalments were asked for."""
    plan, held = InstalmentPlan.__table__, PlanLine.__table__  # type: ignore[attr-defined]
    told = select(LetterLine, letter.c.received_on).join(
        letter, and_(letter.c.market_id == named.c.market_id, letter.c.id == named.c.letter_id)
    )
    told = told.where(
        letter.c.market_id == market_id, letter.c.vendor_id == vendor_id, letter.c.kind == LetterKind.TEGURAN,
        letter.c.received_on.is_not(None),
    )  # fmt: skip
    asked = select(PlanLine, plan.c.asked_on).join(
        plan, and_(plan.c.market_id == held.c.market_id, plan.c.id == held.c.plan_id)
    )
    asked = asked.where(plan.c.market_id == market_id, plan.c.vendor_id == vendor_id)
    found: dict[ChargeKey, list[date]] = {}
    for query in (told, asked):
        for row, day in session.execute(query):
            found.setdefault(row.key, []).append(day)
    return found


def _permits(session: Session, row: Letter) -> set[int]:
    return {line.permit_id for line in lines_of_letter(session, row)}


def _locked(session: Session, market_id: str, letter_id: int) -> Letter:
    row = session.get(Letter, (market_id, letter_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NoSuchLetter
    return row


def _record(session: Session, by: Principal, act: str, row: Letter) -> None:
    audit.record(
        session, by, act, "letter", str(row.id), market_id=row.market_id,
        after={"kind": str(row.kind), "vendor": row.vendor_id, "amount": row.amount, "number": number_of(row)},
    )  # fmt: skip
