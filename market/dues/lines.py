"""How a line is explained to a person: the rate and its basis, the quantity, the tax, the relief, the decision."""

from datetime import date, timedelta
from typing import Protocol

from market.dues.assessment import first_of_next_month
from market.dues.models import DAILY, Basis
from market.web import words
from market.web.i18n import gettext, language
from market.words import N_

UNITS: dict[str, str] = {
    Basis.PER_DAY: N_("{rate} per hari"),
    Basis.PER_M2_DAY: N_("{rate}/m² per hari × {quantity} m²"),
    Basis.PER_FRONT_M_DAY: N_("{rate}/m muka per hari × {quantity} m"),
    Basis.PER_MONTH: N_("{rate} per bulan"),
    Basis.PER_M2_MONTH: N_("{rate}/m² per bulan × {quantity} m²"),
    Basis.PER_FRONT_M_MONTH: N_("{rate}/m muka per bulan × {quantity} m"),
    Basis.PER_KWH: N_("{rate}/kWh × {quantity} kWh"),
    Basis.PER_M3: N_("{rate}/m³ × {quantity} m³"),
    Basis.PER_VISIT: N_("{rate} sekali masuk"),
    Basis.ONCE: N_("{rate} sekali bayar"),
}


class Explainable(Protocol):
    """What a sentence about a line is made of."""

    @property
    def basis(self) -> str | None: ...
    @property
    def rate_e4(self) -> int: ...
    @property
    def quantity_e4(self) -> int: ...
    @property
    def tax(self) -> int: ...
    @property
    def gross(self) -> int: ...
    @property
    def relieved(self) -> int: ...
    @property
    def relief_pct_e2(self) -> int | None: ...
    @property
    def relief_basis(self) -> str | None: ...
    @property
    def legal_basis(self) -> str: ...
    @property
    def confirmed(self) -> bool: ...
    @property
    def due_on(self) -> date: ...
    @property
    def period_end(self) -> date: ...


def explain(line: Explainable) -> str:
    """*Rp 13.000/m² per bulan × 6 m² × 15/30 hari · keringanan 50 % (SK 135/2020) · SK Direksi …*."""
    parts = []
    if line.basis:
        text = gettext(UNITS[line.basis]).format(rate=rate(line.rate_e4), quantity=decimal(line.quantity_e4))
        month_end = first_of_next_month(line.due_on)
        month_days = (month_end - line.due_on.replace(day=1)).days
        days = (line.period_end - line.due_on).days
        if line.basis not in DAILY and days < month_days:
            text += gettext(N_(" × {days}/{of} hari")).format(days=days, of=month_days)
        parts.append(text)
    if line.tax:
        parts.append(gettext(N_("termasuk PPN {tax}")).format(tax=words.money(line.tax)))
    if line.relieved and line.relief_pct_e2 is not None:
        parts.append(
            gettext(N_("keringanan {pct} % −{amount} ({decision})")).format(
                pct=decimal(line.relief_pct_e2 * 100), amount=words.money(line.relieved), decision=line.relief_basis
            )
        )
    if line.legal_basis:
        parts.append(
            line.legal_basis if line.confirmed else f"{line.legal_basis} ({gettext(N_('perlu dikonfirmasi'))})"
        )
    return " · ".join(parts)


def period(start: date, end: date) -> str:
    """The half-open period as people say it: *24 Nov*, *November 2026*, *15–30 Nov*."""
    last = end - timedelta(days=1)
    if start == last:
        return words.day_short(start)
    if start.day == 1 and end == first_of_next_month(start):
        return words.month(start)
    return f"{words.day_short(start)} – {words.day_short(last)}"


def rate(rate_e4: int) -> str:
    """A rate as money, with its fraction where it has one: *Rp 187,5*."""
    whole, fraction = divmod(rate_e4, 10_000)
    text = words.money(whole)
    return text + _fraction(fraction) if fraction else text


def decimal(value_e4: int) -> str:
    """A number scaled by 10,000: *12,96*."""
    whole, fraction = divmod(value_e4, 10_000)
    return words.number(whole) + _fraction(fraction)


def _fraction(fraction: int) -> str:
    if not fraction:
        return ""
    return ("," if language() == "id" else ".") + f"{fraction:04d}".rstrip("0")
