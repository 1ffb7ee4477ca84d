"""The tour of the demo city as data: five stops and the people who walk them. `make run` prints it, `/tour` shows it.

The demo makes these accounts and writes the pay code of the vendor's card under PAY_CODE (market.installation).
"""

from dataclasses import dataclass

from market.words import N_

PAY_CODE = "tour_pay_code"  # name of the installation fact: clear text of one sample card's code
# Names of installation facts that say where something that went wrong is to be seen; the demo writes them.
LATE, SHORT, VOID, CARD, PLAN = "tour_late", "tour_short", "tour_void", "tour_card", "tour_plan"
PHONE = "tour_phone"
PASSWORD = "pasar-contoh-2026"  # noqa: S105 - of people who exist in sample data only; the demo refuses production


@dataclass(frozen=True)
class Person:
    """A sample account; `market_id` None means the whole operator."""

    username: str
    name: str
    role: str  # a market.auth Role
    market_id: str | None = None
    note: str = ""  # what to come here for, where the role does not say it


PEOPLE = (
    Person("petugas", "Ni Luh Contoh", "collector", "KRN"),
    Person("loket", "I Made Contoh", "clerk", "KRN"),
    Person("harga", "Ni Wayan Contoh", "surveyor", "KRN"),
    Person("kepala", "I Ketut Contoh", "market_head", "KRN"),
    Person("bendahara", "I Nyoman Contoh", "treasurer"),
    Person("direksi", "Ni Made Contoh", "director", note=N_("mengusulkan tarif dan keringanan")),
    Person("direksi-dua", "I Putu Contoh", "director", note=N_("menyetujui usul direksi yang lain")),
    Person("auditor", "I Wayan Contoh", "auditor"),
    Person("kota", "Ni Ketut Contoh", "city_viewer"),
    Person("admin", "Admin Contoh", "admin"),
)
DEPUTY = Person(
    "plh-kepala", "Ni Kadek Contoh", "market_head", "KRN"
)  # for the head, this week; made with what went wrong
VENDOR = Person("pedagang", "Pedagang Contoh", "vendor")  # the owner of the sample card; made with the places


@dataclass(frozen=True)
class Stop:
    """One thing to try; `path` may hold {code}, the sample card's. `command` is the line `make run` prints."""

    title: str
    text: str
    verb: str
    path: str
    username: str
    command: str


STOPS = (
    Stop(
        N_("Pembeli: bandingkan harga cabai"),
        N_("Lihat harga cabai rawit merah di semua pasar hari ini, dan grafiknya sejak 2024."),
        N_("Bandingkan harga"),
        "/commodities/cabai-rawit-merah",
        "",
        "compare chili as a shopper",
    ),
    Stop(
        N_("Pedagang: bayar tempat"),
        N_("Buka kartu pedagang, pilih QRIS, lalu bayar di bank contoh. Halaman berubah sendiri menjadi lunas."),
        N_("Bayar sekarang"),
        "/pay/{code}",
        "",
        "pay as a vendor",
    ),
    Stop(
        N_("Petugas: tagih satu blok"),
        N_("Yang belum bayar di atas. Terima tunai, catat yang hadir, lalu serahkan kasnya."),
        N_("Mulai menagih"),
        "/collect",
        "petugas",
        "collect as a collector",
    ),
    Stop(
        N_("Bendahara: tutup hari"),
        N_(
            "Lihat yang terkumpul dan yang belum. Kas petugas dihitung dulu oleh kepala unit (akun kepala); "
            "sesudah itu Anda menutup hari."
        ),
        N_("Buka kantor"),
        "/office?market=KRN",  # where the collector of the stop before brought the cash
        "bendahara",
        "close as the treasurer",
    ),
    Stop(
        N_("Wali kota: pantau kota"),
        N_("Kelima pasar dalam satu halaman: setoran, tunggakan, hunian dan harga, tanpa satu pun nama."),
        N_("Lihat kota"),
        "/monitor",
        "kota",
        "watch as the mayor",
    ),
)


@dataclass(frozen=True)
class Mishap:
    """Something that went wrong and what the market did. `path` may hold {fact}, the value of the installation fact."""

    text: str
    path: str
    username: str
    fact: str = ""


MISHAPS = (
    Mishap(
        N_("Kas satu malam belum disetor ke bank. Umurnya tertulis, dan siapa yang memegangnya."),
        "/office/deposits?market=KRN",
        "bendahara",
    ),
    Mishap(
        N_("Hitungan kas kurang Rp 5.000: selisihnya dicatat dengan alasan, bukan disembunyikan."),
        "/office/closing?market=KRN&session=pagi&day={fact}",
        "kepala",
        SHORT,
    ),
    Mishap(
        N_("QRIS dibayar setelah waktunya lewat, dan bank memberitahu dua kali: jadi titipan, sekali."),
        "/office/trace/{fact}",
        "auditor",
        LATE,
    ),
    Mishap(
        N_("QRIS dibayar dengan jumlah yang salah: ditahan sampai bendahara memutuskan."),
        "/office/payments/reviews",
        "bendahara",
    ),
    Mishap(
        N_(
            "Slip salah tempat dibatalkan dua orang sebelum kas diserahkan; yang diminta sesudahnya ditolak dan tercatat."
        ),
        "/office/voids?market=KRN",
        "kepala",
        VOID,
    ),
    Mishap(
        N_("Harga salah ketik ditanya ulang saat dicatat, dan pasar itu belum menerbitkan harganya hari ini."),
        "/office/prices?market=STR",
        "kepala-str",
    ),
    Mishap(N_("Harga yang sudah terbit dikoreksi: angka lamanya tetap terbaca."), "/data", ""),
    Mishap(
        N_(
            "Pedagang yang sakit mencicil: empat bagian disusun loket, disetujui kepala unit, dan tidak dihitung terlambat."
        ),
        "/office/arrears/KRN/{fact}",
        "kepala",
        PLAN,
    ),
    Mishap(
        N_("Kartu hilang diganti: kode lama mati, titipan dan tagihannya tetap."),
        "/office/vendors/{fact}",
        "loket",
        CARD,
    ),
    Mishap(
        N_(
            "HP petugas hilang: kuncinya dicabut, slip dari bukti pedagang menunggu keputusan, nomor yang belum ada tertulis."
        ),
        "/office/devices/KRN/{fact}",
        "kepala",
        PHONE,
    ),
    Mishap(
        N_("Karcis kertas untuk tempat tanpa kartu: yang sobek dicatat, yang belum kembali terlihat di tas siapa."),
        "/office/tickets?market=KRN",
        "loket",
    ),
    Mishap(
        N_("Pasar yang direvitalisasi, sebelum dan sesudahnya, pada jarak yang sama dari Galungan."),
        "/markets/SMR/progress",
        "",
    ),
)
