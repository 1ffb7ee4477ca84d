"""A vendor's standing instruction: what falls due is paid from the prepaid balance, oldest first, once a day.

standing.give(session, "KRN", vendor_id, by=…) · standing.revoke(…) · standing.pay_due(session, "KRN") -> how many paid
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col
from sqlmodel import select as select_rows
from sqlmodel.sql.expression import SelectOfScalar

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues import service as dues
from market.errors import Forbidden, MarketError
from market.ledger.identity import new_id
from market.payments.attempts import place_names
from market.payments.finding import known_payer
from market.payments.models import Method, MovementKind, Payment, TitipanMovement
from market.payments.recording import Draft, Recorded, record_many
from market.payments.refund_models import TitipanConsent
from market.vendors import service as vendors


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
    held = balances(session, market_id)
    wanting = [vendor for vendor in consents(session, market_id) if held.get(vendor, 0) > 0]
    openings = vendors.sessions_of(session, market_id) if wanting else []
    if not openings:
        return []
    market = vendors.get_market(session, market_id)
    day = vendors.business_day(session, market_id, openings[0].code)
    done = _paid_on(session, market_id, wanting, day)
    drafts = []
    for vendor in wanting:
        if vendor in done:
            continue
        owed = dues.unpaid(session, market_id, vendor_id=vendor, until=day, lock=True)
        amount = min(held[vendor], sum(line.remaining for line in owed))
        if amount < 1:
            continue
        parts = dues.apportion(amount, owed).parts
        touched = {part.key for part in parts}
        drafts.append(
            Draft(
                market_id=market_id, method=Method.TITIPAN, provider="titipan", provider_reference=_reference(vendor, day),
                account=f"titipan:{vendor}", vendor_id=vendor, amount=amount, parts=parts, credit=0,
                session_code=owed[0].session_code, business_day=day, paid_at=clock.now(), timezone=market.timezone,
                place=place_names([line for line in owed if line.key in touched]),
            )
        )  # fmt: skip
    return [row for draft in drafts for row in _one(session, draft)]


def pay_everywhere(session: Session) -> int:
    """`pay_due` in every market where somebody has an instruction; how many were paid."""
    codes = session.execute(
        select(col(TitipanConsent.market_id)).where(col(TitipanConsent.revoked_at).is_(None)).distinct()
    ).scalars()
    return sum(len(pay_due(session, code)) for code in sorted(codes))


def _one(session: Session, draft: Draft) -> Sequence[Recorded]:
    """One vendor's payment; where another payment was faster, none, and tomorrow is another day."""
    try:
        with session.begin_nested():
            (row,) = record_many(session, [draft])
            session.add(
                TitipanMovement(
                    market_id=draft.market_id, id=new_id(), vendor_id=draft.vendor_id, kind=MovementKind.SPEND,
                    amount=-draft.amount, payment_id=row.payment_id, transaction_id=row.transaction_id, at=clock.now(),
                    note=row.number,
                )
            )  # fmt: skip
            session.flush()
    except MarketError:
        return []
    return [row]


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
