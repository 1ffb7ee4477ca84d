"""Instalment agreements: arrears paid in dated parts. What a kept plan holds is not late; a broken one holds nothing back.

A plan names the lines it was made for. Payments reach them as any payment does (apportion, oldest first); how much of a
plan is paid is read from its lines, so nothing is counted twice.
"""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import SYSTEM, Principal, Role
from market.dues.charges import UnpaidCharge, charge, unpaid
from market.dues.late_models import Instalment, InstalmentPlan, PlanLine, PlanState
from market.dues.models import ChargeKey
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.jobs.service import send
from market.ledger import service as ledger
from market.money import rp
from market.vendors import service as vendors
from market.words import N_

MOST_PARTS = 36
REMIND_DAYS = 3
line = PlanLine.__table__  # type: ignore[attr-defined]


class NoArrears(Invalid):
    message = N_("Pedagang ini tidak punya tunggakan.")


class PlanDoesNotAddUp(Invalid):
    message = N_("Jumlah angsuran {sum} harus sama dengan tunggakan {arrears}.")


class BadPlanDates(Invalid):
    message = N_("Tanggal angsuran harus berurutan, mulai hari ini atau sesudahnya, paling banyak {most} kali.")


class PlanOpen(Conflict):
    message = N_("Pedagang ini sudah punya perjanjian angsuran yang berjalan atau menunggu persetujuan.")


class NoSuchPlan(NotFound):
    message = N_("Perjanjian angsuran ini tidak ada.")


class PlanDecided(Conflict):
    message = N_("Perjanjian ini sudah diputuskan.")


class OwnPlan(Forbidden):
    message = N_("Perjanjian ini Anda sendiri yang menyusun. Orang kedua yang menyetujuinya.")


@dataclass(frozen=True)
class PlanView:
    """A plan as it stands on a day. Amounts in rupiah; `expected` is the sum of the parts whose day has passed."""

    plan: InstalmentPlan
    parts: list[Instalment]
    paid: int
    expected: int

    @property
    def left(self) -> int:
        return self.plan.amount - self.paid

    @property
    def kept(self) -> bool:
        """Whether its lines are not late."""
        return self.plan.state == PlanState.AGREED and self.paid >= self.expected

    @property
    def rows(self) -> list[tuple[Instalment, int]]:
        """Each part with what is still missing of it, the money taken in the order of the parts."""
        found, in_hand = [], self.paid
        for part in self.parts:
            covered = min(max(in_hand, 0), part.amount)
            found.append((part, part.amount - covered))
            in_hand -= covered
        return found

    @property
    def next(self) -> tuple[Instalment, int] | None:
        """The first part with something missing, and how much."""
        return next(((part, missing) for part, missing in self.rows if missing), None)


def even_parts(amount: int, n: int, first: date) -> list[tuple[date, int]]:
    """`amount` in `n` monthly parts of whole rupiah; what does not divide goes into the first. Dates keep their day."""
    each, rest = divmod(amount, n)
    return [(_months_after(first, k), each + (rest if k == 0 else 0)) for k in range(n)]


