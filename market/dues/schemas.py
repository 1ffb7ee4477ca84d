"""What a person or a program writes about tariffs and reliefs, checked field by field."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from market.dues.models import Basis, ChargeType
from market.money import half_up
from market.words import N_, say

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Decision = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200)]
LARGEST_RATE = 1_000_000_000_000  # Rp 100 million per unit
LARGEST_AREA_RATE = 10_000_000_000  # Rp 1 million per m²


def rate_e4(text: str) -> int:
    """Read a rate: `8325`, `8.325`, `187,5` become 1/10,000 rupiah. Half a rupiah is fine, doubt is not: ValueError."""
    cleaned = text.strip().removeprefix("Rp").strip().replace("\u00a0", "")
    whole, comma, fraction = cleaned.partition(",")
    groups = whole.split(".")
    grouped = len(groups) == 1 or (0 < len(groups[0]) <= 3 and all(len(g) == 3 for g in groups[1:]))
    digits = "".join(groups)
    if not (digits.isascii() and digits.isdigit() and grouped) or len(digits) > 9 or len(fraction) > 4:
        raise ValueError(say(N_("Tulis tarif seperti 8.325 atau 187,5.")))
    if comma and not (fraction.isascii() and fraction.isdigit()):
        raise ValueError(say(N_("Tulis tarif seperti 8.325 atau 187,5.")))
    return int(digits) * 10_000 + int((fraction or "0").ljust(4, "0"))


def _rate_text(text: str) -> str:
    rate_e4(text)
    return text


Rate = Annotated[str, StringConstraints(max_length=24), AfterValidator(_rate_text)]


class Keys(BaseModel):
    """What a row names; an empty key means any."""

    market_id: Word | None = None
    session_code: Word | None = None
    place_kind: Word | None = None
    floor: Word | None = None
    zone: Word | None = None
    grade: Word | None = None
    goods: Word | None = None
    vendor_kind: Word | None = None


class TariffIn(Keys):
    """A tariff row. `rate` is before tax; `gross` (with tax) may be given exactly instead of a tax percentage."""

    model_config = ConfigDict(extra="forbid")

    charge_type: ChargeType
    basis: Basis
    rate: Rate
    tax_pct_e2: int = Field(default=0, ge=0, le=2500, description="Tax in percent × 100: 1100 is 11 %")
    gross: Rate | None = Field(default=None, description="The rate with tax, where it is set rather than computed")
    valid_from: date
    valid_until: date | None = Field(default=None, description="First day on which it no longer counts")
    legal_basis: Decision
    notice_date: date | None = None
    source: str = Field(default="", max_length=200)
    source_year: int | None = Field(default=None, ge=1990, le=2100)
    confirmed: bool = True
    note: str = Field(default="", max_length=300)
    replaces: bool = Field(default=False, description="Ends the row with the same keys on valid_from, once approved")

    @property
    def net_e4(self) -> int:
        return rate_e4(self.rate)

    @property
    def gross_e4(self) -> int:
        return rate_e4(self.gross) if self.gross else self.net_e4 + half_up(self.net_e4 * self.tax_pct_e2, 10_000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError(say(N_("Tanggal berakhir harus sesudah tanggal mulai.")))
        if self.notice_date is not None and self.notice_date > self.valid_from:
            raise ValueError(say(N_("Tarif diumumkan dulu, baru berlaku.")))
        if self.gross_e4 < self.net_e4:
            raise ValueError(say(N_("Tarif dengan pajak tidak boleh lebih kecil dari tarif sebelum pajak.")))
        most = LARGEST_AREA_RATE if self.basis.startswith("PER_M2") else LARGEST_RATE
        if self.gross_e4 > most:
            raise ValueError(say(N_("Tarif ini terlalu besar.")))
        return self


class ReliefIn(BaseModel):
    """A relief by decision. `percent` 100 waives; `weekdays` in ISO numbers (1 is Monday), empty for every day."""

    model_config = ConfigDict(extra="forbid")

    percent_e2: int = Field(ge=1, le=10_000, description="Percent × 100: 5000 is half, 10000 is all")
    charge_type: ChargeType | None = None
    market_id: Word | None = None
    place_kind: Word | None = None
    permit_id: int | None = Field(default=None, ge=1)
    vendor_id: int | None = Field(default=None, ge=1)
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = []
    valid_from: date
    valid_until: date | None = Field(default=None, description="First day on which it no longer counts")
    legal_basis: Decision
    reason: str = Field(default="", max_length=300)
    corrects: bool = Field(
        default=False, description="Back-dated on purpose: lines that exist are corrected on approval"
    )
    confirmed: bool = True

    @property
    def weekday_mask(self) -> int:
        return sum(1 << (n - 1) for n in set(self.weekdays)) or 127

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError(say(N_("Tanggal berakhir harus sesudah tanggal mulai.")))
        if self.permit_id is not None and self.market_id is None:
            raise ValueError(say(N_("Keringanan untuk satu hak pakai perlu menyebut pasarnya.")))
        return self


class TariffPost(TariffIn):
    """A tariff row of one operator."""

    operator: Word


class ReliefPost(ReliefIn):
    """A relief of one operator."""

    operator: Word


class TariffOut(Keys):
    """A tariff row. Rates are in 1/10,000 rupiah: 83250000 is Rp 8,325."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    operator_id: str
    charge_type: str
    basis: str
    net_e4: int
    gross_e4: int
    tax_pct_e2: int
    valid_from: date
    valid_until: date | None
    legal_basis: str
    notice_date: date | None
    source: str
    source_year: int | None
    confirmed: bool
    note: str
    state: str
    replaces_id: int | None
    end_on: date | None


