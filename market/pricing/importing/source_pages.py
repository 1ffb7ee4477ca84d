"""Pages: saved mappings for any sheet, and the sources asked by the clock with what came of the last asking."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market.auth.access import Admin, Principal, Role, allow
from market.database import SessionDep
from market.errors import MarketError
from market.pricing.importing import mappings, sources
from market.pricing.models import PriceSource, SheetMapping
from market.web.forms import FormInput, problems, redirect
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/prices", include_in_schema=False)
MayMap = Annotated[Principal, Depends(allow(Role.clerk, Role.admin))]
MaySee = Annotated[Principal, Depends(allow(Role.clerk, Role.admin, Role.market_head, Role.auditor))]


@dataclass(frozen=True)
class SourcesPage:
    """templates/pricing/sources.html."""

    sources: list[PriceSource]
    mappings: list[SheetMapping]
    broken: int
    may_add: bool
    may_map: bool
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    form: str = ""


def _page(
    session: Session, by: Principal, values: dict[str, str], errors: dict[str, str], form: str = ""
) -> SourcesPage:
    return SourcesPage(
        sources.sources(session), mappings.mappings(session), sources.BROKEN, by.has(Role.admin),
        by.has(Role.admin) or by.has(Role.clerk), values, errors, form,
    )  # fmt: skip


@router.get("/sources")
def show(request: Request, session: SessionDep, by: MaySee) -> Response:
    """Every source with its last run, and every mapping."""
    return render(request, "pricing/sources.html", _page(session, by, {}, {}))


@router.post("/sources")
def add_source(request: Request, session: SessionDep, by: Admin, form: FormInput) -> Response:
    """A new address to be asked."""
    typed = form.values
    hours = typed.get("every_hours", "24").strip()
    try:
        with session.begin_nested():
            sources.add(
                session, typed.get("name", ""), url=typed.get("url", "").strip(), area_id=typed.get("area", "").strip(),
                mapping=typed.get("mapping", ""), every_hours=int(hours) if hours.isascii() and hours.isdigit() else 0,
                by=by,
            )  # fmt: skip
    except MarketError as error:
        page = _page(session, by, typed, problems(error), "source")
        return render(request, "pricing/sources.html", page, error.status)
    return redirect("/office/prices/sources", say(N_("Sumber disimpan. Server ditanya dalam seperempat jam.")))


@router.post("/sources/switch")
def switch(session: SessionDep, by: Admin, form: FormInput) -> Response:
    """Stop or start one."""
    sources.switch(session, form.values.get("name", ""), active=form.values.get("active") == "yes", by=by)
    return redirect("/office/prices/sources", say(N_("Tersimpan.")))


@router.post("/mappings")
def save_mapping(request: Request, session: SessionDep, by: MayMap, form: FormInput) -> Response:
    """A mapping for a sheet nobody here knows."""
    typed = form.values
    wanted = {name: typed.get(name, "") for name in ("day", "price", "commodity", "unit")}
    try:
        with session.begin_nested():
            mappings.save(session, typed.get("name", ""), by=by, **wanted)
    except MarketError as error:
        page = _page(session, by, typed, problems(error), "mapping")
        return render(request, "pricing/sources.html", page, error.status)
    return redirect("/office/prices/sources", say(N_("Pemetaan disimpan. Pilih di halaman impor.")))