def agree_instalments(
    session: Session,
    market_id: str,
    vendor_id: int,
    parts: Sequence[tuple[date, int]],
    *,
    reason: str,
    by: Principal,
) -> InstalmentPlan:
    """Draft a plan over everything the vendor owes from before today; another person agrees to it (decide_instalments).

    `parts` are (day, rupiah) whose sum is the arrears. The system's own act is agreed at once.
    Raises NoArrears, PlanDoesNotAddUp, BadPlanDates, PlanOpen.
    """
    by.require(Role.clerk, Role.market_head, market_id=market_id)
    market = vendors.get_market(session, market_id)
    today = clock.today(market.timezone)
    owed = arrears_of(session, market.id, vendor_id, today)
    amount = sum(c.remaining for c in owed)
    if amount <= 0:
        raise NoArrears
    days = [day for day, _ in parts]
    if not parts or len(parts) > MOST_PARTS or days[0] < today or days != sorted(set(days)):
        raise BadPlanDates(most=MOST_PARTS)
    if any(part <= 0 for _, part in parts) or sum(part for _, part in parts) != amount:
        raise PlanDoesNotAddUp(sum=rp(sum(part for _, part in parts)), arrears=rp(amount))
    agreed = PlanState.AGREED if by.is_system else PlanState.PROPOSED
    plan = InstalmentPlan(
        market_id=market.id, id=ledger.take_numbers(session, market.id, "instalment-plan", 1)[0], vendor_id=vendor_id,
        amount=amount, state=agreed, asked_on=today, reason=reason.strip()[:300], created_by=by.user_id,
        decided_on=today if by.is_system else None,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(plan)
            session.flush()
    except IntegrityError as error:
        raise PlanOpen from error
    session.add_all(
        Instalment(market_id=market.id, plan_id=plan.id, n=n, due_on=day, amount=part)
        for n, (day, part) in enumerate(parts, 1)
    )
    session.add_all(PlanLine(**c.key._asdict(), plan_id=plan.id, amount=c.remaining) for c in owed)
    session.flush()
    _record(session, by, "instalments.draft", plan)
    return plan


def decide_instalments(
    session: Session, market_id: str, plan_id: int, *, approve: bool, by: Principal
) -> InstalmentPlan:
    """Agree to a drafted plan, or refuse it. Its author may take it back, never agree. Raises NoSuchPlan, PlanDecided, OwnPlan."""
    by.require(Role.market_head, Role.director, market_id=market_id)
    plan = session.get(InstalmentPlan, (market_id, plan_id), with_for_update=True, populate_existing=True)
    if plan is None:
        raise NoSuchPlan
    if plan.state != PlanState.PROPOSED:
        raise PlanDecided
    if approve and by.user_id is not None and by.user_id == plan.created_by:
        raise OwnPlan
    plan.state = PlanState.AGREED if approve else PlanState.REFUSED
    plan.decided_by, plan.decided_on = by.user_id, clock.today(vendors.get_market(session, market_id).timezone)
    session.flush()
    _record(session, by, "instalments.agree" if approve else "instalments.refuse", plan)
    if approve:
        send(
            session, f"vendor:{plan.vendor_id}", "instalments_agreed", {"market": market_id, "plan": plan.id},
            key=f"instalments:{market_id}:{plan.id}:agreed",
        )  # fmt: skip
    return plan


def plans(
    session: Session,
    market_ids: Iterable[str],
    *,
    vendor_id: int | None = None,
    states: Iterable[PlanState] = (),
    before: int | None = None,
    limit: int | None = None,
) -> list[PlanView]:
    """Plans of these markets, the latest first (below number `before`), as they stand today. Three queries, whatever their number."""
    query = select(InstalmentPlan).where(col(InstalmentPlan.market_id).in_(list(market_ids)))
    if vendor_id is not None:
        query = query.where(col(InstalmentPlan.vendor_id) == vendor_id)
    if wanted := [str(state) for state in states]:
        query = query.where(col(InstalmentPlan.state).in_(wanted))
    if before is not None:
        query = query.where(col(InstalmentPlan.id) < before)
    rows = list(session.execute(query.order_by(col(InstalmentPlan.id).desc()).limit(limit)).scalars())
    markets, ids = {p.market_id for p in rows}, {p.id for p in rows}
    if not rows:
        return []
    parts: dict[tuple[str, int], list[Instalment]] = {}
    for part in session.execute(
        select(Instalment)
        .where(col(Instalment.market_id).in_(markets), col(Instalment.plan_id).in_(ids))
        .order_by(col(Instalment.n))
    ).scalars():
        parts.setdefault((part.market_id, part.plan_id), []).append(part)
    left = charge.c.gross - charge.c.relieved - charge.c.settled
    paid = {
        (market_id, plan_id): int(amount)
        for market_id, plan_id, amount in session.execute(
            select(line.c.market_id, line.c.plan_id, func.sum(line.c.amount - left))
            .select_from(line.join(charge, _same_key()))
            .where(line.c.market_id.in_(markets), line.c.plan_id.in_(ids))
            .group_by(line.c.market_id, line.c.plan_id)
        )
    }
    today = {m: clock.today(vendors.get_market(session, m).timezone) for m in markets}
    return [
        PlanView(
            plan=p,
            parts=parts[p.market_id, p.id],
            paid=paid[p.market_id, p.id],
            expected=sum(part.amount for part in parts[p.market_id, p.id] if part.due_on < today[p.market_id]),
        )
        for p in rows
    ]


def held_lines(session: Session, market_id: str, *, vendor_id: int | None = None) -> set[ChargeKey]:
    """Lines in a plan that is kept: not late."""
    kept = [v.plan.id for v in plans(session, [market_id], vendor_id=vendor_id, states=[PlanState.AGREED]) if v.kept]
    if not kept:
        return set()
    rows = session.execute(select(PlanLine).where(line.c.market_id == market_id, line.c.plan_id.in_(kept))).scalars()
    return {row.key for row in rows}


def review_plans(session: Session) -> None:
    """Mark what was paid off and what was broken, and remind of a part that falls due soon, once. Catch-up."""
    markets = [m.id for m in vendors.visible_markets(session, SYSTEM)]
    for view in plans(session, markets, states=[PlanState.AGREED]):
        plan = view.plan
        today = clock.today(vendors.get_market(session, plan.market_id).timezone)
        if plan.done_on is not None:
            continue
        if view.left <= 0:
            plan.done_on = today
        elif not view.kept:
            plan.state, plan.broken_on = PlanState.BROKEN, today
            _record(session, SYSTEM, "instalments.broken", plan)
        elif (soon := view.next) is not None and soon[0].due_on <= today + timedelta(days=REMIND_DAYS):
            args = {"market": plan.market_id, "plan": plan.id, "n": soon[0].n}
            key = f"instalments:{plan.market_id}:{plan.id}:{soon[0].n}"
            send(session, f"vendor:{plan.vendor_id}", "instalment_due", args, key=key)
    session.flush()


def arrears_of(session: Session, market_id: str, vendor_id: int, today: date) -> list[UnpaidCharge]:
    """What a vendor owes from before `today`, oldest first."""
    return unpaid(session, market_id, vendor_id=vendor_id, until=today - timedelta(days=1))


def _months_after(first: date, months: int) -> date:
    year, month = divmod(first.month - 1 + months, 12)
    year, month = first.year + year, month + 1
    return date(year, month, min(first.day, monthrange(year, month)[1]))


def _same_key() -> ColumnElement[bool]:
    return and_(
        *(
            line.c[name] == charge.c[name]
            for name in ("market_id", "permit_id", "charge_type", "period_start", "revision")
        )
    )


def _record(session: Session, by: Principal, act: str, plan: InstalmentPlan) -> None:
    audit.record(
        session, by, act, "instalment_plan", str(plan.id), market_id=plan.market_id,
        after={"vendor": plan.vendor_id, "amount": plan.amount, "state": str(plan.state)},
    )  # fmt: skip
