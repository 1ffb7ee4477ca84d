"""Tables of prices. `price`, `publication` and `price_correction` are append-only (guards.py).

The key of what belongs to an area begins with `area_id`, so that the rows can be partitioned or distributed by it.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from market.database import BigKey, UTCDateTime

SURVEY = "survey"  # the source of a market's own morning survey; every other source is a reference


class AreaKind(StrEnum):
    """What a price series is about: one market, or a region of someone else's figures."""

    market = "market"
    city = "city"
    province = "province"
    country = "country"


class Group(StrEnum):
    """The boards' headings, in their order."""

    staples = "staples"
    spices = "spices"
    protein = "protein"
    produce = "produce"
    offerings = "offerings"
    reference = "reference"  # items of a national list that our markets do not survey


class ReferenceKind(StrEnum):
    """HET is a ceiling; HAP is a value or a band meant to guide."""

    het = "HET"
    hap = "HAP"


class PriceStatus(StrEnum):
    """`official`: a median of at least three quotes. `data_kurang`: fewer. `reference`: imported."""

    official = "official"
    short = "data_kurang"
    reference = "reference"


class Answer(StrEnum):
    """What a surveyor may write for one vendor slot."""

    price = "price"
    no_stock = "no_stock"
    closed = "closed"
    not_visited = "not_visited"


class SheetState(StrEnum):
    """draft → submitted → (returned → submitted) → approved → published."""

    draft = "draft"
    submitted = "submitted"
    returned = "returned"
    approved = "approved"
    published = "published"


class Area(SQLModel, table=True):
    """A market (id = its code) or a region (`ID`, `ID-BA`, …). `zone` is the HET zone: Bali is 1."""

    __tablename__ = "area"

    id: str = Field(primary_key=True, max_length=16)
    kind: str = Field(max_length=10)
    name: str = Field(max_length=120)
    name_en: str = Field(default="", max_length=120)
    zone: int = Field(default=1)
    sort: int = Field(default=0)


class Commodity(SQLModel, table=True):
    """What is priced: one grade, one unit. Units that do not convert are different commodities."""

    __tablename__ = "commodity"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(max_length=80)
    name_en: str = Field(max_length=80)
    name_ban: str = Field(default="", max_length=80)
    grade: str = Field(default="", max_length=120)
    unit: str = Field(max_length=24)
    unit_en: str = Field(max_length=24)
    group: str = Field(max_length=12, sa_column_kwargs={"name": "group_code"})
    sort: int
    ceremonial: bool = False
    surveyed: bool = True
    compared_with: str | None = Field(default=None, max_length=40, foreign_key="commodity.id")


class CommodityAlias(SQLModel, table=True):
    """What another source calls a commodity. `name` is lower case with single spaces."""

    __tablename__ = "commodity_alias"

    source: str = Field(primary_key=True, max_length=16)
    name: str = Field(primary_key=True, max_length=120)
    commodity_id: str = Field(max_length=40, foreign_key="commodity.id")


class SourceCode(SQLModel, table=True):
    """By which code another source means one of our commodities or areas, where the shipped list (codes.py) is not enough."""

    __tablename__ = "price_source_code"
    __table_args__ = (CheckConstraint("kind IN ('commodity', 'area')", name="kind"),)

    source: str = Field(primary_key=True, max_length=16)
    kind: str = Field(primary_key=True, max_length=10)
    code: str = Field(primary_key=True, max_length=20)
    ours: str = Field(max_length=40)


class ReferencePrice(SQLModel, table=True):
    """A HET or HAP in force on `[valid_from, valid_until)`. Zone 0 is every zone; `lower` is NULL where it is no band."""

    __tablename__ = "reference_price"
    __table_args__ = (
        CheckConstraint("upper_price > 0 AND (lower_price IS NULL OR lower_price < upper_price)", name="band"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="range"),
    )

    commodity_id: str = Field(primary_key=True, max_length=40, foreign_key="commodity.id")
    zone: int = Field(primary_key=True)
    valid_from: date = Field(primary_key=True)
    valid_until: date | None = None
    kind: str = Field(max_length=3)
    lower: int | None = Field(default=None, sa_type=BigKey, sa_column_kwargs={"name": "lower_price"})
    upper: int = Field(sa_type=BigKey, sa_column_kwargs={"name": "upper_price"})
    legal_basis: str = Field(max_length=200)
    confirmed: bool = True


