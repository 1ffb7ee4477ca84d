"""The five markets as data: who runs them, when they open, their blocks, and their fees with source and year.

Operators, markets, sessions and the published tariffs are real and carry their source; how many places stand in which block is
invented. Where no figure was published the tariff says so ("contoh") and is marked as unconfirmed.
"""

from dataclasses import dataclass
from datetime import date, time
from typing import NamedTuple

from market.words import N_

PERUMDA, VILLAGE, REGENCY = "PERUMDA", "SINDU", "KLUNGKUNG"

OPERATORS = {
    PERUMDA: "Perumda Pasar Sewakadarma Kota Denpasar",
    VILLAGE: "Pengelola Pasar Desa Adat (contoh), Sanur",
    REGENCY: "Dinas Perdagangan Kabupaten Klungkung (contoh)",
}


class Opening(NamedTuple):
    code: str
    name: str
    opens: time
    closes: time


@dataclass(frozen=True)
class Block:
    """A row of equal places. `share` is how much of it is let; `seasonal` how much of that to vendors who come and go."""

    name: str
    kind: str
    count: int
    floor: str
    zone: str
    goods: tuple[str, ...]
    area_cm2: tuple[int, ...]
    front_cm: int | None = None
    sessions: tuple[str, ...] = ("pagi",)
    share: float = 0.92
    seasonal: float = 0.0


@dataclass(frozen=True)
class City:
    """One market of the demo."""

    code: str
    name: str
    operator: str
    regime: str
    source: str
    sessions: tuple[Opening, ...]
    blocks: tuple[Block, ...]


MORNING = Opening("pagi", N_("Pagi"), time(6), time(15))
NIGHT = Opening("malam", N_("Malam (Pasar Asoka)"), time(15), time(6))
M2 = 10_000

MARKETS = (
    City("KRN", "Pasar Kereneng", PERUMDA, "PERUMDA", "balipost.com 2025/11/30; denpasarkota.go.id (kavling Kreneng)", (MORNING, NIGHT), (
        Block("A", "KIOS", 34, "1", "kering", ("sembako", "kelontong", "perabot", "telur"), (6 * M2, 9 * M2, 12 * M2)),
        Block("B", "LOS", 46, "1", "basah", ("sayur", "bumbu", "daging", "ayam", "ikan", "tahu tempe"), (4 * M2,)),
        Block("C", "PELATARAN", 22, "1", "upakara", ("canang", "bunga", "janur"), (24_000,), 200, seasonal=0.45),
        Block("K", "KAVLING_MALAM", 34, "1", "siap saji", ("buah", "jaja", "sayur"), (18_000,), 120, ("pagi", "malam"), 0.8),
    )),
    City("BDG", "Pasar Badung", PERUMDA, "PERUMDA", "nusabali.com/index.php/berita/124358; bali.tribunnews.com/2019/10/06", (MORNING,), (
        Block("1", "LOS", 40, "1", "basah", ("ikan", "daging", "ayam", "tahu tempe", "bumbu"), (4 * M2,)),
        Block("2", "LOS", 28, "2", "basah", ("buah", "sayur", "janur", "canang"), (4 * M2,)),
        Block("3", "KIOS", 24, "3", "kering", ("sembako", "perabot", "jaja"), (6 * M2, 9 * M2), share=0.8),
        Block("P", "PELATARAN", 14, "1", "upakara", ("canang", "bunga"), (24_000,), 200, seasonal=0.4),
    )),
    City("STR", "Pasar Satria", PERUMDA, "PERUMDA", "nusabali.com/berita/71791", (MORNING,), (
        Block("A", "KIOS", 18, "1", "kering", ("sembako", "pakaian", "kelontong"), (6 * M2, 9 * M2)),
        Block("B", "LOS", 30, "1", "basah", ("sayur", "ikan", "buah", "daging"), (4 * M2,)),
        Block("C", "PELATARAN", 10, "1", "upakara", ("canang", "bunga"), (24_000,), 200, seasonal=0.3),
    )),
    City("SND", "Pasar Sindu", VILLAGE, "DESA_ADAT", "baliekbis.com/23578-2 (pasar desa adat)", (MORNING,), (
        Block("A", "LOS", 26, "1", "basah", ("sayur", "buah", "ikan", "jaja", "bumbu"), (4 * M2,)),
        Block("B", "KIOS", 12, "1", "kering", ("sembako", "kelontong"), (6 * M2,)),
        Block("T", "TENDA", 10, "1", "siap saji", ("nasi", "jaja"), (6 * M2,), 250, seasonal=0.3),
    )),
    City("SMR", "Pasar Semarapura (contoh retribusi)", REGENCY, "RETRIBUSI_PEMDA", "nusabali.com/index.php/berita/161151 (Klungkung)", (MORNING,), (
        Block("A", "KIOS", 26, "1", "kering", ("sembako", "pakaian", "kelontong"), (129_600, 9 * M2)),
        Block("B", "LOS", 22, "1", "basah", ("sayur", "bumbu", "ikan", "ayam"), (4 * M2,)),
    )),
)  # fmt: skip


