"""/office/meters: the clerk enters what a meter shows, and sees what it charges."""

from dataclasses import dataclass, field
from datetime import date

from fastapi import APIRouter, Request, Response

from market import clock
from market.auth.access import Clerk, Role
from market.database import SessionDep
from market.dues.charge_pages import market_of
from market.dues.lines import decimal
from market.dues.meters import METERED, read_meter
from market.dues.models import ChargeType
from market.dues.schemas import rate_e4
from market.errors import MarketError
from market.money import rp
from market.vendors.access import readable
from market.vendors.models import Market
from market.web.forms import FormInput, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class MetersPage:
    """What templates/dues/meters.html shows: one form."""

    market: Market
    markets: list[Market]
    today: date
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/office/meters")
def meters(request: Request, session: SessionDep, by: Clerk, market: str = "") -> Response:
    found = market_of(session, by, market)
    return render(request, "dues/meters.html", MetersPage(found, readable(session, by), clock.today(found.timezone)))


@router.post("/office/meters")
def enter(request: Request, session: SessionDep, by: Clerk, form: FormInput) -> Response:
    """One reading; its charge is made at once."""
    found = market_of(session, by, form.values.get("market", ""))
    by.require(Role.clerk, market_id=found.id)
    typed = {key: value.strip() for key, value in form.values.items()}
    errors: dict[str, str] = {}
    month = _month(typed.get("month", ""))
    if month is None:
        errors["month"] = gettext(N_("Isi dengan tanggal yang ada, misalnya 2026-11-24."))
    reading, start = _number(typed.get("reading", "")), _number(typed.get("start", "") or "0")
    for name, value in (("reading", reading), ("start", start)):
        if value is None:
            errors[name] = gettext(N_("Isi angka meter, misalnya 1.204 atau 87,5."))
    if typed.get("charge_type") not in set(METERED):
        errors["charge_type"] = gettext(N_("Pilih listrik atau air."))
    if month is not None and reading is not None and start is not None and not errors:
        try:
            with session.begin_nested():
                done = read_meter(
                    session, found.id, typed.get("place", "")[:20].upper(), ChargeType(typed["charge_type"]), month,
                    reading, start_e4=start, replaced=typed.get("replaced") == "yes", by=by,
                )  # fmt: skip
            told = say(
                N_("{place}: terpakai {used}, ditagih {amount}."),
                place=done.place_code, used=decimal(done.used_e4), amount=rp(done.amount),
            )  # fmt: skip
            return redirect(f"/office/meters?market={found.id}", told)
        except MarketError as refusal:
            errors = problems(refusal)
    page = MetersPage(found, readable(session, by), clock.today(found.timezone), typed, errors)
    return render(request, "dues/meters.html", page, 422)


def _number(text: str) -> int | None:
    try:
        return rate_e4(text)
    except ValueError:
        return None


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
