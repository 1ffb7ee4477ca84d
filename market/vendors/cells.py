"""Cells of a registry sheet, read strictly: an area, a front, a NIK, a day, one of a few words. Pure; refuses doubt.

Every reader takes a cell and gives a value, or raises `Unreadable` with the sentence for the person who typed it.
"""

import re
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from market.money import half_up
from market.sheets.xlsx import Cell
from market.vendors.models import PermitStatus, PlaceKind, PlaceStatus, VendorKind, VendorType
from market.words import N_, Message, say

LONGEST = 500
MARKUP = re.compile(r"[<>{}]|[\x00-\x08\x0b-\x1f]")
LARGEST_M2 = 100_000
_ERRORS = ("#DIV/0!", "#REF!", "#VALUE!", "#N/A", "#NAME?", "#NUM!", "#NULL!")

Word = TypeVar("Word", bound=StrEnum)

PLACE_KINDS = {
    "kios": PlaceKind.KIOS,
    "los": PlaceKind.LOS,
    "pelataran": PlaceKind.PELATARAN,
    "kavling malam": PlaceKind.KAVLING_MALAM,
    "kavling": PlaceKind.KAVLING_MALAM,
    "tenda": PlaceKind.TENDA,
    "mobil": PlaceKind.MOBIL,
}
PLACE_STATUSES = {
    "dapat dipakai": PlaceStatus.AVAILABLE,
    "disimpan": PlaceStatus.RESERVED,
    "diperbaiki": PlaceStatus.UNDER_REPAIR,
    "ditutup": PlaceStatus.CLOSED,
    "tps": PlaceStatus.TPS,
    "available": PlaceStatus.AVAILABLE,
    "reserved": PlaceStatus.RESERVED,
    "under repair": PlaceStatus.UNDER_REPAIR,
    "closed": PlaceStatus.CLOSED,
}
VENDOR_KINDS = {"tercatat": VendorKind.TERCATAT, "musiman": VendorKind.MUSIMAN, "registered": VendorKind.TERCATAT,
                "seasonal": VendorKind.MUSIMAN}  # fmt: skip
PERMIT_STATUSES = {
    "berlaku": PermitStatus.ACTIVE, "dihentikan sementara": PermitStatus.SUSPENDED, "sp1": PermitStatus.SP1,
    "sp2": PermitStatus.SP2, "sp3": PermitStatus.SP3, "habis masa": PermitStatus.EXPIRED, "dicabut": PermitStatus.REVOKED,
    "dikembalikan": PermitStatus.RETURNED, "dibaliknamakan": PermitStatus.TRANSFERRED, "active": PermitStatus.ACTIVE,
}  # fmt: skip
VENDOR_TYPES = {"orang": VendorType.PERSON, "perorangan": VendorType.PERSON, "person": VendorType.PERSON,
                "lembaga": VendorType.INSTITUTION, "institution": VendorType.INSTITUTION}  # fmt: skip


class Unreadable(ValueError):
    """A cell that is not taken; `text` says why."""

    def __init__(self, text: Message) -> None:
        self.text = text
        super().__init__(str(text))


def words(cell: Cell, most: int = LONGEST) -> str:
    """Text: trimmed, single spaces, no markup, not longer than `most`."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = " ".join(str(cell).split())
    if text.upper() in _ERRORS:
        raise Unreadable(say(N_("Berisi kesalahan rumus {text}."), text=text))
    if len(text) > most:
        raise Unreadable(say(N_("Terlalu panjang: {n} huruf, paling banyak {most}."), n=len(text), most=most))
    if MARKUP.search(text):
        raise Unreadable(say(N_("Ada tanda yang tidak boleh, seperti < atau >.")))
    return text


def needed(cell: Cell, most: int = LONGEST) -> str:
    """Text that must be there."""
    text = words(cell, most)
    if not text:
        raise Unreadable(say(N_("Wajib diisi.")))
    return text


def code(cell: Cell) -> str:
    """A place's code or a vendor's number: b-12 and B-12 are one place; without what would break an address."""
    text = needed(cell, 20).upper()
    if re.search(r"[/\\?#%&;]", text):
        raise Unreadable(say(N_("Kode hanya huruf, angka, spasi, titik dan strip.")))
    return text


def centi(cell: Cell, scale: int) -> int | None:
    """A decimal quantity times `scale`, as an integer: 12,96 m² × 10.000 = 129.600 cm². Empty is None."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    text = repr(cell) if isinstance(cell, float) else str(cell).strip().replace(",", ".")
    text = re.sub(r"\s*m2?²?$", "", text, flags=re.IGNORECASE)
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise Unreadable(say(N_("Bukan angka: {text}. Tulis seperti 12,96."), text=str(cell)[:40]))
    whole, _, fraction = text.lstrip("-").partition(".")
    value = half_up(int(whole + fraction.ljust(6, "0")) * scale, 10**6)
    if text.startswith("-") or value == 0:
        raise Unreadable(say(N_("Harus lebih dari nol.")))
    if value > LARGEST_M2 * scale:
        raise Unreadable(say(N_("Terlalu besar: {text}."), text=str(cell)[:40]))
    return value


