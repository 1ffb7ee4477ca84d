"""How figures and days are said, in the language of the request."""

from datetime import date, datetime, timedelta
from functools import lru_cache

from babel.dates import format_date

from market import clock
from market.money import grouped
from market.money import rp as rp
from market.web.i18n import language, ngettext


def number(value: int | None) -> str:
    """`13400` → `13.400` in Indonesian, `13,400` in English."""
    if value is None:
        return "–"
    text = grouped(abs(value))
    sign = "-" if value < 0 else ""
    return sign + (text if language() == "id" else text.replace(".", ","))


def money(value: int | None) -> str:
    """Whole rupiah for a page: `Rp 13.400`; English readers get the comma they expect."""
    if value is None:
        return "–"
    return rp(value) if language() == "id" else rp(value).replace(".", ",")


def day(value: date) -> str:
    """*Selasa, 24 November 2026*."""
    return _day(_date(value), language())


@lru_cache(maxsize=2_048)
def _day(civil: date, lang: str) -> str:
    return format_date(civil, "EEEE, d MMMM y", locale=lang)


def day_short(value: date) -> str:
    """*24 Nov*; with the year where it is not this one."""
    civil = _date(value)
    pattern = "d MMM" if civil.year == clock.today().year else "d MMM y"
    return format_date(civil, pattern, locale=language())


def weekday(value: date) -> str:
    """*Senin*."""
    return format_date(_date(value), "EEEE", locale=language())


def month(value: date) -> str:
    """*November 2026*."""
    return format_date(_date(value), "MMMM y", locale=language())


def time_of(value: datetime, tz: str | None = None) -> str:
    """`10.42` on the market's clock, `10:42` in English."""
    return clock.local(value, tz).strftime("%H.%M" if language() == "id" else "%H:%M")


def ago(value: datetime) -> str:
    """How long since, in the largest unit that fits."""
    gone: timedelta = clock.now() - value
    minutes = int(gone.total_seconds() // 60)
    if minutes < 60:
        n = max(minutes, 0)
        return ngettext("%(n)s menit lalu", "%(n)s menit lalu", n) % {"n": n}
    if minutes < 60 * 48:
        n = minutes // 60
        return ngettext("%(n)s jam lalu", "%(n)s jam lalu", n) % {"n": n}
    n = minutes // 1440
    return ngettext("%(n)s hari lalu", "%(n)s hari lalu", n) % {"n": n}


def _date(value: date) -> date:
    return clock.local(value).date() if isinstance(value, datetime) else value
