"""Tariffs that were published, as data: amount, market, source and year (domain.md 1.6). Not law: every row asks the
office to confirm its decision, because the press names amounts and seldom the number of the SK.

A row without a source is an invented example for a market of the demo city and says so.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlmodel import Session

from market.auth.access import SYSTEM
from market.dues.models import Basis, ChargeType, Tariff
from market.dues.schemas import TariffIn
from market.dues.tariffs import add_tariff

SAMPLE = "Angka contoh, tanpa sumber"
PERUMDA = "Perumda Pasar Sewakadarma"


@dataclass(frozen=True)
class KnownTariff:
    """One published rate. `market` is a code of the demo city, or None for every market of the Perumda."""

    market: str | None
    charge_type: ChargeType
    basis: Basis
    rate: str
    since: date
    until: date | None
    decision: str
    source: str
    year: int | None
    tax_pct_e2: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    note: str = ""

    def as_input(self) -> TariffIn:
        """The row as the office would enter it, marked "perlu dikonfirmasi"."""
        values: dict[str, Any] = {
            "charge_type": self.charge_type, "basis": self.basis, "rate": self.rate, "tax_pct_e2": self.tax_pct_e2,
            "valid_from": self.since, "valid_until": self.until, "legal_basis": self.decision, "source": self.source,
            "source_year": self.year, "confirmed": False, "note": self.note, "market_id": self.market,
        }  # fmt: skip
        return TariffIn.model_validate(values | self.keys)


KIOS, LOS, PELATARAN = {"place_kind": "KIOS"}, {"place_kind": "LOS"}, {"place_kind": "PELATARAN"}
_SK = "SK Direksi Perumda Pasar Sewakadarma (nomor belum diketahui)"
_GALIRAN = "Perda Klungkung tentang retribusi pasar, 2018 (nomor belum diketahui)"
_LEVY = "Perda Klungkung tentang pajak dan retribusi daerah, berlaku 5 Januari 2024"
_KRN = ("Bali Post, 30 November 2025", 2025)
_BDG = ("NusaBali 124358, 2022", 2022)
_GLR = ("NusaBali 36682, 2018", 2018)


def _rows(
    market: str | None, since: date, decision: str, source: tuple[str, int | None],
    rows: Iterable[tuple[ChargeType, Basis, str, dict[str, str]]],
    *, until: date | None = None, tax_pct_e2: int = 0, note: str = "",
) -> list[KnownTariff]:  # fmt: skip
    return [
        KnownTariff(market, kind, basis, rate, since, until, decision, source[0], source[1], tax_pct_e2, keys, note)
        for kind, basis, rate, keys in rows
    ]


BOP, SEWA, RETRIBUSI, LISTRIK, AIR = (
    ChargeType.BOP, ChargeType.SEWA, ChargeType.RETRIBUSI, ChargeType.LISTRIK, ChargeType.AIR
)  # fmt: skip
DAY, M2_MONTH, MONTH, M2_DAY = Basis.PER_DAY, Basis.PER_M2_MONTH, Basis.PER_MONTH, Basis.PER_M2_DAY

KNOWN: tuple[KnownTariff, ...] = (
    # Kereneng: BOP with PPN is exactly 8,325 = 7,500 + 825 and 7,770 = 7,000 + 770.
    *_rows(
        "KRN", date(2025, 1, 1), _SK, _KRN,
        [(BOP, DAY, "7500", KIOS), (BOP, DAY, "7000", LOS)],
        tax_pct_e2=1100, note="Rp 8.325 dan Rp 7.770 sehari, sudah termasuk PPN",
    ),
    *_rows("KRN", date(2025, 1, 1), _SK, _KRN, [(SEWA, M2_MONTH, "13000", KIOS), (SEWA, M2_MONTH, "6000", LOS)]),
    # Badung: BOP only until Perwali 30/2022 assigned the market; rent since 1 October 2022.
    *_rows(
        "BDG", date(2019, 3, 22), _SK, ("Bali Tribun, 6 Oktober 2019", 2019), [(BOP, DAY, "6500", {})],
        until=date(2022, 1, 1), note="Biaya operasional harian dibagi 1.740 tempat",
    ),
    *_rows(
        "BDG", date(2022, 1, 1), _SK, _BDG, [(BOP, DAY, "8300", KIOS), (BOP, DAY, "7780", LOS)],
        note="Pajak tidak disebut sumber",
    ),
    *_rows("BDG", date(2022, 10, 1), "Perwali Denpasar 30/2022", _BDG, [(SEWA, MONTH, "300000", KIOS), (SEWA, MONTH, "200000", LOS)]),
    *_rows(
        "BDG", date(2015, 1, 1), _SK, ("Metro Bali, 2015", 2015),
        [
            (SEWA, DAY, "3500", {"place_kind": "PELATARAN", "session_code": "malam"}),
            (LISTRIK, DAY, "6000", {"place_kind": "PELATARAN", "session_code": "malam"}),
            (AIR, DAY, "1000", {"place_kind": "PELATARAN", "session_code": "malam"}),
        ],
        note="Per 1,2 m muka: tempat 3.500, listrik 6.000, WC dan air 1.000",
    ),
    *_rows("STR", date(2020, 1, 1), _SK, ("NusaBali 71791, 2020", 2020), [(SEWA, M2_MONTH, "4500", {})], note="Terendah di kota"),
    *_rows(
        "KMB", date(2020, 1, 1), _SK, ("NusaBali 71791, 2020", 2020), [(SEWA, M2_MONTH, "23500", {"floor": "1"})],
        note="Lantai 1, tertinggi di kota",
    ),
    *_rows(
        None, date(2021, 1, 1), _SK, ("Bali Post, 3 Juni 2021", 2021), [(BOP, DAY, "7500", PELATARAN)],
        note="Rata-rata pelataran; air dan listrik di luar ini",
    ),
    # Klungkung, a levy: kiosks, los and courts by the day until 2024, then by the square metre.
    *_rows(
        "GLR", date(2018, 1, 1), _GALIRAN, _GLR,
        [
            (RETRIBUSI, DAY, "5000", KIOS), (RETRIBUSI, DAY, "4000", LOS), (RETRIBUSI, DAY, "3000", PELATARAN),
            (RETRIBUSI, DAY, "5000", {**PELATARAN, "goods": "tengkulak"}),
            (RETRIBUSI, DAY, "1000", {**PELATARAN, "vendor_kind": "MUSIMAN"}),
            (RETRIBUSI, DAY, "25000", {"place_kind": "MOBIL"}),
            (RETRIBUSI, M2_DAY, "3000", {"session_code": "malam", "place_kind": "TENDA"}),
            (LISTRIK, Basis.PER_KWH, "1500", {}),
        ],
        until=date(2024, 1, 5),
    ),
    *_rows(
        "SMR", date(2024, 1, 5), _LEVY, ("NusaBali 161151, 2024", 2024), [(RETRIBUSI, M2_DAY, "1000", {})],
        note="Pedagang baru diberi tahu pada Februari 2024",
    ),
    # Examples where no published figure is known, so that the demo city can be charged.
    *_rows("STR", date(2024, 1, 1), SAMPLE, ("", None), [(BOP, DAY, "6500", KIOS), (BOP, DAY, "6000", LOS)], tax_pct_e2=1100),
    *_rows("ASK", date(2024, 1, 1), SAMPLE, ("", None), [(BOP, DAY, "7500", {"place_kind": "KAVLING_MALAM"})], tax_pct_e2=1100),
    *_rows("ASK", date(2024, 1, 1), SAMPLE, ("", None), [(LISTRIK, DAY, "2000", {})]),
)  # fmt: skip


def village(market: str, since: date = date(2024, 1, 1)) -> list[KnownTariff]:
    """Example rows for a village (desa adat) market: no published figure is known, so these say that they are samples."""
    rows = [
        (ChargeType.BOP, DAY, "4000", KIOS),
        (ChargeType.BOP, DAY, "3000", LOS),
        (ChargeType.BOP, DAY, "2000", PELATARAN),
    ]
    return _rows(market, since, "Pararem desa adat (angka contoh)", ("", None), rows)


def seed(
    session: Session, operator_id: str, market_ids: Collection[str], extra: Sequence[KnownTariff] = ()
) -> list[Tariff]:
    """Save the known rows of these markets of one operator; rows without a market go to the Perumda only."""
    wanted = [
        row for row in (*KNOWN, *extra) if row.market in market_ids or (row.market is None and operator_id == "PERUMDA")
    ]
    return [add_tariff(session, operator_id, row.as_input(), by=SYSTEM) for row in wanted]
