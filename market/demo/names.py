"""Trading names that nobody bears: a word for the shop and two words for luck, flowers and water. No personal names."""

from collections.abc import Iterator
from random import Random

SHOPS = {
    "canang": ("Dagang Canang", "Canang", "Banten", "Sarana Upakara"),
    "bunga": ("Kembang", "Dagang Bunga", "Taman Bunga"),
    "janur": ("Busung", "Dagang Janur"),
    "sayur": ("Sayur", "Dagang Sayur", "Kebun"),
    "buah": ("Buah", "Dagang Buah", "Biu"),
    "bumbu": ("Bumbu", "Base Genep", "Dagang Bumbu"),
    "sembako": ("Toko", "UD", "Warung Sembako"),
    "daging": ("Dagang Daging", "Be Celeng", "Jagal"),
    "ayam": ("Ayam Potong", "Dagang Ayam"),
    "ikan": ("Ikan Segar", "Be Pasih", "Dagang Ikan"),
    "telur": ("Telur", "Toko Telur"),
    "tahu tempe": ("Tahu Tempe", "Dagang Tahu"),
    "jaja": ("Jaja Bali", "Kue Basah", "Dagang Jaja"),
    "nasi": ("Warung", "Nasi Campur", "Warung Nasi"),
    "pakaian": ("Toko Busana", "Kamben", "Kain"),
    "perabot": ("Toko Perabot", "Grabah"),
    "kelontong": ("Toko", "UD", "Kelontong"),
    "senggol": ("Senggol", "Sate", "Warung Malam", "Bakso"),
}  # fmt: skip
FIRST = (
    "Sekar", "Merta", "Taman", "Tirta", "Giri", "Segara", "Candra", "Surya", "Padma", "Ratna", "Wija", "Bunga", "Pelangi", "Karya",
    "Sinar", "Puspa", "Amerta", "Danu", "Jaya", "Lila", "Murni", "Manik", "Gita", "Griya", "Kerta", "Mekar", "Pucuk", "Tunjung",
)  # fmt: skip
SECOND = (
    "Sari", "Wangi", "Jati", "Lestari", "Kencana", "Mulia", "Asri", "Rahayu", "Luwih", "Santi", "Utama", "Nadi", "Hati", "Kembar",
    "Raya", "Biru", "Putih", "Merah", "Jepun", "Cempaka", "Sandat", "Pagi", "Senja", "Abadi",
)  # fmt: skip


def names(random: Random) -> Iterator[tuple[str, str]]:
    """Endless pairs to follow a shop's word, each once before any repeats: 28 × 24 of them."""
    pairs = [(first, second) for first in FIRST for second in SECOND]
    while True:
        random.shuffle(pairs)
        yield from pairs


def trading_name(goods: str, pair: tuple[str, str], random: Random) -> str:
    """`Dagang Canang Sekar Wangi`."""
    return f"{random.choice(SHOPS[goods])} {pair[0]} {pair[1]}"


def invented_nik(number: int) -> str:
    """Sixteen digits that are nobody's: region 990000 does not exist; an ordinary date, so that the form accepts it."""
    return f"990000{1 + number % 28:02}{1 + number % 12:02}{60 + number % 40:02}{number % 10_000:04}"


def invented_phone(number: int) -> str:
    """A number in a block that no operator has: 0800 0…"""
    return f"08000{number:07}"
