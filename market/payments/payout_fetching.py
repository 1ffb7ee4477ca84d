"""Stripe's payouts: announced by an event, read line by line from its API, recorded as any other payout. A job; catch-up.

A payout is of the Stripe account, which is one operator's: the operator is the one whose payments are in it. Only what Stripe
settles in rupiah is recorded by itself; one in another currency, or with nothing of ours in it, stands under *Perlu diperiksa*
until the treasurer has recorded it from the bank's own figure, and is not asked about again.
"""

from datetime import date, timedelta

import structlog
from sqlalchemy import func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import SYSTEM, Principal, Role
from market.errors import Conflict
from market.jobs.service import Opener, Payload, caller
from market.money import rp
from market.payments.card_attempts import gateway_of
from market.payments.models import Inbox, OutcomeKind, Payment, ReviewItem
from market.payments.payout_models import Payout
from market.payments.payouts import BadPayout, LineIn, PayoutIn, record_payout
from market.payments.rails.stripe import PayoutLine as StripeLine
from market.payments.refund_models import MoneyReversal, Refund
from market.settings import get_settings
from market.vendors import service as vendors
from market.words import N_, say

log = structlog.get_logger()
PROVIDER = "stripe"
ANNOUNCED = "payout paid"
LOOK_BACK = timedelta(days=60)
MINOR = 100  # Stripe counts rupiah in hundredths


class NotOurPayout(Conflict):
    message = N_("Tidak ada pembayaran pasar ini di dalam pencairan itu.")


def waiting(session: Session) -> list[str]:
    """Payouts that Stripe announced as paid and that are not recorded yet, oldest first."""
    rows = session.execute(
        select(col(Inbox.reference))
        .outerjoin(
            ReviewItem, (col(ReviewItem.provider) == PROVIDER) & (col(ReviewItem.reference) == col(Inbox.reference))
        )
        .outerjoin(Payout, (col(Payout.provider) == PROVIDER) & (col(Payout.reference) == col(Inbox.reference)))
        .where(
            col(Inbox.provider) == PROVIDER, col(Inbox.provider_status) == ANNOUNCED,
            col(Inbox.received_at) > clock.now() - LOOK_BACK, col(Payout.id).is_(None), col(ReviewItem.id).is_(None),
        )
        .order_by(col(Inbox.id))
    ).scalars()  # fmt: skip
    return list(dict.fromkeys(rows))


def take(session: Session, payout_id: str, lines: list[StripeLine]) -> Payout | None:
    """Record one; None where it is not in rupiah, or nothing in it is ours: then a person is told."""
    market_id = _market_of(session, lines)
    if market_id is None or any(line.currency != "idr" for line in lines):
        _ask_a_person(session, payout_id, market_id)
        return None
    owner = vendors.get_market(session, market_id).operator_id
    report = PayoutIn(
        PROVIDER, payout_id, f"BPD-{owner}", clock.today(), [_line(line) for line in lines],
        _rupiah(sum(x.net_minor for x in lines)),
    )  # fmt: skip
    return record_payout(session, owner, report, by=SYSTEM).payout


