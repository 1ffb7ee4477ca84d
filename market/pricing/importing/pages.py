"""The office's upload of another source's price file: first a trial that says what would change, then the import."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlmodel import Session, col

from market.auth.access import Clerk, Principal, Role
from market.database import SessionDep
from market.errors import Invalid, MarketError
from market.pricing import catalogue
from market.pricing.importing import mappings
from market.pricing.importing.service import run_import
from market.pricing.models import Area, AreaKind
from market.web.forms import FormData, FormInput, problems
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/prices", include_in_schema=False)
CELLS_SHOWN = 100
TAKE = "take"


class FileNotChosen(Invalid):
    message = N_("Pilih dulu filenya.")


@dataclass(frozen=True)
class ImportPage:
    """templates/pricing/import.html. `result` is what run_import returned, if a file was read."""

    areas: list[tuple[str, str]]
    mappings: list[tuple[str, str]]
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    file_name: str = ""
    cells_shown: int = CELLS_SHOWN


@router.get("/import")
def import_form(request: Request, session: SessionDep, by: Clerk) -> Response:
    """The form."""
    return render(request, "pricing/import.html", ImportPage(_areas(session, by), _mappings(session)))


@router.post("/import")
def import_file(request: Request, session: SessionDep, by: Clerk, form: FormInput) -> Response:
    """Try the file, or take it: the button says which."""
    try:
        with session.begin_nested():
            name, result = _read(session, form, by)
    except MarketError as error:
        page = ImportPage(_areas(session, by), _mappings(session), form.values, problems(error))
        return render(request, "pricing/import.html", page, error.status)
    return render(
        request,
        "pricing/import.html",
        ImportPage(_areas(session, by), _mappings(session), form.values, result=result, file_name=name),
    )


def _read(session: Session, form: FormData, by: Principal) -> tuple[str, dict[str, Any]]:
    file = form.files.get("file")
    content = file.file.read() if file is not None else b""
    if file is None or not file.filename:
        raise FileNotChosen(fields={"file": say(FileNotChosen.message)})
    market = form.values.get("market") or None
    if market and market not in dict(_areas(session, by)):
        raise catalogue.UnknownArea(area=market[:16], fields={"market": say(N_("Pilih dari daftar."))})
    order = form.values.get("dates")
    mapping = form.values.get("mapping", "")
    result = run_import(
        session,
        content,
        name=file.filename[:120],
        market=market,
        by=by,
        dry_run=form.values.get("act") != TAKE,
        order="dmy" if order == "dmy" else "mdy" if order == "mdy" else None,
        mapping=mappings.shape_of(session, mapping) if mapping else None,
    )
    return file.filename[:120], result


def _mappings(session: Session) -> list[tuple[str, str]]:
    return [(m.name, m.name) for m in mappings.mappings(session)]


def _areas(session: Session, by: Principal) -> list[tuple[str, str]]:
    """Regions, and the markets this clerk works for: a market's reference line is its office's business."""
    query = select(col(Area.id), col(Area.name), col(Area.kind)).order_by(col(Area.sort), col(Area.id))
    own = by.market_ids(Role.clerk)
    rows = session.execute(query)
    return [(code, name) for code, name, kind in rows if kind != AreaKind.market or own is None or code in own]
