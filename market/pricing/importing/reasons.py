"""Why one cell, or a whole file, is not taken."""

from enum import StrEnum
from typing import NamedTuple

from market.sheets.refusals import FileRefused
from market.words import N_, Message, say


class Reason(StrEnum):
    """Codes for machines; `SENTENCES` says each to people."""

    missing = "missing"
    error_cell = "error_cell"
    formula = "formula"
    zero = "zero"
    negative = "negative"
    too_large = "too_large"
    decimal = "decimal"
    doubtful = "doubtful"
    foreign_digits = "foreign_digits"
    not_a_number = "not_a_number"
    bad_date = "bad_date"
    future = "future"
    unknown_region = "unknown_region"
    unnamed = "unnamed"
    codes_disagree = "codes_disagree"
    short_row = "short_row"
    foreign_currency = "foreign_currency"
    forecast = "forecast"
    repeated = "repeated"
    conflict = "conflict"
    other = "other"


SENTENCES: dict[Reason, str] = {
    Reason.missing: N_("Kosong: sumbernya sendiri tidak punya harga untuk hari itu."),
    Reason.error_cell: N_("Berisi kesalahan lembar kerja, bukan harga."),
    Reason.formula: N_("Berisi rumus. Simpan sebagai nilai dulu, supaya angkanya pasti."),
    Reason.zero: N_("Rp 0 bukan harga."),
    Reason.negative: N_("Harga tidak mungkin di bawah nol."),
    Reason.too_large: N_("Terlalu besar untuk sebuah harga."),
    Reason.decimal: N_("Ada pecahan rupiah: mungkin titik dan komanya tertukar."),
    Reason.doubtful: N_("Bisa dibaca dua cara; tidak ditebak."),
    Reason.foreign_digits: N_("Angkanya bukan angka 0 sampai 9 biasa."),
    Reason.not_a_number: N_("Bukan angka."),
    Reason.bad_date: N_("Tanggalnya tidak terbaca."),
    Reason.future: N_("Tanggalnya belum terjadi."),
    Reason.unknown_region: N_("Wilayahnya tidak dikenal."),
    Reason.unnamed: N_("Nama bahannya kosong."),
    Reason.codes_disagree: N_("Kode dan namanya menunjuk dua hal yang berbeda; tidak ditebak yang mana."),
    Reason.short_row: N_("Barisnya kurang kolom."),
    Reason.foreign_currency: N_("Bukan rupiah."),
    Reason.forecast: N_("Ini ramalan, bukan harga yang diamati."),
    Reason.repeated: N_("Tertulis dua kali dengan harga yang sama; satu yang diambil."),
    Reason.conflict: N_("Tertulis dua kali dengan harga berbeda; yang pertama diambil."),
    Reason.other: N_("Ditolak saat disimpan."),
}


class Refused(NamedTuple):
    """One cell that is not taken. Row and column count from 1, as a spreadsheet shows them; column 0 is the whole row."""

    sheet: str
    row: int
    column: int
    raw: str
    reason: Reason


class Flag(NamedTuple):
    """Something true about the file that its reader should know; the cells were taken all the same."""

    code: str
    text: Message

    @classmethod
    def of(cls, code: str, msgid: str, **args: object) -> "Flag":
        return cls(code, say(msgid, **args))


class ShapeUnknown(FileRefused):
    message = N_("Bentuk file ini belum dikenal. Kolom yang terlihat: {columns}.")


class NoPrices(FileRefused):
    message = N_("Dikenali sebagai {shape}: tidak ada harga di dalamnya.")


class DatesDisagree(FileRefused):
    message = N_(
        "Tanggal di kolom {column} bercampur hari/bulan dan bulan/hari: {first} dan {second} tidak bisa sama-sama benar."
    )


class DatesDoubtful(FileRefused):
    message = N_(
        "Tanggal di kolom {column} bisa berarti hari/bulan atau bulan/hari, misalnya {first}. Sebutkan urutannya dengan --dates dmy atau --dates mdy."
    )


class RegionNeeded(FileRefused):
    message = N_("File ini memuat satu wilayah tanpa menyebut namanya. Sebutkan dengan --market.")
