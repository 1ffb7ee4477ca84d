"""What the outbox tells a vendor about instalments and letters: in words, never with a name or a number of theirs."""

from typing import Any

from sqlmodel import Session

from market.dues.instalments import NoSuchPlan, PlanView, plans
from market.dues.late_models import Decision, Letter, PlanState
from market.dues.letter_rules import letter_name
from market.jobs.delivery import template
from market.money import rp
from market.vendors import service as vendors
from market.web.i18n import gettext, translate
from market.web.words import day
from market.words import N_, say


@template("instalments_agreed")
def agreed(session: Session, vendor_id: int, args: dict[str, Any]) -> str | None:
    view = _plan(session, vendor_id, args)
    if view.plan.state != PlanState.AGREED or view.next is None:
        return None
    part, missing = view.next
    told = N_("Angsuran Anda di {market} disetujui. Yang pertama {amount}, paling lambat {day}.")
    return translate(say(told, market=_market(session, args), amount=rp(missing), day=day(part.due_on)))


@template("instalment_due")
def due(session: Session, vendor_id: int, args: dict[str, Any]) -> str | None:
    """Not worth sending once it is paid."""
    view = _plan(session, vendor_id, args)
    found = next(((p, missing) for p, missing in view.rows if p.n == args["n"] and missing), None)
    if view.plan.state != PlanState.AGREED or found is None:
        return None
    part, missing = found
    told = N_("Angsuran Anda di {market}: {amount}, paling lambat {day}.")
    return translate(say(told, market=_market(session, args), amount=rp(missing), day=day(part.due_on)))


@template("letter_issued")
def letter(session: Session, vendor_id: int, args: dict[str, Any]) -> str | None:
    row = session.get(Letter, (args["market"], args["letter"]))
    if row is None or row.vendor_id != vendor_id or row.state != Decision.APPROVED or row.answer_by is None:
        return None
    market = vendors.get_market(session, row.market_id)
    told = N_(
        "Ada surat untuk Anda dari {market}: {letter}. Jumlahnya {amount}. Baca di halaman Anda atau di kantor pasar."
    )
    name = gettext(letter_name(market.fee_regime, row.kind))
    return translate(say(told, market=market.name, letter=name, amount=rp(row.amount)))


def _plan(session: Session, vendor_id: int, args: dict[str, Any]) -> PlanView:
    for view in plans(session, [args["market"]], vendor_id=vendor_id):
        if view.plan.id == args["plan"]:
            return view
    raise NoSuchPlan


def _market(session: Session, args: dict[str, Any]) -> str:
    return vendors.get_market(session, args["market"]).name
