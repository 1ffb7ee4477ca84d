"""Tables of an uploaded floor plan: the drawing of a floor, and where on it each place lies."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, LargeBinary
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime

WHOLE = 10_000  # a position is a count of ten-thousandths of the drawing's width or height, so a new scan keeps them


class FloorPlan(SQLModel, table=True):
    """The drawing of a floor as a grey PNG of our own making; `digest` stands in its address."""

    __tablename__ = "floor_plan"
    __table_args__ = (CheckConstraint("width > 0 AND height > 0", name="size"),)

    market_id: str = Field(primary_key=True, foreign_key="market.id", max_length=8)
    floor: str = Field(primary_key=True, max_length=16)
    image: bytes = Field(sa_type=LargeBinary)
    width: int
    height: int
    digest: str = Field(max_length=16)
    by_user: int | None = Field(default=None, sa_type=BigKey)
    uploaded_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class PlaceBox(SQLModel, table=True):
    """Where a place lies on its floor's drawing: left, top, width and height in ten-thousandths."""

    __tablename__ = "place_box"
    __table_args__ = (
        ForeignKeyConstraint(["market_id", "place_id"], ["place.market_id", "place.id"], name="fk_place_box_place"),
        CheckConstraint("x >= 0 AND y >= 0 AND w > 0 AND h > 0", name="inside"),
        CheckConstraint(f"x + w <= {WHOLE} AND y + h <= {WHOLE}", name="edge"),
    )

    market_id: str = Field(primary_key=True, max_length=8)
    place_id: int = Field(primary_key=True, sa_type=BigKey)
    x: int
    y: int
    w: int
    h: int