class PriceSeries(SQLModel, table=True):
    """One area, one commodity, one source. The number keeps the price rows short."""

    __tablename__ = "price_series"
    __table_args__ = (Index("uq_price_series_natural", "area_id", "commodity_id", "source", unique=True),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    area_id: str = Field(max_length=16, foreign_key="area.id")
    commodity_id: str = Field(max_length=40, foreign_key="commodity.id")
    source: str = Field(max_length=16)


class Price(SQLModel, table=True):
    """One day of one series, as published. The highest revision counts; `price` is NULL where data is short.

    No foreign key to the series: the check would be more than half the cost of an import, and rows are only written
    by `figures in, series out` in service.py, which has just read the series.
    """

    __tablename__ = "price"
    __table_args__ = (
        CheckConstraint("price IS NULL OR price > 0", name="positive"),
        CheckConstraint("price IS NOT NULL OR status = 'data_kurang'", name="known"),
        CheckConstraint("status <> 'official' OR n >= 3", name="official"),
        {"sqlite_with_rowid": False},  # the key is the table: history is one contiguous read
    )

    area_id: str = Field(primary_key=True, max_length=16)
    series_id: int = Field(primary_key=True, sa_type=BigKey)
    day: date = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    price: int | None = Field(default=None, sa_type=BigKey)
    low: int | None = Field(default=None, sa_type=BigKey)
    high: int | None = Field(default=None, sa_type=BigKey)
    mode: int | None = Field(default=None, sa_type=BigKey)
    mean: int | None = Field(default=None, sa_type=BigKey)
    n: int | None = None
    status: str = Field(max_length=12)


class PriceCorrection(SQLModel, table=True):
    """Why a day has a second figure: the old value, the new one and the reason stay public."""

    __tablename__ = "price_correction"

    area_id: str = Field(primary_key=True, max_length=16)
    series_id: int = Field(primary_key=True, sa_type=BigKey)
    day: date = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    old_price: int | None = Field(default=None, sa_type=BigKey)
    new_price: int | None = Field(default=None, sa_type=BigKey)
    reason: str = Field(max_length=300)
    at: datetime = Field(sa_type=UTCDateTime)
    user_id: int | None = Field(default=None, sa_type=BigKey)


class CorrectionState(StrEnum):
    """A correction that needs a second person: asked → confirmed, refused or withdrawn."""

    asked = "asked"
    confirmed = "confirmed"
    refused = "refused"
    withdrawn = "withdrawn"


class CorrectionRequest(SQLModel, table=True):
    """A correction so large that a second person decides. Its quotes are `prices`, with commas between; `old` is what
    stood on the board when it was asked. Nothing of it is public before it is confirmed."""

    __tablename__ = "price_correction_request"
    __table_args__ = (
        CheckConstraint("(state = 'asked') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("decided_by <> asked_by OR state = 'withdrawn'", name="second"),
        Index(
            "uq_price_correction_request_waiting", "market_id", "day", "commodity_id", unique=True,
            sqlite_where=text("state = 'asked'"), postgresql_where=text("state = 'asked'"),
        ),
    )  # fmt: skip

    market_id: str = Field(primary_key=True, max_length=16)
    day: date = Field(primary_key=True)
    commodity_id: str = Field(primary_key=True, max_length=40, foreign_key="commodity.id")
    number: int = Field(primary_key=True)
    prices: str = Field(max_length=120)
    old: int | None = Field(default=None, sa_type=BigKey, sa_column_kwargs={"name": "old_price"})
    new: int | None = Field(default=None, sa_type=BigKey, sa_column_kwargs={"name": "new_price"})
    reason: str = Field(max_length=300)
    asked_by: int | None = Field(default=None, sa_type=BigKey)
    asked_at: datetime = Field(sa_type=UTCDateTime)
    state: str = Field(default=CorrectionState.asked, max_length=10)
    decided_by: int | None = Field(default=None, sa_type=BigKey)
    decided_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class PriceLatest(SQLModel, table=True):
    """The newest day of each series, spelt out for the board: derived from `price`, rebuilt by service.refresh.

    `last_*` is the newest day that has a price (the day itself unless data is short); `previous_*` the one before it.
    `recent` is thirty comma-separated figures ending on `day`; an empty one is a day without a price.
    """

    __tablename__ = "price_latest"
    __table_args__ = (Index("ix_price_latest_commodity", "commodity_id", "source", "area_id"),)

    area_id: str = Field(primary_key=True, max_length=16)
    source: str = Field(primary_key=True, max_length=16)
    commodity_id: str = Field(primary_key=True, max_length=40)
    series_id: int = Field(sa_type=BigKey)
    day: date
    revision: int
    price: int | None = Field(default=None, sa_type=BigKey)
    low: int | None = Field(default=None, sa_type=BigKey)
    high: int | None = Field(default=None, sa_type=BigKey)
    mode: int | None = Field(default=None, sa_type=BigKey)
    mean: int | None = Field(default=None, sa_type=BigKey)
    n: int | None = None
    status: str = Field(max_length=12)
    last_day: date | None = None
    last_price: int | None = Field(default=None, sa_type=BigKey)
    previous_day: date | None = None
    previous_price: int | None = Field(default=None, sa_type=BigKey)
    recent: str = Field(default="", sa_type=Text)


class Publication(SQLModel, table=True):
    """A market's day made public: revision 0 first, each correction one more. Immutable."""

    __tablename__ = "publication"

    market_id: str = Field(primary_key=True, max_length=16)
    day: date = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    published_at: datetime = Field(sa_type=UTCDateTime)
    user_id: int | None = Field(default=None, sa_type=BigKey)
    priced: int
    listed: int


class PublicationVersion(SQLModel, table=True):
    """One row per area, raised by whatever changes a public page: what the hot path asks before it answers."""

    __tablename__ = "publication_version"

    area_id: str = Field(primary_key=True, max_length=16)
    version: int = Field(sa_type=BigKey)
    day: date | None = None
    changed_at: datetime = Field(sa_type=UTCDateTime)


class Sheet(SQLModel, table=True):
    """A market's morning survey of one day, and how far it has come. Nobody approves their own."""

    __tablename__ = "price_sheet"

    market_id: str = Field(primary_key=True, max_length=16)
    day: date = Field(primary_key=True)
    state: str = Field(default=SheetState.draft, max_length=10)
    entered_by: int | None = Field(default=None, sa_type=BigKey)
    submitted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    approved_by: int | None = Field(default=None, sa_type=BigKey)
    approved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class SurveyItem(SQLModel, table=True):
    """Where a commodity stands on a market's walk, and whether that market surveys it. Without a row: in the basket's order, yes."""

    __tablename__ = "survey_item"

    market_id: str = Field(primary_key=True, max_length=16)
    commodity_id: str = Field(primary_key=True, max_length=40, foreign_key="commodity.id")
    step: int = 0
    listed: bool = True


class Quote(SQLModel, table=True):
    """What one vendor slot answered. Never published: only the day's figures are. Slots say no vendor's name."""

    __tablename__ = "quote"
    __table_args__ = (
        CheckConstraint("slot BETWEEN 1 AND 9", name="slot"),
        CheckConstraint("(answer = 'price') = (price IS NOT NULL)", name="answer"),
        CheckConstraint("price IS NULL OR price > 0", name="positive"),
    )

    market_id: str = Field(primary_key=True, max_length=16)
    day: date = Field(primary_key=True)
    commodity_id: str = Field(primary_key=True, max_length=40, foreign_key="commodity.id")
    slot: int = Field(primary_key=True)
    answer: str = Field(default=Answer.price, max_length=12)
    price: int | None = Field(default=None, sa_type=BigKey)
    state: str = Field(default=SheetState.draft, max_length=10)
    flag: str = Field(default="", max_length=16)
    reason: str = Field(default="", max_length=300)
    message: str = Field(default="", max_length=300)
    entered_by: int | None = Field(default=None, sa_type=BigKey)
    entered_at: datetime = Field(sa_type=UTCDateTime)
    checked_by: int | None = Field(default=None, sa_type=BigKey)


class SheetMapping(SQLModel, table=True):
    """Which headings of somebody's sheet are the day, the price and the commodity. Headings stand as they are typed."""

    __tablename__ = "price_sheet_mapping"

    name: str = Field(primary_key=True, max_length=40)
    day: str = Field(max_length=60, sa_column_kwargs={"name": "day_heading"})
    price: str = Field(max_length=60, sa_column_kwargs={"name": "price_heading"})
    commodity: str = Field(max_length=60, sa_column_kwargs={"name": "commodity_heading"})
    unit: str = Field(default="", max_length=60, sa_column_kwargs={"name": "unit_heading"})
    source: str = Field(default="other", max_length=16)
    user_id: int | None = Field(default=None, sa_type=BigKey)


class PriceSource(SQLModel, table=True):
    """A file that is asked for by itself, and how the last asking went. `etag` and `modified` are the server's own words."""

    __tablename__ = "price_source"
    __table_args__ = (
        CheckConstraint("every_hours BETWEEN 1 AND 720", name="every"),
        CheckConstraint("failures >= 0", name="failures"),
    )

    name: str = Field(primary_key=True, max_length=40)
    url: str = Field(max_length=500)
    area_id: str = Field(default="", max_length=16)
    mapping: str = Field(default="", max_length=40)
    every_hours: int = 24
    active: bool = True
    next_at: datetime = Field(sa_type=UTCDateTime)
    etag: str = Field(default="", max_length=200)
    modified: str = Field(default="", max_length=60)
    failures: int = 0
    checked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    outcome: str = Field(default="", max_length=12)
    message: str = Field(default="", max_length=300)
    taken: int = 0
    revised: int = 0
    refused: int = 0
    user_id: int | None = Field(default=None, sa_type=BigKey)


class PriceAlert(SQLModel, table=True):
    """A signed-in vendor asks for word when a commodity's published price crosses a figure. No number is kept here."""

    __tablename__ = "price_alert"
    __table_args__ = (CheckConstraint("price > 0", name="positive"),)

    vendor_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="vendor.id")
    market_id: str = Field(primary_key=True, max_length=16)
    commodity_id: str = Field(primary_key=True, max_length=40, foreign_key="commodity.id")
    rising: bool = True
    price: int = Field(sa_type=BigKey)
    created_at: datetime = Field(sa_type=UTCDateTime)


class PriceFollower(SQLModel, table=True):
    """Somebody without an account who asked for word of one price by phone. Nothing is sent before the code from that
    phone came back; the row goes when they stop. The number is sealed under a key of its own, as a vendor's is."""

    __tablename__ = "price_follower"
    __table_args__ = (
        CheckConstraint("price > 0", name="positive"),
        Index("ix_price_follower_market", "market_id", "commodity_id"),
        Index("ix_price_follower_phone", "phone_hash"),
        {"sqlite_autoincrement": True},  # a number is never given twice: messages on their way name it
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    market_id: str = Field(max_length=16)
    commodity_id: str = Field(max_length=40, foreign_key="commodity.id")
    rising: bool = True
    price: int = Field(sa_type=BigKey)
    wrapped_key: bytes
    key_id: str = Field(max_length=16)
    sealed: bytes
    phone_hash: str = Field(max_length=64)
    asked_from: str = Field(max_length=64)
    nonce: str = Field(max_length=32)
    tries: int = 0
    created_at: datetime = Field(sa_type=UTCDateTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