class Fee(NamedTuple):
    """A tariff row. `rate` and `gross` are as people write them: Rp 8.750, 187,5."""

    operator: str
    market: str | None
    charge_type: str
    basis: str
    rate: str
    legal_basis: str
    source: str
    year: int
    gross: str | None = None
    tax_pct_e2: int = 0
    kind: str | None = None
    session: str | None = None
    valid_from: date = date(2024, 1, 1)
    confirmed: bool = True


_SK = "SK Direksi, dikutip berita"
_NONE = "Contoh: tarif desa tidak diumumkan"
_STAND_IN = "Contoh: tarif pasar lain sebagai pengganti"
FEES = (
    Fee(PERUMDA, "KRN", "BOP", "PER_DAY", "7.500", _SK, "balipost.com 2025/11/30", 2025, "8.325", 1100, "KIOS"),
    Fee(PERUMDA, "KRN", "BOP", "PER_DAY", "7.000", _SK, "balipost.com 2025/11/30", 2025, "7.770", 1100, "LOS"),
    Fee(PERUMDA, "KRN", "SEWA", "PER_M2_MONTH", "13.000", _SK, "balipost.com 2025/11/30", 2025, kind="KIOS"),
    Fee(PERUMDA, "KRN", "SEWA", "PER_M2_MONTH", "6.000", _SK, "balipost.com 2025/11/30", 2025, kind="LOS"),
    Fee(PERUMDA, None, "BOP", "PER_DAY", "7.500", _SK, "balipost.com 2021/06/03 (rata-rata)", 2021, kind="PELATARAN"),
    Fee(PERUMDA, "KRN", "BOP", "PER_DAY", "7.500", _STAND_IN, "balipost.com 2021/06/03 (rata-rata pelataran)", 2021, kind="KAVLING_MALAM",
        session="pagi", confirmed=False),
    Fee(PERUMDA, "KRN", "BOP", "PER_FRONT_M_DAY", "8.750", _STAND_IN, "metrobali.com (Badung malam, 10.500 per 1,2 m)", 2015,
        kind="KAVLING_MALAM", session="malam", confirmed=False),
    Fee(PERUMDA, "BDG", "BOP", "PER_DAY", "8.300", _SK, "nusabali.com 124358", 2022, kind="KIOS"),
    Fee(PERUMDA, "BDG", "BOP", "PER_DAY", "7.780", _SK, "nusabali.com 124358", 2022, kind="LOS"),
    Fee(PERUMDA, "BDG", "SEWA", "PER_MONTH", "300.000", "Perwali 30/2022", "nusabali.com 124358", 2022, kind="KIOS", valid_from=date(2022, 10, 1)),
    Fee(PERUMDA, "BDG", "SEWA", "PER_MONTH", "200.000", "Perwali 30/2022", "nusabali.com 124358", 2022, kind="LOS", valid_from=date(2022, 10, 1)),
    Fee(PERUMDA, "STR", "BOP", "PER_DAY", "6.500", _STAND_IN, "bali.tribunnews.com 2019/10/06 (Badung)", 2019, kind="KIOS", confirmed=False),
    Fee(PERUMDA, "STR", "BOP", "PER_DAY", "6.500", _STAND_IN, "bali.tribunnews.com 2019/10/06 (Badung)", 2019, kind="LOS", confirmed=False),
    Fee(PERUMDA, "STR", "SEWA", "PER_M2_MONTH", "4.500", _SK, "nusabali.com/berita/71791", 2020, kind="KIOS"),
    Fee(PERUMDA, "STR", "SEWA", "PER_M2_MONTH", "4.500", _SK, "nusabali.com/berita/71791", 2020, kind="LOS"),
    Fee(VILLAGE, "SND", "BOP", "PER_DAY", "4.000", _NONE, "contoh", 2026, kind="LOS", confirmed=False),
    Fee(VILLAGE, "SND", "BOP", "PER_DAY", "5.000", _NONE, "contoh", 2026, kind="KIOS", confirmed=False),
    Fee(VILLAGE, "SND", "BOP", "PER_DAY", "5.000", _NONE, "contoh", 2026, kind="TENDA", confirmed=False),
    Fee(VILLAGE, "SND", "KEBERSIHAN", "PER_DAY", "1.000", _NONE, "contoh", 2026, confirmed=False),
    Fee(REGENCY, "SMR", "RETRIBUSI", "PER_M2_DAY", "1.000", "Perda Klungkung, berlaku 5 Januari 2024", "nusabali.com 161151", 2024,
        valid_from=date(2024, 1, 5)),
)  # fmt: skip

SOCIAL_PARTNER = "Rumah Berdaya (mitra sosial)"
SOCIAL_DECISION = "SK contoh 001/2026: mitra sosial, dibebaskan 100 %"