def take_by_figure(
    session: Session, payout_id: str, lines: list[StripeLine], *, arrived: int, paid_on: date, by: Principal
) -> Payout:
    """Record one that Stripe paid in another currency: each line counts what it was in rupiah here, `arrived` is what the
    bank shows, and the difference is the fee. Raises NotOurPayout, BadPayout.
    """
    market_id = _market_of(session, lines)
    amounts = _amounts(session, lines)
    told = [
        LineIn(line.transaction_id[:80], line.payment_intent, amounts[line.source], 0)
        for line in lines
        if line.source in amounts
    ]
    if market_id is None or not told:
        raise NotOurPayout
    gross = sum(line.gross for line in told)
    if not 0 < arrived <= gross * 11 // 10:  # rates differ from day to day, not by a digit
        most = say(N_("Isi dari Rp 1 sampai {most}."), most=rp(gross * 11 // 10))
        raise BadPayout(reference=payout_id, fields={"arrived": most})
    fee = gross - arrived
    told[0] = LineIn(told[0].reference, told[0].ours, told[0].gross, fee)
    owner = vendors.get_market(session, market_id).operator_id
    by.require(Role.treasurer, market_id=market_id)
    report = PayoutIn(PROVIDER, payout_id, f"BPD-{owner}", paid_on, told, arrived)
    # The treasurer of a market has looked at the bank; the payout is the operator's, and so is its book.
    done = record_payout(session, owner, report, by=SYSTEM).payout
    after = {"reference": payout_id, "arrived": arrived, "fee": fee}
    audit.record(session, by, "payout.by_figure", "payout", str(done.id), market_id=market_id, after=after)
    return done


def _market_of(session: Session, lines: list[StripeLine]) -> str | None:
    """A market whose payment is in the payout."""
    return session.execute(
        select(col(Payment.market_id))
        .where(
            col(Payment.provider) == PROVIDER,
            col(Payment.provider_reference).in_([line.payment_intent for line in lines if line.payment_intent]),
        )
        .limit(1)
    ).scalar()


def _amounts(session: Session, lines: list[StripeLine]) -> dict[str, int]:
    """Rupiah of each charge, refund and dispute that we know, by Stripe's name of it."""
    sources, intents = [line.source for line in lines], [line.payment_intent for line in lines if line.payment_intent]
    of_payments = select(col(Payment.provider_reference), col(Payment.amount)).where(
        col(Payment.provider) == PROVIDER, col(Payment.provider_reference).in_(intents)
    )
    paid = {row.provider_reference: row.amount for row in session.execute(of_payments)}
    found = {
        line.source: paid[line.payment_intent]
        for line in lines
        if line.category == "charge" and line.payment_intent in paid
    }
    for table in (Refund, MoneyReversal):
        back = session.execute(
            select(col(table.provider_reference), col(table.amount)).where(col(table.provider_reference).in_(sources))
        )
        found |= {name: -amount for name, amount in back}
    return found


def _ask_a_person(session: Session, payout_id: str, market_id: str | None) -> None:
    """Once. The clearing account keeps what the payout held: its payments show as not paid out until it is recorded."""
    inbox_id = session.execute(
        select(func.min(Inbox.id)).where(
            col(Inbox.provider) == PROVIDER, col(Inbox.reference) == payout_id, col(Inbox.provider_status) == ANNOUNCED
        )
    ).scalar()
    if inbox_id is not None and payout_id in waiting(session):
        session.add(
            ReviewItem(
                kind=OutcomeKind.needs_review, provider=PROVIDER, reference=payout_id[:64], inbox_id=inbox_id,
                market_id=market_id, created_at=clock.now(),
            )
        )  # fmt: skip
        session.flush()


def _line(line: StripeLine) -> LineIn:
    # The net is what counts; the fee bears the rounding, so that gross − fee is what came.
    gross = _rupiah(line.gross_minor)
    return LineIn(line.transaction_id[:80], line.payment_intent, gross, gross - _rupiah(line.net_minor))


def _rupiah(minor: int) -> int:
    """Half up, whatever the sign."""
    whole = (abs(minor) + MINOR // 2) // MINOR
    return whole if minor >= 0 else -whole


@caller("payments.payouts", every=timedelta(hours=1))
def fetch_payouts(open_session: Opener, payload: Payload) -> None:
    """The job: ask Stripe, with no transaction open, what is inside each payout it announced."""
    settings = get_settings()
    if not settings.stripe_api_key.get_secret_value():
        return
    with open_session() as session:
        wanted = waiting(session)
    failed: Exception | None = None
    for payout_id in wanted:
        try:
            lines = gateway_of(settings).payout_lines(payout_id)
            if lines:  # itemised
                with open_session() as session:
                    take(session, payout_id, lines)
        except Exception as error:  # noqa: BLE001 - one that Stripe or the books refuse holds up no other
            log.error("payout", payout=payout_id, error=type(error).__name__)
            failed = failed or error
    if failed is not None:
        raise failed
