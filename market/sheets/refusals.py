"""Why a whole file is not read. Each is a sentence for the person who sent it."""

from typing import ClassVar

from market.errors import Invalid
from market.words import N_


class FileRefused(Invalid):
    """Nothing of the file can be read. The subclasses say why."""

    message: ClassVar[str] = N_("File ini tidak bisa dibaca.")


class FileEmpty(FileRefused):
    message = N_("File ini kosong.")


class FileMissing(FileRefused):
    message = N_("File {name} tidak ada.")


class FileTooBig(FileRefused):
    message = N_("File ini terlalu besar: paling banyak {limit} MiB setelah dibuka.")


class TooManyColumns(FileRefused):
    message = N_("Lembar {sheet} punya {columns} kolom; paling banyak {limit}.")


class TooManyRows(FileRefused):
    message = N_("Lembar {sheet} punya lebih dari {limit} baris. Bagi dulu file ini.")


class FileDamaged(FileRefused):
    message = N_("File ini rusak atau terkunci sandi, jadi tidak bisa dibuka.")


class HasMacro(FileRefused):
    message = N_("File ini berisi makro. Simpan dulu sebagai XLSX biasa, lalu kirim lagi.")


class NotASheet(FileRefused):
    message = N_("Isinya {kind}, bukan daftar harga. Yang bisa dibaca: XLSX, CSV dan JSON dari situs BI.")


class OldExcel(FileRefused):
    message = N_("Ini file Excel lama (.xls). Buka dan simpan sebagai .xlsx, lalu kirim lagi.")


class MergedHeader(FileRefused):
    message = N_(
        "Judul kolom di baris {row} lembar {sheet} digabung. Pisahkan selnya supaya jelas kolom mana milik siapa."
    )