def area_cm2(cell: Cell) -> int | None:
    """Square metres as cm²."""
    return centi(cell, 10_000)


def front_cm(cell: Cell) -> int | None:
    """Metres as cm."""
    return centi(cell, 100)


def decimal(value: int | None, scale: int) -> str:
    """129600 cm² as `12,96`: text, because a number would come back from a spreadsheet as a binary fraction."""
    if value is None:
        return ""
    whole, rest = divmod(value, scale)
    return f"{whole},{rest:0{len(str(scale)) - 1}d}".rstrip("0").rstrip(",")


def number(cell: Cell) -> int:
    """A stall's number within its block; empty is 0."""
    text = words(cell, 9)
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise Unreadable(say(N_("Isi dengan angka bulat, bukan {text}."), text=text))
    return int(text)


def nik(cell: Cell) -> str | None:
    """Sixteen digits with a birth date in them (PPKKCC DDMMYY SSSS, day + 40 for women); there is no check digit."""
    if isinstance(cell, float):
        # A spreadsheet keeps 15 digits of a number: the last of a NIK is lost already.
        raise Unreadable(say(N_("NIK harus disimpan sebagai teks, supaya angka terakhirnya tidak hilang.")))
    text = words(cell, 40).replace(" ", "").replace(".", "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{16}", text):
        raise Unreadable(say(N_("NIK terdiri dari 16 angka.")))
    day, month = int(text[6:8]), int(text[8:10])
    if not (1 <= (day - 40 if day > 40 else day) <= 31 and 1 <= month <= 12):
        raise Unreadable(say(N_("Tanggal lahir di dalam NIK tidak mungkin.")))
    return text


def phone(cell: Cell) -> str | None:
    """An Indonesian telephone number, kept as digits with a leading 0."""
    text = re.sub(r"[\s().-]", "", words(cell, 40))
    if not text:
        return None
    text = re.sub(r"^(\+?62)", "0", text)
    if isinstance(cell, (int, float)) and not text.startswith("0"):
        text = "0" + text
    if not re.fullmatch(r"0[0-9]{7,14}", text):
        raise Unreadable(say(N_("Nomor HP belum benar.")))
    return text


def day(cell: Cell) -> date | None:
    """A date cell, `2026-11-24` or `24/11/2026` (day first, as Indonesians write it). Words are refused."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = words(cell, 40)
    if not text:
        return None
    match = re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text)
    parts = match.groups() if match else None
    if parts is None and (match := re.fullmatch(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})", text)):
        parts = match.groups()[::-1]
    try:
        found = date(*(int(p) for p in parts)) if parts else None
    except ValueError:
        found = None
    if found is None or not 1950 <= found.year <= 2100:
        raise Unreadable(say(N_("Bukan tanggal: {text}. Tulis seperti 2026-11-24."), text=text))
    return found


def yes_or_no(cell: Cell) -> bool:
    """`ya` or `tidak`; empty is yes."""
    text = words(cell, 10).casefold()
    if text not in ("", "ya", "yes", "y", "tidak", "no", "n", "t"):
        raise Unreadable(say(N_("{text} tidak dikenal. Pilih: {choices}."), text=text, choices="ya, tidak"))
    return text in ("", "ya", "yes", "y")


def one_of(known: dict[str, Word], cell: Cell, default: Word | None = None) -> Word:
    """One of a few words, whatever its case."""
    text = words(cell, 40).casefold().replace("_", " ")
    if not text and default is not None:
        return default
    if text not in known:
        raise Unreadable(say(N_("{text} tidak dikenal. Pilih: {choices}."), text=text or "?", choices=", ".join(known)))
    return known[text]
