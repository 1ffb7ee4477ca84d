"""Regions of Indonesia under the codes of ISO 3166-2, and the markets other people list inside them."""

import re
from hashlib import sha256
from typing import NamedTuple

from market.pricing.models import AreaKind


class Region(NamedTuple):
    """A place a reference series is about; `id` is at most 16 characters."""

    id: str
    name: str
    kind: AreaKind


PROVINCES = {
    "AC": "Aceh", "SU": "Sumatera Utara", "SB": "Sumatera Barat", "RI": "Riau", "KR": "Kepulauan Riau", "JA": "Jambi",
    "BE": "Bengkulu", "SS": "Sumatera Selatan", "BB": "Kepulauan Bangka Belitung", "LA": "Lampung", "BT": "Banten",
    "JB": "Jawa Barat", "JK": "DKI Jakarta", "JT": "Jawa Tengah", "YO": "DI Yogyakarta", "JI": "Jawa Timur", "BA": "Bali",
    "NB": "Nusa Tenggara Barat", "NT": "Nusa Tenggara Timur", "KB": "Kalimantan Barat", "KS": "Kalimantan Selatan",
    "KT": "Kalimantan Tengah", "KI": "Kalimantan Timur", "KU": "Kalimantan Utara", "GO": "Gorontalo",
    "SN": "Sulawesi Selatan", "SG": "Sulawesi Tenggara", "ST": "Sulawesi Tengah", "SA": "Sulawesi Utara",
    "SR": "Sulawesi Barat", "MA": "Maluku", "MU": "Maluku Utara", "PA": "Papua", "PB": "Papua Barat",
    "PD": "Papua Barat Daya", "PS": "Papua Selatan", "PT": "Papua Tengah", "PE": "Papua Pegunungan",
}  # fmt: skip
COUNTRY = Region("ID", "Indonesia", AreaKind.country)
_OTHER_NAMES = {
    "dki jakarta": "JK", "jakarta": "JK", "d.i. yogyakarta": "YO", "daerah istimewa yogyakarta": "YO", "yogyakarta": "YO",
    "d.i yogyakarta": "YO", "kep. riau": "KR", "kep. bangka belitung": "BB", "bangka belitung": "BB", "ntb": "NB", "ntt": "NT",
    "nanggroe aceh darussalam": "AC", "nad": "AC",
}  # fmt: skip
_WHOLE = frozenset({"indonesia", "nasional", "semua provinsi", "rata-rata nasional", "national average"})
_BY_NAME = {name.casefold(): code for code, name in PROVINCES.items()} | _OTHER_NAMES


def region_named(name: str) -> Region | None:
    """The province or the country of that name, however it is spaced or abbreviated; None if it is neither."""
    text = " ".join(name.split()).casefold().removeprefix("provinsi ").removeprefix("prov. ")
    if text in _WHOLE:
        return COUNTRY
    code = _BY_NAME.get(text)
    return Region(f"ID-{code}", PROVINCES[code], AreaKind.province) if code else None


def region_coded(code: str) -> Region | None:
    """`ID`, `ID-BA`, or a part of a province under our own ending (`ID-KI-BALIKPAPAN`); None if there is no such province."""
    text = code.strip().upper()
    if text == "ID":
        return COUNTRY
    match = re.fullmatch(r"ID-([A-Z]{2})(?:-([A-Z0-9]{1,10}))?", text)
    if match is None or match[1] not in PROVINCES:
        return None
    if match[2]:
        return Region(text, f"{match[2].title()}, {PROVINCES[match[1]]}", AreaKind.city)
    return Region(text, PROVINCES[match[1]], AreaKind.province)


def market_in(province: Region, city: str, market: str) -> Region:
    """Someone else's market: its province, letters of its name, and a mark that keeps two Pasar Baru apart."""
    city, market = " ".join(city.split()), " ".join(market.split())
    letters = re.sub(r"[^A-Z0-9]", "", market.upper().removeprefix("PASAR"))[:6]
    mark = sha256(f"{city}|{market}".casefold().encode()).hexdigest()[:4].upper()
    return Region(f"{province.id}-{letters}{mark}"[:16], f"{market}, {city}"[:120], AreaKind.city)
