"""Interest rules: dated, per operator; one that begins in the past waits for a second director. Rules of a whole regime, where the city keeps any, count until an operator has its own."""

from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues.late_models import Decision, InterestRule
from market.dues.models import InterestPolicy
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors.models import Market
from market.words import N_, say

Policy = InterestPolicy | InterestRule


class PolicyOverlaps(Conflict):
    message = N_("Sudah ada aturan bunga yang mulai pada hari itu atau sesudahnya.")


class BadPolicy(Invalid):
    message = N_("Isi persen per bulan (0 sampai 10), paling lama 0 sampai 60 bulan, dan dasar hukumnya.")


class NoSuchRule(NotFound):
    message = N_("Aturan bunga ini tidak ada.")


class RuleDecided(Conflict):
    message = N_("Aturan bunga ini sudah diputuskan.")


class OwnRule(Forbidden):
    message = N_("Aturan ini Anda sendiri yang mengusulkan. Direksi lain yang menyetujuinya.")


def add_interest_rule(
    session: Session,
    market: Market,
    *,
    valid_from: date,
    pct_e2_per_month: int,
    max_months: int,
    due_days: int,
    legal_basis: str,
    by: Principal,
    needs_reminder: bool = True,
    confirmed: bool = True,
) -> InterestRule:
    """A dated rule for the levies (or fees) of the market's operator; the one before ends where it begins.

    Percent × 100 per month. From today on it is in force at once; one dated before today is a proposal that another
    director approves, because it charges months gone by. Raises BadPolicy, PolicyOverlaps.
    """
    by.require(Role.director, operator_id=market.operator_id)
    basis = legal_basis.strip()
    if not (0 <= pct_e2_per_month <= 1000 and 0 <= max_months <= 60 and 0 <= due_days <= 90 and basis):
        raise BadPolicy
    if any(row.valid_from >= valid_from for row in own_rules(session, market) if row.state != Decision.REFUSED):
        raise PolicyOverlaps(fields={"valid_from": say(PolicyOverlaps.message)})
    at_once = by.is_system or valid_from >= clock.today(market.timezone)
    made = InterestRule(
        operator_id=market.operator_id,
        id=ledger.take_numbers(session, f"@{market.operator_id}", "interest-rule", 1)[0],
        regime=str(market.fee_regime), valid_from=valid_from, pct_e2_per_month=pct_e2_per_month, max_months=max_months,
        due_days=due_days, needs_reminder=needs_reminder, legal_basis=basis[:200], confirmed=confirmed,
        state=Decision.APPROVED if at_once else Decision.PROPOSED, created_by=by.user_id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    if at_once:
        _begin(session, market, made)
    _record(session, by, "interest.rule" if at_once else "interest.propose", market, made)
    return made


def decide_interest_rule(
    session: Session, market: Market, number: int, *, approve: bool, by: Principal
) -> InterestRule:
    """A second director's word on a rule that begins in the past. Raises NoSuchRule, RuleDecided, OwnRule."""
    by.require(Role.director, operator_id=market.operator_id)
    row = session.get(InterestRule, (market.operator_id, number), with_for_update=True, populate_existing=True)
    if row is None or row.regime != market.fee_regime:
        raise NoSuchRule
    if row.state != Decision.PROPOSED:
        raise RuleDecided
    if approve and by.user_id is not None and by.user_id == row.created_by:
        raise OwnRule
    row.state, row.decided_by = Decision.APPROVED if approve else Decision.REFUSED, by.user_id
    session.flush()
    if approve:
        _begin(session, market, row)
    _record(session, by, "interest.approve" if approve else "interest.refuse", market, row)
    return row


def own_rules(session: Session, market: Market) -> list[InterestRule]:
    """Rules of the market's operator for its regime, proposed and refused ones too, in the order of their days."""
    query = select(InterestRule).where(
        col(InterestRule.operator_id) == market.operator_id, col(InterestRule.regime) == str(market.fee_regime)
    )
    return list(session.execute(query.order_by(col(InterestRule.valid_from), col(InterestRule.id))).scalars())


def policies(session: Session, market: Market) -> list[Policy]:
    """Rules in force for a market in the order of their days, its operator's own before the regime's. Often none."""
    own = [row for row in own_rules(session, market) if row.state == Decision.APPROVED]
    query = select(InterestPolicy).where(col(InterestPolicy.regime) == str(market.fee_regime))
    wide = session.execute(query.order_by(col(InterestPolicy.valid_from))).scalars()
    return [*own, *wide]


def policy_on(rules: Iterable[Policy], start: date) -> Policy | None:
    """The rule in force on the day a line that began on `start` falls due."""
    for rule in rules:
        due = start + timedelta(days=rule.due_days)
        if rule.valid_from <= due and (rule.valid_until is None or due < rule.valid_until):
            return rule
    return None


def _begin(session: Session, market: Market, made: InterestRule) -> None:
    """The rule before ends where this one begins, and this one where one decided meanwhile begins."""
    others = [row for row in own_rules(session, market) if row.id != made.id and row.state == Decision.APPROVED]
    for row in others:
        if row.valid_from < made.valid_from and (row.valid_until is None or row.valid_until > made.valid_from):
            row.valid_until = made.valid_from
    made.valid_until = min((row.valid_from for row in others if row.valid_from > made.valid_from), default=None)
    session.flush()


def _record(session: Session, by: Principal, act: str, market: Market, row: InterestRule) -> None:
    audit.record(
        session, by, act, "interest_rule", f"{row.operator_id}:{row.id}", market_id=market.id,
        after={
            "regime": row.regime, "from": row.valid_from, "pct_e2_per_month": row.pct_e2_per_month,
            "max_months": row.max_months, "due_days": row.due_days, "basis": row.legal_basis, "state": str(row.state),
        },
    )  # fmt: skip
