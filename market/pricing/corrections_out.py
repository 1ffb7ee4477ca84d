"""The public list of corrections for programs: what stood there, what stands there now, why, and when it was changed."""

from datetime import date, datetime

from pydantic import BaseModel, Field
from sqlalchemy import bindparam, text
from sqlmodel import Session

from market.database import UTCDateTime
from market.pricing import catalogue

Key = tuple[str, int, str, int]


class CorrectionRow(BaseModel):
    """One figure put right after publication. A price is null where fewer than three quotes were left."""

    market: str = Field(examples=["BDG"])
    commodity: str = Field(examples=["cabai-rawit-merah"])
    date: date
    revision: int = Field(examples=[1])
    old_price: int | None = Field(examples=[6_000])
    new_price: int | None = Field(examples=[60_000])
    reason: str = Field(examples=["satu nol kurang"])
    corrected_at: datetime


_LIST = """
SELECT k.area_id, s.commodity_id, k.day, k.revision, k.old_price, k.new_price, k.reason, k.at, k.series_id
FROM price_correction k JOIN price_series s ON s.id = k.series_id AND s.area_id = k.area_id AND s.source = 'survey'
WHERE 1 = 1 {filters} ORDER BY k.at DESC, k.series_id, k.day, k.revision LIMIT :limit
"""
_AFTER = (
    "AND (k.at < :at OR (k.at = :at AND (k.series_id > :series OR (k.series_id = :series AND (k.day > :day "
    "OR (k.day = :day AND k.revision > :revision))))))"
)


def list_corrections(
    session: Session, *, market: str | None, after: Key | None, limit: int
) -> tuple[list[CorrectionRow], Key | None]:
    """Newest first, and the key to go on after. Raises UnknownArea."""
    filters, values = "", dict[str, object](limit=limit + 1)
    if market is not None:
        filters += " AND k.area_id = :market"
        values["market"] = catalogue.get_market(session, market).id
    query = text(_LIST.format(filters=filters))
    if after is not None:
        query = text(_LIST.format(filters=f"{filters} {_AFTER}")).bindparams(bindparam("at", type_=UTCDateTime))
        values |= {"at": datetime.fromisoformat(after[0]), "series": after[1], "day": after[2], "revision": after[3]}
    rows = session.execute(query.columns(at=UTCDateTime), values).all()
    kept = rows[:limit]
    found = [
        CorrectionRow(market=r[0], commodity=r[1], date=r[2], revision=r[3], old_price=r[4], new_price=r[5], reason=r[6],
                      corrected_at=r[7])
        for r in kept
    ]  # fmt: skip
    last = kept[-1] if len(rows) > limit else None
    return found, (last[7].isoformat(), last[8], str(last[2]), last[3]) if last else None
