"""Uploaded floor plans and where places lie on them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.errors import Invalid, NotFound
from market.vendors.models import Market, Place
from market.vendors.plan_image import redrawn
from market.vendors.plan_models import WHOLE, FloorPlan, PlaceBox
from market.words import N_, say

EDITORS = (Role.clerk, Role.market_head)


class FloorUnknown(NotFound):
    message = N_("Pasar ini tidak punya lantai {floor}.")


class NoDrawing(NotFound):
    message = N_("Lantai ini belum punya gambar denah.")


class BadBox(Invalid):
    message = N_("Letak ini belum bisa disimpan.")


@dataclass(frozen=True)
class Box:
    """A rectangle on a drawing, in ten-thousandths of its width (x, w) and height (y, h)."""

    x: int
    y: int
    w: int
    h: int

    def cells(self, count: int, columns: int) -> list["Box"]:
        """`count` equal cells, row by row. Raises BadBox where a cell would have no size."""
        rows = -(-count // columns)
        if self.w // columns < 1 or self.h // rows < 1:
            raise BadBox(fields={"w": say(N_("Terlalu kecil untuk {n} tempat."), n=count)})
        made = []
        for n in range(count):
            column, row = n % columns, n // columns
            left, top = self.x + self.w * column // columns, self.y + self.h * row // rows
            right, bottom = self.x + self.w * (column + 1) // columns, self.y + self.h * (row + 1) // rows
            made.append(Box(left, top, right - left, bottom - top))
        return made


@dataclass(frozen=True)
class Drawn:
    """A place on a drawing that is 1,000 units wide."""

    code: str
    left: int
    top: int
    width: int
    height: int


def scaled_height(plan: FloorPlan) -> int:
    """The drawing's height where its width is 1,000."""
    return max(1, round(1000 * plan.height / plan.width))


def drawn_at(code: str, box: Box, height: int) -> Drawn:
    """A box in units of a drawing 1,000 wide and `height` high."""
    width, tall = max(1, box.w * 1000 // WHOLE), max(1, box.h * height // WHOLE)
    return Drawn(code, box.x * 1000 // WHOLE, box.y * height // WHOLE, width, tall)


def address(plan: FloorPlan) -> str:
    """Where the drawing is served; the digest makes it cacheable for ever."""
    return f"/markets/{plan.market_id}/plan/image/{plan.digest}.png"


def drawing(session: Session, market_id: str, floor: str) -> FloorPlan | None:
    """The floor's drawing, if the office has one."""
    return session.get(FloorPlan, (market_id, floor))


def by_digest(session: Session, market_id: str, digest: str) -> FloorPlan | None:
    """A market's drawing by what stands in its address."""
    query = select(FloorPlan).where(col(FloorPlan.market_id) == market_id, col(FloorPlan.digest) == digest).limit(1)
    found: FloorPlan | None = session.execute(query).scalar_one_or_none()
    return found


def save_drawing(session: Session, market: Market, floor: str, content: bytes, *, by: Principal) -> FloorPlan:
    """Keep a drawing for a floor; places keep their positions on the one before. Raises FloorUnknown, NotADrawing, DrawingTooBig."""
    by.require(*EDITORS, market_id=market.id)
    if not places_on(session, market.id, floor):
        raise FloorUnknown(floor=floor[:16])
    image, width, height = redrawn(content)
    old = drawing(session, market.id, floor)
    before = {"digest": old.digest} if old else None
    digest = hashlib.sha256(image).hexdigest()[:16]
    row = session.merge(
        FloorPlan(
            market_id=market.id,
            floor=floor,
            image=image,
            width=width,
            height=height,
            digest=digest,
            by_user=by.user_id,
            uploaded_at=clock.now(),
        )
    )
    session.flush()
    after = {"digest": digest, "width": width, "height": height}
    audit.record(session, by, "plan.draw", "floor", floor, market_id=market.id, before=before, after=after)
    return row


def drop_drawing(session: Session, market: Market, floor: str, *, by: Principal) -> None:
    """Back to the grid; positions are kept for the next drawing. Raises NoDrawing."""
    by.require(*EDITORS, market_id=market.id)
    old = drawing(session, market.id, floor)
    if old is None:
        raise NoDrawing
    session.delete(old)
    session.flush()
    audit.record(session, by, "plan.drop", "floor", floor, market_id=market.id, before={"digest": old.digest})


def places_on(session: Session, market_id: str, floor: str) -> list[Place]:
    """A floor's places in walking order."""
    query = (
        select(Place)
        .where(col(Place.market_id) == market_id, col(Place.floor) == floor)
        .order_by(col(Place.block), col(Place.number), col(Place.code))
    )
    return list(session.execute(query).scalars())


def boxes(session: Session, market_id: str, floor: str) -> dict[int, Box]:
    """Where the places of a floor lie: place id → box; one not placed is absent."""
    query = (
        select(PlaceBox)
        .join(Place, (col(Place.market_id) == col(PlaceBox.market_id)) & (col(Place.id) == col(PlaceBox.place_id)))
        .where(col(PlaceBox.market_id) == market_id, col(Place.floor) == floor)
    )
    return {b.place_id: Box(b.x, b.y, b.w, b.h) for b in session.execute(query).scalars()}


def put(
    session: Session, market: Market, places: Sequence[Place], box: Box, *, columns: int, by: Principal
) -> dict[int, Box]:
    """Lay places into a box, row by row in `columns`: one place fills it, a block shares it. Raises BadBox."""
    by.require(*EDITORS, market_id=market.id)
    if not places:
        raise BadBox(fields={"target": say(N_("Pilih tempat atau blok di lantai ini."))})
    if box.x + box.w > WHOLE:
        raise BadBox(fields={"w": say(N_("Melewati tepi kanan gambar."))})
    if box.y + box.h > WHOLE:
        raise BadBox(fields={"h": say(N_("Melewati tepi bawah gambar."))})
    laid = dict(zip((p.id for p in places), box.cells(len(places), min(columns, len(places))), strict=True))
    values = [{"market_id": market.id, "place_id": i, **vars(b)} for i, b in laid.items()]
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(PlaceBox).values(values)
    given = {name: insert.excluded[name] for name in ("x", "y", "w", "h")}
    session.execute(insert.on_conflict_do_update(index_elements=["market_id", "place_id"], set_=given))
    what = {"places": len(laid), "first": places[0].code, "last": places[-1].code, **vars(box)}
    audit.record(session, by, "plan.place", "floor", places[0].floor, market_id=market.id, after=what)
    return laid


def lift(session: Session, market: Market, places: Sequence[Place], *, by: Principal) -> int:
    """Take places off the drawing; returns how many lay on it."""
    by.require(*EDITORS, market_id=market.id)
    gone = session.execute(
        delete(PlaceBox)
        .where(col(PlaceBox.market_id) == market.id, col(PlaceBox.place_id).in_([p.id for p in places]))
        .returning(col(PlaceBox.place_id))
    ).all()
    if gone:
        what = {"places": len(gone), "first": places[0].code, "last": places[-1].code}
        audit.record(session, by, "plan.lift", "floor", places[0].floor, market_id=market.id, before=what)
    return len(gone)
