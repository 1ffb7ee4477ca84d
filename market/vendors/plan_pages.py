"""Putting places on a floor's drawing: by numbers without JavaScript, by dragging with it. And the drawing itself, for anyone."""

from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from sqlmodel import Session

from market.auth.access import Anyone, Principal, Role
from market.database import SessionDep
from market.errors import MarketError, NotFound
from market.vendors import floor as plans_drawn
from market.vendors import plans
from market.vendors import service as vendors
from market.vendors.access import Registrar
from market.vendors.models import Market, Place
from market.vendors.plan_models import FloorPlan
from market.web.forms import FormInput, checked, problems, redirect
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_, say

router = APIRouter(include_in_schema=False)
YEAR = "public, max-age=31536000, immutable"


def _percent(text: str) -> str:
    whole, _, part = text.strip().replace(",", ".").partition(".")
    if not (
        whole.isascii() and whole.isdigit() and len(whole) <= 3 and (not part or (part.isascii() and part.isdigit()))
    ):
        raise ValueError(say(N_("Tulis persen, misalnya 12,5.")))
    return f"{whole}.{part[:2]}"


def hundredths(text: str) -> int:
    """A percentage such as "12.5" in ten-thousandths of the whole: 1250."""
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or "0")


Percent = Annotated[str, AfterValidator(_percent)]


class BoxIn(BaseModel):
    """A rectangle in percent of the drawing, and what lies in it: `place:CODE` or `block:NAME` in columns."""

    target: str = Field(min_length=1, max_length=40)
    x: Percent
    y: Percent
    w: Percent
    h: Percent
    columns: int = Field(default=5, ge=1, le=60)


@dataclass(frozen=True)
class EditPage:
    """What templates/vendors/plan_edit.html shows. `targets` are (value, words, already placed)."""

    market: Market
    floors: list[str]
    floor: str
    plan: FloorPlan | None
    drawn: list[plans.Drawn]
    targets: list[tuple[str, str, bool]]
    placed: int
    total: int
    image: str
    target: str
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def height(self) -> int:
        return plans.scaled_height(self.plan) if self.plan else 0


@router.get("/markets/{market}/plan/image/{digest}.png")
def image(session: SessionDep, by: Anyone, market: str, digest: str) -> Response:
    """The drawing. Re-encoded by us when it was taken in; still served so that it can be nothing but a picture."""
    found = vendors.get_market(session, market)
    row = plans.by_digest(session, found.id, digest[:16])
    if row is None:
        raise plans.NoDrawing
    headers = {"cache-control": YEAR, "content-security-policy": "default-src 'none'; sandbox"}
    return Response(row.image, media_type="image/png", headers=headers)


@router.get("/office/plan/{market}/edit")
def edit(
    request: Request, session: SessionDep, by: Registrar, market: str, floor: str = "", target: str = ""
) -> Response:
    return render(request, "vendors/plan_edit.html", _page(session, by, market, floor, target))


@router.post("/office/plan/{market}/image")
def upload(request: Request, session: SessionDep, by: Registrar, market: str, form: FormInput) -> Response:
    """Take a drawing in, or go back to the grid."""
    found, floor = _market(session, by, market), form.values.get("floor", "")[:16]
    sent = form.files.get("file")
    try:
        if form.values.get("act") == "drop":
            plans.drop_drawing(session, found, floor, by=by)
            return redirect(_here(found, floor), say(N_("Gambar dilepas. Denah kembali menjadi kotak menurut blok.")))
        content = sent.file.read() if sent is not None else b""
        if not content:
            errors = {"file": gettext("Pilih gambar PNG atau JPEG dulu.")}
            return render(request, "vendors/plan_edit.html", _page(session, by, market, floor, "", {}, errors), 422)
        with session.begin_nested():
            plans.save_drawing(session, found, floor, content, by=by)
    except NotFound:
        raise
    except MarketError as refusal:
        errors = {"file": problems(refusal)[""]}
        page = _page(session, by, market, floor, "", {}, errors)
        return render(request, "vendors/plan_edit.html", page, refusal.status)
    return redirect(_here(found, floor), say(N_("Gambar tersimpan. Letakkan tempat-tempat di atasnya.")))


@router.post("/office/plan/{market}/boxes")
def put(request: Request, session: SessionDep, by: Registrar, market: str, form: FormInput) -> Response:
    """Lay a place or a block on the drawing, or take it off."""
    found, typed = _market(session, by, market), form.values
    floor = typed.get("floor", "")[:16]
    everyone = plans.places_on(session, found.id, floor)
    chosen = _chosen(everyone, typed.get("target", ""))
    if typed.get("act") == "lift":
        gone = plans.lift(session, found, chosen, by=by) if chosen else 0
        return redirect(_here(found, floor), say(N_("{n} tempat diambil dari gambar."), n=gone))
    data, errors = checked(BoxIn, form)
    if data is not None:
        box = plans.Box(*(hundredths(v) for v in (data.x, data.y, data.w, data.h)))
        try:
            with session.begin_nested():
                plans.put(session, found, chosen, box, columns=data.columns, by=by)
            known = plans.boxes(session, found.id, floor)
            following = next((f"place:{p.code}" for p in everyone if p.id not in known), "")
            return redirect(_here(found, floor, following), say(N_("{n} tempat diletakkan."), n=len(chosen)))
        except MarketError as refusal:
            errors = problems(refusal)
    page = _page(session, by, market, floor, typed.get("target", ""), typed, errors)
    return render(request, "vendors/plan_edit.html", page, 422)


def _chosen(everyone: list[Place], target: str) -> list[Place]:
    kind, _, name = target.partition(":")
    if kind == "place":
        return [p for p in everyone if p.code == name]
    return [p for p in everyone if p.block == name] if kind == "block" else []


def _here(market: Market, floor: str, target: str = "") -> str:
    return f"/office/plan/{market.id}/edit?" + urlencode({"floor": floor} | ({"target": target} if target else {}))


def _market(session: Session, by: Principal, code: str) -> Market:
    found = [m for m in vendors.visible_markets(session, by, *plans.EDITORS, Role.auditor) if m.id == code.upper()]
    if not found:
        raise NotFound
    return found[0]


def _page(
    session: Session,
    by: Principal,
    market: str,
    floor: str,
    target: str,
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> EditPage:
    found = _market(session, by, market)
    floors = plans_drawn.floors_of(session, found.id)
    chosen = floor if floor in floors else (floors[0] if floors else "")
    everyone = plans.places_on(session, found.id, chosen)
    known = plans.boxes(session, found.id, chosen)
    plan = plans.drawing(session, found.id, chosen)
    height = plans.scaled_height(plan) if plan else 1000
    drawn = [plans.drawn_at(p.code, known[p.id], height) for p in everyone if p.id in known]
    blocks = sorted({p.block for p in everyone})
    targets = [(f"place:{p.code}", p.code, p.id in known) for p in everyone]
    targets += [(f"block:{b}", b, all(p.id in known for p in everyone if p.block == b)) for b in blocks if b]
    first = next((value for value, _, done in targets if not done), targets[0][0] if targets else "")
    return EditPage(
        market=found,
        floors=floors,
        floor=chosen,
        plan=plan,
        drawn=drawn,
        targets=targets,
        placed=len(known),
        total=len(everyone),
        image=plans.address(plan) if plan else "",
        target=target if target in {t[0] for t in targets} else first,
        values=values or {},
        errors=errors or {},
    )
