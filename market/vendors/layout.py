"""The registry's workbook: three sheets, their columns, and the names under which people may write them."""

from dataclasses import dataclass

PLACES, VENDORS, PERMITS = "Tempat", "Pedagang", "Izin"


@dataclass(frozen=True)
class Column:
    """A column: its field, its Indonesian title (as exported) and other titles that are read."""

    field: str
    title: str
    also: tuple[str, ...] = ()
    needed: bool = False
    private: bool = False


@dataclass(frozen=True)
class Layout:
    """A sheet: its title, other titles that are read, and its columns."""

    title: str
    also: tuple[str, ...]
    columns: tuple[Column, ...]


LAYOUTS = (
    Layout(
        PLACES,
        ("places", "place", "tempat jualan"),
        (
            Column("code", "Kode", ("code", "kode tempat"), needed=True),
            Column("kind", "Jenis", ("kind", "type"), needed=True),
            Column("building", "Gedung", ("building",)),
            Column("floor", "Lantai", ("floor",)),
            Column("block", "Blok", ("block",)),
            Column("number", "Nomor", ("number", "no")),
            Column("area_cm2", "Luas m²", ("luas", "luas m2", "area m2", "area")),
            Column("front_cm", "Lebar muka m", ("lebar muka", "front m", "front")),
            Column("zone", "Zona", ("zone",)),
            Column("grade", "Kelas", ("grade", "kelas fasilitas")),
            Column("meter", "Nomor meter", ("meter",)),
            Column("status", "Keadaan", ("status",)),
        ),
    ),
    Layout(
        VENDORS,
        ("vendors", "vendor"),
        (
            Column("number", "Nomor pedagang", ("number", "nomor", "vendor number"), needed=True),
            Column("name", "Nama dagang", ("name", "nama", "trading name"), needed=True),
            Column("type", "Jenis", ("type",)),
            Column("goods", "Barang dagangan", ("goods", "barang", "jualan")),
            Column("public", "Tampil di direktori", ("direktori", "public")),
            Column("nik", "NIK", private=True),
            Column("phone", "HP", ("phone", "telepon", "no hp"), private=True),
        ),
    ),
    Layout(
        PERMITS,
        ("permits", "permit", "izin pakai"),
        (
            Column("place_code", "Kode tempat", ("place", "tempat", "kode"), needed=True),
            Column("session_code", "Sesi", ("session",), needed=True),
            Column("vendor_number", "Nomor pedagang", ("vendor number", "vendor", "pedagang"), needed=True),
            Column("valid_from", "Mulai", ("from", "valid from", "mulai tanggal"), needed=True),
            Column("last_day", "Sampai", ("until", "last day", "sampai tanggal")),
            Column("vendor_kind", "Tercatat/musiman", ("vendor kind", "jenis pedagang")),
            Column("permit_number", "Nomor izin", ("permit number", "no izin")),
            Column("goods", "Barang", ("goods", "barang dagangan")),
            Column("status", "Keadaan izin", ("status", "permit status", "keadaan")),
        ),
    ),
)
