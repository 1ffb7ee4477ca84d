"""The 210-day Pawukon cycle, by integer arithmetic on civil dates (Asia/Makassar; tradition begins a day at sunrise).

Epoch: R.D. -1721279 is day 0, Redite Sinta (Reingold and Dershowitz, Calendrical Calculations). The four-, eight- and
nine-day weeks are left out: they repeat days (Jaya Tiga, Sinta), and nobody here needs them.
"""

from dataclasses import dataclass
from datetime import date, timedelta

CYCLE = 210
GALUNGAN = 73  # Buda Kliwon Dungulan
WUKU = (
    "Sinta", "Landep", "Ukir", "Kulantir", "Tolu", "Gumbreg", "Wariga", "Warigadean", "Julungwangi", "Sungsang",
    "Dungulan", "Kuningan", "Langkir", "Medangsia", "Pujut", "Pahang", "Krulut", "Merakih", "Tambir", "Medangkungan",
    "Matal", "Uye", "Menail", "Perangbakat", "Bala", "Ugu", "Wayang", "Klawu", "Dukut", "Watugunung",
)  # fmt: skip
SAPTAWARA = ("Redite", "Soma", "Anggara", "Buda", "Wraspati", "Sukra", "Saniscara")
PANCAWARA = ("Umanis", "Paing", "Pon", "Wage", "Kliwon")
TRIWARA = ("Pasah", "Beteng", "Kajeng")
SADWARA = ("Tungleh", "Aryang", "Urukung", "Paniron", "Was", "Maulu")

# Days with a name, by their place in the cycle.
HOLY_DAYS = {
    0: "Banyupinaruh", 1: "Soma Ribek", 3: "Pagerwesi", 13: "Tumpek Landep", 48: "Tumpek Wariga",
    67: "Sugihan Jawa", 68: "Sugihan Bali", 70: "Penyekeban", 71: "Penyajaan", 72: "Penampahan Galungan",
    73: "Galungan", 74: "Manis Galungan", 82: "Penampahan Kuningan", 83: "Kuningan", 84: "Manis Kuningan",
    118: "Tumpek Krulut", 153: "Tumpek Uye", 188: "Tumpek Wayang", 192: "Buda Wage Klawu", 209: "Saraswati",
}  # fmt: skip


@dataclass(frozen=True)
class Pawukon:
    """Where a civil date stands in the cycle; `index` 0 is Redite Sinta."""

    index: int
    wuku: str
    saptawara: str
    pancawara: str
    triwara: str
    sadwara: str
    holy_day: str | None

    @property
    def kajeng_kliwon(self) -> bool:
        return self.triwara == "Kajeng" and self.pancawara == "Kliwon"


def pawukon(day: date) -> Pawukon:
    """Any date of the proleptic Gregorian calendar."""
    n = _index(day)
    return Pawukon(
        index=n,
        wuku=WUKU[n // 7],
        saptawara=SAPTAWARA[n % 7],
        pancawara=PANCAWARA[(n + 1) % 5],
        triwara=TRIWARA[n % 3],
        sadwara=SADWARA[n % 6],
        holy_day=HOLY_DAYS.get(n),
    )


def balinese_day(day: date) -> str:
    """*Anggara Kliwon, wuku Kulantir*: the day as it stands on a wall calendar."""
    p = pawukon(day)
    return f"{p.saptawara} {p.pancawara}, wuku {p.wuku}"


def next_galungan(day: date) -> date:
    """The first Galungan on or after `day`; always a Wednesday. A year may have one or two."""
    return day + timedelta(days=(GALUNGAN - _index(day)) % CYCLE)


def days_to_galungan(day: date) -> int:
    """0 on the day itself, at most 209."""
    return (next_galungan(day) - day).days


def _index(day: date) -> int:
    return (day.toordinal() + 1_721_279) % CYCLE