class Decide(BaseModel):
    """A second person's decision."""

    model_config = ConfigDict(extra="forbid")

    approve: bool


class EndPost(BaseModel):
    """The first day on which a tariff would no longer count; or, without it, a decision on what another asked for."""

    model_config = ConfigDict(extra="forbid")

    valid_until: date | None = None
    approve: bool | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.valid_until is None) == (self.approve is None):
            raise ValueError(say(N_("Isi salah satu: tanggal akhir, atau keputusan.")))
        return self


class PlaceEffectOut(BaseModel):
    """One place's month before and after, in rupiah."""

    model_config = ConfigDict(from_attributes=True)

    market_id: str
    place_code: str
    before: int
    after: int
    change: int


class EffectOut(BaseModel):
    """What a proposal changes in `month`, in rupiah before relief; seasonal vendors are counted, not summed."""

    model_config = ConfigDict(from_attributes=True)

    month: date
    vendors: int
    places: int
    seasonal: int
    before: int
    after: int
    change: int
    largest: list[PlaceEffectOut]


class ReliefOut(BaseModel):
    """A relief by decision; `weekdays` is a bit mask, Monday 1 to Sunday 64."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    operator_id: str
    pct_e2: int
    charge_type: str | None
    market_id: str | None
    place_kind: str | None
    permit_id: int | None
    vendor_id: int | None
    weekdays: int
    valid_from: date
    valid_until: date | None
    legal_basis: str
    reason: str
    confirmed: bool
    corrects: bool
    state: str


class ChargeOut(BaseModel):
    """One owed line; amounts in rupiah, `period_end` is the first day after it."""

    id: str
    market: str
    place: str
    permit_id: int
    vendor_id: int
    session: str
    type: str
    name: str
    period_start: date
    period_end: date
    net: int
    tax: int
    gross: int
    relieved: int
    settled: int
    remaining: int
    explanation: str


class BillPost(BaseModel):
    """A bill of everything a vendor owes in a market by now, or of the charges named."""

    model_config = ConfigDict(extra="forbid")

    market: Word
    vendor_id: int = Field(ge=1)
    charges: list[str] | None = Field(default=None, max_length=500, description="Charge ids; without them, all unpaid")
    days: int = Field(default=7, ge=1, le=60, description="How long the bill stands")


class BillOut(BaseModel):
    """A bill. `code` is its pay code, told once, when it is made."""

    market: str
    id: int
    vendor_id: int
    purpose: str
    status: str
    amount: int
    expires_at: datetime
    code: str | None = None


class BillLineOut(BaseModel):
    """A charge of a bill: as billed, and what is left of it."""

    charge: str
    label: str
    explanation: str
    amount: int
    remaining: int


class BillDetail(BillOut):
    """A bill with its lines as they stand now."""

    lines: list[BillLineOut]
