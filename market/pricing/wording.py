"""How prices are said: names, units, days and judgements in the language of the request."""

from datetime import date
from functools import lru_cache
from typing import Protocol

from babel.dates import format_date

from market.pricing.basket import GROUPS, SOURCES
from market.pricing.catalogue import AreaRow
from market.pricing.figures import Reference, Verdict
from market.pricing.models import Group
from market.web import words
from market.web.i18n import gettext, language


class Named(Protocol):
    """What has a name in two languages."""

    @property
    def name(self) -> str: ...

    @property
    def name_en(self) -> str: ...


def name(thing: Named) -> str:
    """*Beras medium* or *Medium rice*."""
    return thing.name_en if language() == "en" and thing.name_en else thing.name


def unit(item: "WithUnit") -> str:
    """*kg*, *25 buah*; *25 pieces*."""
    return item.unit_en if language() == "en" else item.unit


class WithUnit(Protocol):
    """What is sold by a unit."""

    @property
    def unit(self) -> str: ...

    @property
    def unit_en(self) -> str: ...


def market_name(area: AreaRow) -> str:
    """Markets keep their own name in every language; regions are translated."""
    return area.name if area.is_market else name(area)


def group_title(group: str) -> str:
    """A board's heading."""
    return gettext(GROUPS[Group(group)])


def source_name(source: str) -> str:
    """Whose figures they are."""
    return gettext(SOURCES[source].name) if source in SOURCES else source


def since(day: date, today: date) -> str:
    """The day a change counts from: *Senin* within a week, else *23 Nov* (with its year where it is another)."""
    return _since(day, today, language())


@lru_cache(maxsize=2_048)
def _since(day: date, today: date, lang: str) -> str:
    if 0 <= (today - day).days < 7:
        return format_date(day, "EEEE", locale=lang)
    return format_date(day, "d MMM" if day.year == today.year else "d MMM y", locale=lang)


def last_seen(day: date) -> str:
    """*Minggu 22 Nov*."""
    return _last_seen(day, language())


@lru_cache(maxsize=2_048)
def _last_seen(day: date, lang: str) -> str:
    return format_date(day, "EEEE d MMM", locale=lang)


def short_day(day: date, today: date) -> str:
    """*Sel 24 Nov*; with the year where it is another."""
    return _short_day(day, day.year == today.year, language())


@lru_cache(maxsize=4_096)
def _short_day(day: date, this_year: bool, lang: str) -> str:
    return format_date(day, "EEE d MMM" if this_year else "EEE d MMM y", locale=lang)


def figure(reference: Reference) -> str:
    """*57.000* or *40.000–57.000*; of a band that is exceeded only its upper edge matters."""
    if reference.lower is None:
        return words.number(reference.upper)
    return f"{words.number(reference.lower)}–{words.number(reference.upper)}"


def judged_figure(reference: Reference, verdict: Verdict | None) -> str:
    """The edge that decides: the upper one above, the lower one below, both within."""
    if reference.lower is not None and verdict is Verdict.above:
        return words.number(reference.upper)
    if reference.lower is not None and verdict is Verdict.below:
        return words.number(reference.lower)
    return figure(reference)


JUDGEMENT = {Verdict.above: "above", Verdict.at: "on", Verdict.within: "within", Verdict.below: "below"}


def national() -> str:
    """The name at the end of the dotted line."""
    return gettext("nasional")
