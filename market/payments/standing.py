"""A vendor's standing instruction: what falls due is paid from the prepaid balance, oldest first, once a day.

standing.give(session, "KRN", vendor_id, by=…) · standing.revoke(…) · standing.pay_due(session, "KRN") -> how many paid
"""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col
from sqlmodel import select as select_rows
from sqlmodel.sql.expression import SelectOfScalar

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues import service as dues
from market.dues.service import UnpaidCharge
from market.errors import Forbidden, MarketError
from market.jobs.service import Opener
from market.ledger.identity import new_id
from market.payments.attempts import place_names
from market.payments.finding import known_payer
from market.payments.models import Method, MovementKind, Payment, TitipanMovement
from market.payments.recording import Draft, Recorded, record_many
from market.payments.refund_models import TitipanConsent
from market.vendors import service as vendors

TOGETHER = 200  # vendors in one transaction


def consent_of(session: Session, market_id: str, vendor_id: int) -> TitipanConsent | None:
    """The instruction that stands now."""
    found: TitipanConsent | None = session.execute(
        _standing(market_id).where(col(TitipanConsent.vendor_id) == vendor_id)
    ).scalar_one_or_none()
    return found


def give(session: Session, market_id: str, vendor_id: int, *, by: Principal) -> TitipanConsent:
    """Record the instruction; twice is once. By the vendor, or by a clerk whom the vendor told. Raises PayerUnknown."""
    user = _may(market_id, vendor_id, by)
    known_payer(session, market_id, vendor_id)
    if (known := consent_of(session, market_id, vendor_id)) is not None:
        return known
    row = TitipanConsent(market_id=market_id, id=new_id(), vendor_id=vendor_id, given_at=clock.now(), given_by=user)
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:  # the same press, twice at once
        if (first := consent_of(session, market_id, vendor_id)) is None:
            raise
        return first
    audit.record(
        session, by, "titipan.consent", "vendor", str(vendor_id), market_id=market_id, after={"standing": True}
    )
    return row


def revoke(session: Session, market_id: str, vendor_id: int, *, by: Principal) -> None:
    """End it: from now on nothing is paid from the balance. Where none stands, nothing happens."""
    user = _may(market_id, vendor_id, by)
    row = consent_of(session, market_id, vendor_id)
    if row is not None:
        row.revoked_at, row.revoked_by = clock.now(), user
        session.flush()
        after = {"standing": False}
        audit.record(session, by, "titipan.consent", "vendor", str(vendor_id), market_id=market_id, after=after)


def balances(session: Session, market_id: str) -> dict[int, int]:
    """Vendors with a balance or an instruction, and the rupiah the market holds for each, as its movements tell."""
    rows = session.execute(
        select(col(TitipanMovement.vendor_id), func.sum(TitipanMovement.amount))
        .where(col(TitipanMovement.market_id) == market_id)
        .group_by(col(TitipanMovement.vendor_id))
    ).all()
    held = {int(vendor): int(amount) for vendor, amount in rows if amount}
    return dict.fromkeys(consents(session, market_id), 0) | held


def consents(session: Session, market_id: str) -> list[int]:
    """Vendors whose instruction stands."""
    return [row.vendor_id for row in session.execute(_standing(market_id)).scalars()]


def pay_due(session: Session, market_id: str) -> list[Recorded]:
    """Pay what is due of the vendors who said so, each at most once a business day; again the same day changes nothing."""
    return [row for part in _parts(_wanting(session, market_id)) for row in pay_some(session, market_id, part)]


def pay_everywhere(open_session: Opener) -> int:
    """`pay_due` in every market where somebody has an instruction; how many were paid. A transaction for each few hundred:
    who pays at the counter meanwhile waits for its receipt number no longer than for a round of slips.
    """
    with open_session() as session:
        codes = session.execute(
            select(col(TitipanConsent.market_id)).where(col(TitipanConsent.revoked_at).is_(None)).distinct()
        ).scalars()
        parts = [(code, part) for code in sorted(codes) for part in _parts(_wanting(session, code))]
    paid = 0
    for code, part in parts:
        with open_session() as session:
            paid += len(pay_some(session, code, part))
    return paid


