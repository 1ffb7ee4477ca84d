"""What programs and forms send and get. A NIK or phone number goes in and never comes out."""

from datetime import date, time
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from market.vendors.cells import MARKUP, Unreadable, area_cm2, code, front_cm, nik, phone
from market.vendors.models import FeeRegime, PermitStatus, PlaceKind, PlaceStatus, VendorKind, VendorType
from market.words import N_, say


def _plain(text: str) -> str:
    if MARKUP.search(text):
        raise ValueError(say(N_("Ada tanda yang tidak boleh, seperti < atau >.")))
    return text


def _area(text: str) -> str:
    return _checked(area_cm2, text)


def _front(text: str) -> str:
    return _checked(front_cm, text)


def _nik(text: str) -> str:
    return _checked(nik, text)


def _phone(text: str) -> str:
    return _checked(phone, text)


def _code(text: str) -> str:
    try:
        return code(text)
    except Unreadable as error:
        raise ValueError(error.text) from error


def _checked(read: object, text: str) -> str:
    try:
        read(text)  # type: ignore[operator]
    except Unreadable as error:
        raise ValueError(error.text) from error
    return text


Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120), AfterValidator(_plain)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20), AfterValidator(_plain)]
Code = Annotated[str, AfterValidator(_code)]


class SessionOut(BaseModel):
    """An opening period of a market; closing at or before it opens means the next morning."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    name: str
    opens: time
    closes: time


class MarketOut(BaseModel):
    """A market as anyone may see it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    operator: str = Field(validation_alias="operator_id")
    fee_regime: FeeRegime
    timezone: str
    address: str
    sessions: list[SessionOut]


class PlaceIn(BaseModel):
    """A new place. Area in m² and front in metres, as text with a comma or a point."""

    model_config = ConfigDict(extra="forbid")

    market: str = Field(max_length=8)
    code: Code
    kind: PlaceKind
    block: Short = ""
    number: int = Field(default=0, ge=0, le=999_999)
    floor: Annotated[Short, Field(max_length=16)] = "1"
    area: Annotated[str, AfterValidator(_area)] | None = None
    front: Annotated[str, AfterValidator(_front)] | None = None
    zone: Annotated[str, StringConstraints(strip_whitespace=True, max_length=24), AfterValidator(_plain)] = ""


class PlaceOut(BaseModel):
    """A place; `area_cm2` in cm². `holders` are trading names."""

    model_config = ConfigDict(from_attributes=True)

    market: str = Field(validation_alias="market_id")
    id: int
    code: str
    kind: PlaceKind
    floor: str
    block: str
    number: int
    area_cm2: int | None
    front_cm: int | None
    zone: str
    status: str
    holders: str = ""


class VendorIn(BaseModel):
    """A new vendor of an operator."""

    model_config = ConfigDict(extra="forbid")

    operator: str = Field(max_length=16)
    name: Annotated[Text, Field(min_length=2)]
    type: VendorType = VendorType.PERSON
    goods: Text = ""
    nik: Annotated[str, AfterValidator(_nik)] | None = None
    phone: Annotated[str, AfterValidator(_phone)] | None = None


class VendorOut(BaseModel):
    """A vendor, without personal values."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    operator: str = Field(validation_alias="operator_id")
    number: str
    name: str
    type: VendorType
    goods: str
    places: int = 0


class PermitIn(BaseModel):
    """A new permit; `last_day` is inclusive."""

    model_config = ConfigDict(extra="forbid")

    market: str = Field(max_length=8)
    place: Code = Field(description="The place's code")
    session: Annotated[str, StringConstraints(strip_whitespace=True, max_length=12, to_lower=True)]
    vendor: Code = Field(description="The vendor's number")
    valid_from: date
    last_day: date | None = None
    vendor_kind: VendorKind = VendorKind.TERCATAT
    goods: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(_plain)] = ""


class PermitOut(BaseModel):
    """A permit; `last_day` is inclusive, null while it has no end."""

    model_config = ConfigDict(from_attributes=True)

    market: str = Field(validation_alias="market_id")
    id: int
    number: str
    place_code: str
    session_code: str
    vendor_id: int
    vendor_name: str
    vendor_kind: VendorKind
    goods: str
    status: PermitStatus
    valid_from: date
    last_day: date | None


class PlaceEdit(BaseModel):
    """A place as it should be from now on: every field, so that what was emptied is emptied."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    kind: PlaceKind
    building: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(_plain)] = ""
    floor: Annotated[Short, Field(max_length=16)] = "1"
    block: Short = ""
    number: int = Field(default=0, ge=0, le=999_999)
    area: Annotated[str, AfterValidator(_area)] | None = None
    front: Annotated[str, AfterValidator(_front)] | None = None
    zone: Annotated[str, StringConstraints(strip_whitespace=True, max_length=24), AfterValidator(_plain)] = ""
    grade: Annotated[str, StringConstraints(strip_whitespace=True, max_length=24), AfterValidator(_plain)] = ""
    meter: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(_plain)] = ""
    status: PlaceStatus = PlaceStatus.AVAILABLE


class VendorEdit(BaseModel):
    """A vendor as they should be from now on; `public`: the trading name may stand in the public directory."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(min_length=2)]
    type: VendorType = VendorType.PERSON
    goods: Text = ""
    public: bool = False
    nik: Annotated[str, AfterValidator(_nik)] | None = None
    phone: Annotated[str, AfterValidator(_phone)] | None = None


class OperatorEdit(BaseModel):
    """Who runs markets."""

    name: Annotated[Text, Field(min_length=2)]
    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_plain)] = ""


class OperatorIn(OperatorEdit):
    """A new operator, under a short code."""

    code: Annotated[str, StringConstraints(strip_whitespace=True, max_length=16, to_upper=True)]


class MarketEdit(BaseModel):
    """A market as it should be from now on."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=80), AfterValidator(_plain)]
    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_plain)] = ""
    opening_rule: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)] = "DAILY"


class SessionIn(BaseModel):
    """A named opening period; one that closes at or before it opens runs past midnight."""

    code: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=12, to_lower=True, pattern=r"^[A-Za-z][A-Za-z0-9-]*$")
    ]
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(_plain)] = ""
    opens: time
    closes: time


class MarketIn(MarketEdit):
    """A new market with its first session."""

    code: Annotated[str, StringConstraints(strip_whitespace=True, max_length=8, to_upper=True)]
    operator: Annotated[str, StringConstraints(strip_whitespace=True, max_length=16, to_upper=True)]
    fee_regime: FeeRegime
    session: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=12, to_lower=True, pattern=r"^[A-Za-z][A-Za-z0-9-]*$")
    ] = "pagi"
    opens: time = time(6)
    closes: time = time(15)
