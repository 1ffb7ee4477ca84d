"""What each figure of the wall means, in words."""

from market.web.i18n import gettext


def definitions() -> dict[str, str]:
    """What each figure counts, and out of what, in the language of the request."""
    return {
        "collected": gettext(
            "Tagihan hari usaha ini yang sudah dibayar, dari tagihan hari usaha ini setelah keringanan; hanya sesi yang sudah buka."
            " Tunggakan lama yang ikut terbayar disebut terpisah."
        ),
        "usual": gettext("Rata-rata 7 hari usaha sebelumnya pada jam yang sama: bagian tagihan hari itu yang sudah dibayar."),
        "cash": gettext(
            "Kas di tangan petugas, loket, dan kas pasar menurut buku besar, yang belum menjadi setoran bank."
            " Umur dihitung dari hari usaha saat uang diterima; kas hari ini belum dihitung terlambat."
        ),
        "occupancy": gettext(
            "Tempat dengan izin aktif yang pemegangnya membayar atau dicatat hadir paling sedikit satu hari dalam 30 hari terakhir,"
            " dari semua tempat kecuali yang sedang diperbaiki dan TPS."
        ),
        "arrears": gettext(
            "Tagihan sebelum hari ini yang belum lunas setelah keringanan, menurut umur sejak jatuh tempo. Rupiah, tanpa denda."
        ),
        "prices": gettext(
            "Bahan dengan harga resmi hari ini (paling sedikit 3 pedagang), dari bahan yang dipantau."
            " Tepat waktu: terbitan pertama sebelum pukul 11.00."
        ),
        "above": gettext(
            "Harga tengah terbit hari ini di atas batas atas HET atau HAP yang berlaku hari itu. Angka: pasar yang termahal."
        ),
        "galungan": gettext("Hari menuju Galungan berikutnya, menurut siklus Pawukon 210 hari."),
    }  # fmt: skip
