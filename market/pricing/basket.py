"""What is priced, as data: commodities, other sources' names for them, reference prices and regions.

Names of grades and the reference prices come from published figures; each row names its legal basis, and what could
not be read in the source itself is `confirmed=False` and shown as "perlu dikonfirmasi". All of it is a first filling:
once in the tables, an office edits it there with a date.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from market.pricing.models import AreaKind, Group, ReferenceKind
from market.words import N_


@dataclass(frozen=True)
class Source:
    """Someone whose figures we show: always named, with its licence as far as it states one."""

    id: str
    name: str
    licence: str
    url: str = ""


SOURCES = {
    s.id: s
    for s in (
        Source("survey", N_("pengamatan pasar"), "CC-BY-4.0"),
        Source("pihps", "PIHPS Nasional, Bank Indonesia", N_("tidak dinyatakan"), "https://www.bi.go.id/hargapangan"),
        Source("panel", "Panel Harga Pangan, Bapanas", N_("tidak dinyatakan"), "https://panelharga.badanpangan.go.id"),
        Source(
            "panel-monthly",
            N_("Panel Harga Pangan, Bapanas (bulanan)"),
            N_("tidak dinyatakan"),
            "https://panelharga.badanpangan.go.id",
        ),
        Source("wfp", "WFP, Humanitarian Data Exchange", "CC-BY-3.0-IGO", "https://data.humdata.org"),
        Source("contoh", N_("garis contoh, bukan angka PIHPS"), "CC0-1.0"),
        Source("other", N_("sumber lain"), N_("tidak dinyatakan")),
    )
}

GROUPS = {
    Group.staples: N_("Beras dan minyak"),
    Group.spices: N_("Bumbu"),
    Group.protein: N_("Daging dan telur"),
    Group.produce: N_("Sayur dan buah"),
    Group.offerings: N_("Banten"),
    Group.reference: N_("Daftar nasional"),
}

REGIONS: list[dict[str, Any]] = [
    {"id": "ID", "kind": AreaKind.country, "name": "Indonesia", "name_en": "Indonesia", "zone": 0, "sort": 900},
    {"id": "ID-BA", "kind": AreaKind.province, "name": "Provinsi Bali", "name_en": "Province of Bali", "zone": 1,
     "sort": 901},
]  # fmt: skip


def _items(group: Group, *rows: tuple[str, ...], surveyed: bool = True) -> list[dict[str, Any]]:
    """Rows of (id, name, English name, Balinese name, unit, English unit, grade, id it is compared with)."""
    first = list(Group).index(group) * 100
    return [
        {
            "id": r[0], "name": r[1], "name_en": r[2], "name_ban": r[3], "unit": r[4], "unit_en": r[5], "grade": r[6],
            "group": group, "sort": first + i, "ceremonial": group is Group.offerings, "surveyed": surveyed,
            "compared_with": (r[7] or None) if len(r) > 7 else None,
        }
        for i, r in enumerate(rows)
    ]  # fmt: skip


COMMODITIES: list[dict[str, Any]] = [
    *_items(
        Group.reference,
        ("beras", "Beras", "Rice", "", "kg", "kg", "rata-rata enam mutu PIHPS"),
        ("beras-kualitas-bawah-1", "Beras Kualitas Bawah I", "Rice, low quality I", "", "kg", "kg", "PIHPS"),
        ("beras-kualitas-bawah-2", "Beras Kualitas Bawah II", "Rice, low quality II", "", "kg", "kg", "PIHPS"),
        ("beras-kualitas-medium-1", "Beras Kualitas Medium I", "Rice, medium quality I", "", "kg", "kg", "PIHPS"),
        ("beras-kualitas-medium-2", "Beras Kualitas Medium II", "Rice, medium quality II", "", "kg", "kg", "PIHPS"),
        ("beras-kualitas-super-1", "Beras Kualitas Super I", "Rice, super quality I", "", "kg", "kg", "PIHPS"),
        ("beras-kualitas-super-2", "Beras Kualitas Super II", "Rice, super quality II", "", "kg", "kg", "PIHPS"),
        ("daging-ayam", "Daging Ayam", "Chicken", "", "kg", "kg", "kelompok PIHPS"),
        ("daging-sapi", "Daging Sapi", "Beef", "", "kg", "kg", "kelompok PIHPS"),
        ("daging-sapi-kualitas-1", "Daging Sapi Kualitas 1", "Beef, quality 1", "", "kg", "kg", "PIHPS"),
        ("daging-sapi-kualitas-2", "Daging Sapi Kualitas 2", "Beef, quality 2", "", "kg", "kg", "PIHPS"),
        ("telur-ayam", "Telur Ayam", "Eggs", "", "kg", "kg", "kelompok PIHPS"),
        ("kelompok-bawang-merah", "Bawang Merah (kelompok)", "Shallots (group)", "", "kg", "kg", "kelompok PIHPS"),
        ("kelompok-bawang-putih", "Bawang Putih (kelompok)", "Garlic (group)", "", "kg", "kg", "kelompok PIHPS"),
        ("cabai-merah", "Cabai Merah", "Red chili", "", "kg", "kg", "kelompok PIHPS"),
        ("cabai-rawit", "Cabai Rawit", "Bird's eye chili", "", "kg", "kg", "kelompok PIHPS"),
        ("minyak-goreng", "Minyak Goreng", "Cooking oil", "", "kg", "kg", "kelompok PIHPS"),
        ("minyak-goreng-kemasan-1", "Minyak Goreng Kemasan Bermerk 1", "Cooking oil, brand 1", "", "kg", "kg", "PIHPS"),
        ("minyak-goreng-kemasan-2", "Minyak Goreng Kemasan Bermerk 2", "Cooking oil, brand 2", "", "kg", "kg", "PIHPS"),
        ("kelompok-gula-pasir", "Gula Pasir (kelompok)", "Sugar (group)", "", "kg", "kg", "kelompok PIHPS"),
        ("gula-pasir-premium", "Gula Pasir Kualitas Premium", "Sugar, premium", "", "kg", "kg", "PIHPS"),
        ("gula-pasir-lokal", "Gula Pasir Lokal", "Sugar, local", "", "kg", "kg", "PIHPS"),
        surveyed=False,
    ),
    *_items(
        Group.staples,
        ("beras-medium", "Beras medium", "Medium rice", "Baas", "kg", "kg", "medium", "beras-kualitas-medium-1"),
        ("beras-premium", "Beras premium", "Premium rice", "Baas", "kg", "kg", "premium", "beras-kualitas-super-1"),
        ("beras-sphp", "Beras SPHP", "SPHP rice", "Baas", "kg", "kg", "SPHP Bulog"),
        ("minyakita", "MinyaKita", "MinyaKita cooking oil", "", "liter", "litre", "kemasan 1 liter"),
        ("minyak-goreng-curah", "Minyak goreng curah", "Loose cooking oil", "", "kg", "kg", "curah"),
        ("gula-pasir", "Gula pasir", "Sugar", "Gula", "kg", "kg", "konsumsi", "gula-pasir-lokal"),
    ),
    *_items(
        Group.spices,
        ("cabai-rawit-merah", "Cabai rawit merah", "Red bird's eye chili", "Tabia barak", "kg", "kg", "merah, segar"),
        ("cabai-rawit-hijau", "Cabai rawit hijau", "Green bird's eye chili", "Tabia", "kg", "kg", "hijau, segar"),
        ("cabai-merah-keriting", "Cabai merah keriting", "Curly red chili", "Tabia lombok", "kg", "kg", "segar"),
        ("cabai-merah-besar", "Cabai merah besar", "Large red chili", "Tabia gede", "kg", "kg", "segar"),
        ("bawang-merah", "Bawang merah", "Shallots", "Bawang", "kg", "kg", "rogol kering, sedang"),
        ("bawang-putih", "Bawang putih", "Garlic", "Kesuna", "kg", "kg", "bonggol, sedang"),
    ),
    *_items(
        Group.protein,
        ("daging-ayam-ras", "Daging ayam ras", "Broiler chicken", "Be siap", "kg", "kg", "ras, segar"),
        ("telur-ayam-ras", "Telur ayam ras", "Chicken eggs", "Taluh siap", "kg", "kg", "ras, segar"),
        ("daging-sapi-paha-belakang", "Daging sapi paha belakang", "Beef, rear leg", "Be sampi", "kg", "kg",
         "segar, lokal", "daging-sapi-kualitas-1"),
        ("daging-sapi-paha-depan", "Daging sapi paha depan", "Beef, front leg", "Be sampi", "kg", "kg",
         "segar, lokal", "daging-sapi-kualitas-2"),
        ("daging-babi", "Daging babi", "Pork", "Be celeng", "kg", "kg", "segar"),
        ("ikan-tongkol", "Ikan tongkol", "Mackerel tuna", "Be tongkol", "kg", "kg", "segar"),
    ),
    *_items(
        Group.produce,
        ("tomat", "Tomat", "Tomatoes", "", "kg", "kg", "segar"),
        ("kangkung", "Kangkung", "Water spinach", "", "ikat", "bundle", "segar"),
        ("kedelai-impor", "Kedelai impor", "Imported soybeans", "Kedele", "kg", "kg", "biji kering"),
        ("kelapa", "Kelapa", "Coconut", "Nyuh", "butir", "piece", "tua, sedang"),
    ),
    *_items(
        Group.offerings,
        ("canang-sari", "Canang sari", "Canang sari offering", "Canang sari", "25 buah", "25 pieces", "jadi"),
        ("ceper", "Ceper", "Ceper palm trays", "Ceper", "200 buah", "200 pieces", "jadi"),
        ("janur", "Janur", "Young coconut leaf", "Busung", "ikat", "bundle", "ikat sedang"),
        ("busung-jawa", "Busung Jawa", "Java palm leaf", "Busung Jawa", "ikat", "bundle", "dari Jawa, ikat"),
        ("busung-bali", "Busung Bali", "Bali palm leaf", "Busung Bali", "ikat", "bundle", "dari Bali, ikat sedang"),
        ("bunga-mitir", "Bunga mitir", "Marigold flowers", "Bungan mitir", "kg", "kg", "segar"),
        ("bunga-pacar-air", "Bunga pacar air", "Balsam flowers", "Bungan pacah", "kg", "kg", "segar"),
        ("bunga-pecah-seribu", "Bunga pecah seribu", "Hydrangea flowers", "Pecah seribu", "kg", "kg", "segar"),
        ("bunga-kamboja", "Bunga kamboja", "Frangipani flowers", "Bungan jepun", "plastik kecil", "small bag", "segar"),
        ("pisang-biji", "Pisang raja", "Raja banana", "Biu", "biji", "piece", "raja"),
        ("pisang-sisir", "Pisang raja sesisir", "Raja banana, whole hand", "Biu", "sisir", "hand", "raja"),
    ),
]  # fmt: skip

# What PIHPS (export, BI site) calls them. Groups are averages of their varieties and stay apart from them.
_PIHPS = {
    "Beras": "beras", "Beras Kualitas Bawah I": "beras-kualitas-bawah-1",
    "Beras Kualitas Bawah II": "beras-kualitas-bawah-2", "Beras Kualitas Medium I": "beras-kualitas-medium-1",
    "Beras Kualitas Medium II": "beras-kualitas-medium-2", "Beras Kualitas Super I": "beras-kualitas-super-1",
    "Beras Kualitas Super II": "beras-kualitas-super-2", "Daging Ayam": "daging-ayam",
    "Daging Ayam Ras Segar": "daging-ayam-ras", "Daging Sapi": "daging-sapi",
    "Daging Sapi Kualitas 1": "daging-sapi-kualitas-1", "Daging Sapi Kualitas 2": "daging-sapi-kualitas-2",
    "Daging Sapi Kualitas I": "daging-sapi-kualitas-1", "Daging Sapi Kualitas II": "daging-sapi-kualitas-2",
    "Telur Ayam": "telur-ayam", "Telur Ayam Ras Segar": "telur-ayam-ras", "Bawang Merah": "kelompok-bawang-merah",
    "Bawang Merah Ukuran Sedang": "bawang-merah", "Bawang Putih": "kelompok-bawang-putih",
    "Bawang Putih Ukuran Sedang": "bawang-putih", "Cabai Merah": "cabai-merah",
    "Cabai Merah Besar": "cabai-merah-besar", "Cabai Merah Keriting": "cabai-merah-keriting",
    "Cabai Rawit": "cabai-rawit", "Cabai Rawit Hijau": "cabai-rawit-hijau", "Cabai Rawit Merah": "cabai-rawit-merah",
    "Minyak Goreng": "minyak-goreng", "Minyak Goreng Curah": "minyak-goreng-curah",
    "Minyak Goreng Kemasan Bermerk 1": "minyak-goreng-kemasan-1",
    "Minyak Goreng Kemasan Bermerk 2": "minyak-goreng-kemasan-2",
    "Minyak Goreng Kemasan Bermerek I": "minyak-goreng-kemasan-1",
    "Minyak Goreng Kemasan Bermerek II": "minyak-goreng-kemasan-2",
    "Gula Pasir": "kelompok-gula-pasir", "Gula Pasir Kualitas Premium": "gula-pasir-premium",
    "Gula Pasir Lokal": "gula-pasir-lokal",
}  # fmt: skip
_PANEL = {
    "Beras Medium": "beras-medium", "Beras Premium": "beras-premium", "Beras SPHP": "beras-sphp",
    "Bawang Merah": "bawang-merah", "Bawang Putih Bonggol": "bawang-putih", "Bawang Putih (Bonggol)": "bawang-putih",
    "Cabai Merah Keriting": "cabai-merah-keriting", "Cabai Merah Besar": "cabai-merah-besar",
    "Cabai Rawit Merah": "cabai-rawit-merah", "Daging Ayam Ras": "daging-ayam-ras", "Daging Ayam": "daging-ayam",
    "Daging Sapi Murni": "daging-sapi", "Daging Sapi": "daging-sapi", "Telur Ayam Ras": "telur-ayam-ras",
    "Telur Ayam": "telur-ayam-ras", "Gula Konsumsi": "gula-pasir", "Gula Pasir": "gula-pasir", "Minyakita": "minyakita",
    "Minyak Goreng Curah": "minyak-goreng-curah", "Kedelai Biji Kering (Impor)": "kedelai-impor",
    "Kedelai Biji Kering": "kedelai-impor",
}  # fmt: skip
_WFP = {
    "Rice": "beras", "Rice (low quality, first quality)": "beras-kualitas-bawah-1",
    "Rice (medium quality)": "beras-kualitas-medium-1", "Meat (chicken, broiler)": "daging-ayam",
    "Meat (chicken)": "daging-ayam", "Meat (beef)": "daging-sapi",
    "Meat (beef, first quality)": "daging-sapi-kualitas-1", "Meat (beef, second quality)": "daging-sapi-kualitas-2",
    "Eggs": "telur-ayam", "Chili (red)": "cabai-merah", "Chili (bird's eye)": "cabai-rawit",
    "Chili (bird's eye, red)": "cabai-rawit-merah", "Chili (bird's eye, green)": "cabai-rawit-hijau",
    "Oil (vegetable)": "minyak-goreng", "Sugar": "kelompok-gula-pasir", "Sugar (premium)": "gula-pasir-premium",
    "Sugar (local)": "gula-pasir-lokal", "Garlic": "kelompok-bawang-putih", "Garlic (medium)": "bawang-putih",
    "Shallots": "kelompok-bawang-merah", "Shallots (medium)": "bawang-merah",
}  # fmt: skip


def alias_name(name: str) -> str:
    """The form in which names of other sources are compared: lower case, single spaces."""
    return " ".join(name.lower().split())


ALIASES = {
    (source, alias_name(name)): commodity
    for source, names in (("pihps", _PIHPS), ("panel", _PANEL), ("wfp", _WFP))
    for name, commodity in names.items()
}

_HET, _HAP = ReferenceKind.het, ReferenceKind.hap
_PERBADAN = "Perbadan 11/2022"


def _reference(
    commodity: str, kind: ReferenceKind, zone: int, since: date, until: date | None, lower: int | None, upper: int,
    basis: str, confirmed: bool = True,
) -> dict[str, Any]:  # fmt: skip
    return {
        "commodity_id": commodity, "kind": kind, "zone": zone, "valid_from": since, "valid_until": until,
        "lower": lower, "upper": upper, "legal_basis": basis, "confirmed": confirmed,
    }  # fmt: skip


# First days marked unconfirmed are the start of the year in which the figure was reported.
REFERENCE_PRICES = [
    _reference("beras-medium", _HET, 1, date(2023, 1, 1), date(2024, 1, 1), None, 10_900, "HET 2023", False),
    _reference("beras-medium", _HET, 1, date(2024, 1, 1), date(2025, 8, 22), None, 12_500, "HET 2024", False),
    _reference("beras-medium", _HET, 1, date(2025, 8, 22), None, None, 13_500, "Kep. Ka Bapanas 299/2025"),
    _reference("beras-premium", _HET, 1, date(2023, 1, 1), date(2024, 1, 1), None, 13_900, "HET 2023", False),
    _reference("beras-premium", _HET, 1, date(2024, 1, 1), None, None, 14_900, "HET 2024, tetap 2025", False),
    _reference("beras-sphp", _HET, 1, date(2025, 1, 1), None, None, 12_500, "HET SPHP 2025", False),
    _reference("minyakita", _HET, 0, date(2023, 1, 1), date(2024, 8, 14), None, 14_000, "HET 2023", False),
    _reference("minyakita", _HET, 0, date(2024, 8, 14), None, None, 15_700, "Kepmendag 1028/2024"),
    _reference("cabai-rawit-merah", _HAP, 0, date(2022, 10, 1), None, 40_000, 57_000, _PERBADAN),
    _reference("cabai-merah-keriting", _HAP, 0, date(2022, 10, 1), None, 37_000, 55_000, _PERBADAN),
    _reference("bawang-merah", _HAP, 0, date(2022, 10, 1), None, 36_500, 41_500, _PERBADAN),
    _reference("bawang-putih", _HAP, 0, date(2025, 1, 1), None, 38_000, 40_000, "HAP 2025", False),
    _reference("daging-ayam-ras", _HAP, 0, date(2025, 1, 1), None, None, 40_000, "HAP 2025", False),
    _reference("telur-ayam-ras", _HAP, 0, date(2025, 1, 1), None, None, 30_000, "HAP 2025", False),
    _reference("daging-sapi-paha-depan", _HAP, 0, date(2022, 10, 1), None, None, 130_000, _PERBADAN),
    _reference("daging-sapi-paha-belakang", _HAP, 0, date(2022, 10, 1), None, None, 140_000, _PERBADAN),
    _reference("kedelai-impor", _HAP, 0, date(2022, 10, 1), None, None, 12_000, _PERBADAN),
    _reference("gula-pasir", _HAP, 0, date(2026, 1, 1), None, None, 17_500, "HAP 2026", False),
]
