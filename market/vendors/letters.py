"""The printable letter of a step: what was decided, when, by whom, why, and on which rule. Made from the step as it was written."""

from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Request, Response
from sqlmodel import Session, col, select

from market import clock
from market.auth.access import Principal, Role, Vendor
from market.database import SessionDep
from market.errors import NotFound
from market.vendors import lists, terms, workflow
from market.vendors import service as vendors
from market.vendors.access import Reader, RowId
from market.vendors.life_models import Application, LifeStep, SubletNotice
from market.vendors.models import Market, Operator, Permit, Place
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)

FACTS = {
    "place": N_("Tempat"), "until": N_("Penawaran berlaku sampai"), "permit": N_("Nomor izin"),
    "year": N_("Untuk tahun"), "from": N_("Semula sampai"), "last_day": N_("Hari terakhir"),
    "appeal_until": N_("Keberatan diterima sampai"), "letter": N_("Menanggapi surat"), "lottery": N_("Hasil undian nomor"),
    "tenant": N_("Penghuni sementara"), "first_day": N_("Hari pertama"), "to_vendor": N_("Kepada"),
    "placed": N_("Mendapat tempat"), "waiting": N_("Belum mendapat tempat"), "to": N_("Pasar tujuan"), "block": N_("Blok"),
}  # fmt: skip
BASIS = {
    "offer": "offer_days", "accept": "term_months", "renew": "renewal_days", "validate": "annual_validation",
    "revoke": "appeal_days", "report": "sublet_allowed",
}  # fmt: skip


class LetterUnknown(NotFound):
    message = N_("Surat ini tidak ditemukan.")


@dataclass(frozen=True)
class LetterPage:
    """What templates/vendors/letter.html prints. `basis` is empty where the market has confirmed none."""

    market: Market
    operator: Operator
    step: LifeStep
    title: str
    to: str
    about: str
    facts: list[tuple[str, str]]
    basis: str
    day: date
    back: str


@router.get("/office/letters/{market}/{step_id}")
def office_letter(request: Request, session: SessionDep, by: Reader, market: str, step_id: RowId) -> Response:
    found = vendors.get_market(session, market)
    by.require(*Role, market_id=found.id)
    step = session.get(LifeStep, (found.id, step_id))
    if step is None:
        raise LetterUnknown
    return render(request, "vendors/letter.html", letter(session, found, step, by))


@router.get("/vendor/letters/{market}/{step_id}")
def own_letter(request: Request, session: SessionDep, by: Vendor, market: str, step_id: RowId) -> Response:
    """The vendor's own letter; somebody else's is unknown."""
    found = vendors.get_market(session, market)
    step = session.get(LifeStep, (found.id, step_id))
    if step is None or by.vendor_id is None or whose(session, step)[0] != by.vendor_id:
        raise LetterUnknown
    return render(request, "vendors/letter.html", letter(session, found, step, by))


def whose(session: Session, step: LifeStep) -> tuple[int | None, str]:
    """The vendor a step concerns, and a word about which of their things."""
    if step.subject == "application":
        row = session.get_one(Application, (step.market_id, step.subject_id))
        return row.vendor_id, translate(say(N_("permohonan nomor {n}"), n=row.id))
    if step.subject == "relocation":
        return None, translate(say(N_("pemindahan nomor {n}"), n=step.subject_id))
    number = step.subject_id
    if step.subject == "sublet":
        number = session.get_one(SubletNotice, (step.market_id, number)).permit_id
    permit = session.get_one(Permit, (step.market_id, number))
    code = session.execute(
        select(col(Place.code)).where(col(Place.market_id) == permit.market_id, col(Place.id) == permit.place_id)
    ).scalar_one()
    return permit.vendor_id, translate(say(N_("izin {number}, tempat {code}"), number=permit.number, code=code))


def letter(session: Session, market: Market, step: LifeStep, by: Principal) -> LetterPage:
    """A step as its letter."""
    vendor_id, about = whose(session, step)
    rule = workflow.BY_KEY[(step.subject, step.before, step.action)]
    found = {t.name: t for t in terms.terms(session, market.id)}
    basis = BASIS.get(step.action)
    own = by.vendor_id is not None
    back = f"/office/{step.subject}s/{market.id}/{step.subject_id}"
    if own:
        back = "/vendor/applications"
    elif step.subject in ("sublet", "relocation"):
        back = f"/office/relocations/{market.id}" if step.subject == "relocation" else "/office/places"
    return LetterPage(
        market=market,
        operator=session.get_one(Operator, market.operator_id),
        step=step,
        title=translate(say(rule.letter)),
        to=lists.find_vendor(session, vendor_id).name if vendor_id else "",
        about=about,
        facts=[(translate(say(FACTS[k])), v) for k, v in step.facts.items() if k in FACTS and v],
        basis=found[basis].legal_basis if basis else "",
        day=clock.local(step.at, market.timezone).date(),
        back=back,
    )