def pay_some(session: Session, market_id: str, vendor_ids: Sequence[int]) -> list[Recorded]:
    """These vendors' due charges from their balances, in a handful of statements; who was paid today, or has said no, is left."""
    openings, market = vendors.sessions_of(session, market_id), vendors.get_market(session, market_id)
    day = vendors.business_day(session, market_id, openings[0].code)
    asked = set(vendor_ids) & set(consents(session, market_id)) - _paid_on(session, market_id, vendor_ids, day)
    held, owed = balances(session, market_id), _owed(session, market_id, asked, day)
    drafts = []
    for vendor in sorted(asked):
        lines = owed.get(vendor, [])
        amount = min(held.get(vendor, 0), sum(line.remaining for line in lines))
        if amount < 1:
            continue
        parts = dues.apportion(amount, lines).parts
        touched = {part.key for part in parts}
        drafts.append(
            Draft(
                market_id=market_id, method=Method.TITIPAN, provider="titipan", provider_reference=_reference(vendor, day),
                account=f"titipan:{vendor}", vendor_id=vendor, amount=amount, parts=parts, credit=0,
                session_code=lines[0].session_code, business_day=day, paid_at=clock.now(), timezone=market.timezone,
                place=place_names([line for line in lines if line.key in touched]),
            )
        )  # fmt: skip
    try:
        return _spend(session, drafts)
    except MarketError:  # a balance was spent in this moment: whose it was is left for tomorrow, the others are paid
        return [row for draft in drafts for row in _alone(session, draft)]


def _wanting(session: Session, market_id: str) -> list[int]:
    held = balances(session, market_id)
    return [vendor for vendor in consents(session, market_id) if held.get(vendor, 0) > 0]


def _parts(vendor_ids: list[int]) -> list[list[int]]:
    return [vendor_ids[at : at + TOGETHER] for at in range(0, len(vendor_ids), TOGETHER)]


def _owed(session: Session, market_id: str, vendor_ids: Collection[int], day: date) -> dict[int, list[UnpaidCharge]]:
    """What is due of each, oldest first, locked."""
    found: dict[int, list[UnpaidCharge]] = {}
    for line in dues.unpaid(session, market_id, vendor_ids=vendor_ids, until=day, lock=True):
        found.setdefault(line.vendor_id, []).append(line)
    return found


def _spend(session: Session, drafts: Sequence[Draft]) -> list[Recorded]:
    with session.begin_nested():
        rows = record_many(session, drafts)
        session.add_all(
            TitipanMovement(
                market_id=draft.market_id, id=new_id(), vendor_id=draft.vendor_id, kind=MovementKind.SPEND,
                amount=-draft.amount, payment_id=row.payment_id, transaction_id=row.transaction_id, at=clock.now(),
                note=row.number,
            )
            for draft, row in zip(drafts, rows, strict=True)
        )  # fmt: skip
        session.flush()
    return rows


def _alone(session: Session, draft: Draft) -> list[Recorded]:
    """One vendor's payment; where another payment was faster, none."""
    try:
        return _spend(session, [draft])
    except MarketError:
        return []


def _paid_on(session: Session, market_id: str, vendor_ids: Sequence[int], day: date) -> set[int]:
    references = [_reference(vendor, day) for vendor in vendor_ids]
    return set(
        session.execute(
            select(col(Payment.vendor_id)).where(
                col(Payment.market_id) == market_id,
                col(Payment.provider) == "titipan",
                col(Payment.provider_reference).in_(references),
            )
        ).scalars()
    )


def _reference(vendor_id: int, day: date) -> str:
    return f"titipan:{vendor_id}:{day}"


def _standing(market_id: str) -> SelectOfScalar[TitipanConsent]:
    return select_rows(TitipanConsent).where(
        col(TitipanConsent.market_id) == market_id, col(TitipanConsent.revoked_at).is_(None)
    )


def _may(market_id: str, vendor_id: int, by: Principal) -> int:
    if by.user_id is None:
        raise Forbidden
    if by.vendor_id != vendor_id:
        by.require(Role.clerk, market_id=market_id)
    return by.user_id
