"""Dated rows of the calendar: what a letter says, with its source. Nothing here is computed."""

from datetime import date

from sqlmodel import Field, SQLModel

from market.database import BigKey as BigKey  # imported first: it names the constraints

EVERYWHERE = "-"  # the market_id of a row that counts for every market


class ClosedDay(SQLModel, table=True):
    """A day on which a market, an office or both rest. `market_id` is a market's code, or "-" for all of them."""

    __tablename__ = "closed_day"

    market_id: str = Field(primary_key=True, max_length=8)
    day: date = Field(primary_key=True)
    closes_market: bool = True
    closes_office: bool = True
    reason: str = Field(max_length=120)
    source: str = Field(default="", max_length=200)
    confirmed: bool = True


class OpenDay(SQLModel, table=True):
    """A day on which a market with the rule DATES opens."""

    __tablename__ = "open_day"

    market_id: str = Field(primary_key=True, max_length=8)
    day: date = Field(primary_key=True)
    reason: str = Field(default="", max_length=120)
