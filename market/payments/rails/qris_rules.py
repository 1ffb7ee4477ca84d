"""The rules a QRIS payload must keep, as data and one pass: EMVCo's and Indonesia's (payments.md 3.1, 3.3)."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from market.words import N_, Message, say

# Seen on good stickers, so no rule: 55 before 54, upper-case city with dots, flat card-scheme accounts (02-25),
# an amount on a static code, a merchant id that is not fifteen digits.
AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")
PERCENT = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")
CHECKSUM = re.compile(r"[0-9A-F]{4}")
REQUIRED = ("01", "52", "53", "58", "59", "60")
TRANSFER = "DMCT"  # 62.08 of a person-to-person transfer code


@dataclass(frozen=True)
class Rule:
    """A value's longest (or exact) length, and whether it is all digits."""

    most: int
    exact: bool = False
    digits: bool = False

    def broken_by(self, value: str) -> bool:
        wrong_size = len(value) != self.most if self.exact else not 0 < len(value) <= self.most
        return wrong_size or (self.digits and not value.isdigit())


TOP: Mapping[str, Rule] = {
    "52": Rule(4, exact=True, digits=True),
    "59": Rule(25),
    "60": Rule(15),
    "61": Rule(10),
}
ACCOUNT: Mapping[str, Rule] = {"00": Rule(32), "01": Rule(19, digits=True), "02": Rule(15), "03": Rule(3, exact=True)}
EXTRA: Mapping[str, Rule] = {
    **{f"{n:02d}": Rule(25) for n in range(1, 9)},
    "09": Rule(3),
    "10": Rule(20),
    "11": Rule(3, exact=True),
}
LANGUAGE: Mapping[str, Rule] = {"00": Rule(2, exact=True), "01": Rule(25), "02": Rule(15)}

Nodes = Sequence[tuple[str, str]]


def problems_of(nodes: Nodes, templates: Mapping[str, Nodes | None], expected_crc: str) -> list[Message]:
    """`templates`: for each tag the nodes inside its value, or None; `expected_crc`: of all but the last four characters."""
    found: list[Message] = []
    value = dict(reversed(nodes))
    found += _frame(nodes, expected_crc)
    found += [
        say(N_("Isian {tag} tertulis {times} kali."), tag=tag, times=times)
        for tag, times in Counter(tag for tag, _ in nodes).items()
        if times > 1
    ]
    found += [say(N_("Isian wajib {tag} tidak ada."), tag=tag) for tag in REQUIRED if tag not in value]
    if not any("02" <= tag <= "51" for tag in value):
        found.append(say(N_("QR ini tidak menyebut rekening pedagang.")))
    for tag, text in nodes:
        if tag in TOP and TOP[tag].broken_by(text):
            found.append(say(N_("Isian {tag} tidak benar: “{text}”."), tag=tag, text=text))
    for tag in value:
        rules = _rules_inside(tag)
        if rules is not None:
            found += _template(tag, templates[tag], rules)
    found += [say(message, text=value[tag]) for tag, fine, message in _VALUES if tag in value and not fine(value[tag])]
    found += _tip(value)
    if dict(templates.get("62") or []).get("08", "").startswith(TRANSFER):
        found.append(say(N_("QR ini untuk kirim uang antarorang, bukan untuk membayar pedagang.")))
    return found


def _rules_inside(tag: str) -> Mapping[str, Rule] | None:
    """The rules of a template's parts, or None where the tag is no template."""
    if "26" <= tag <= "51":
        return ACCOUNT
    if "80" <= tag <= "99":
        return {}
    return {"62": EXTRA, "64": LANGUAGE}.get(tag)


def _frame(nodes: Nodes, expected_crc: str) -> list[Message]:
    found = []
    if nodes[0] != ("00", "01"):
        found.append(say(N_("Ini bukan QR pembayaran: awalnya mestinya 000201.")))
    tag, checksum = nodes[-1]
    if tag != "63":
        found.append(say(N_("Jumlah periksa (isian 63) tidak ada di ujung QR.")))
    elif not CHECKSUM.fullmatch(checksum) or checksum != expected_crc:
        found.append(say(N_("Jumlah periksa tidak cocok: QR salah baca, rusak atau diubah orang.")))
    return found


def _template(tag: str, inner: Nodes | None, rules: Mapping[str, Rule]) -> list[Message]:
    if inner is None:
        return [say(N_("Bagian dalam isian {tag} rusak."), tag=tag)]
    twice = [each for each, times in Counter(each for each, _ in inner).items() if times > 1]
    found = [say(N_("Isian {tag} tertulis dua kali."), tag=f"{tag}.{each}") for each in twice]
    for each, text in inner:
        if each in rules and rules[each].broken_by(text):
            found.append(say(N_("Isian {tag} tidak benar: “{text}”."), tag=f"{tag}.{each}", text=text))
    return found


def _positive(text: str) -> bool:
    return len(text) <= 13 and bool(AMOUNT.fullmatch(text)) and bool(text.strip("0."))


_VALUES: Sequence[tuple[str, Callable[[str], bool], str]] = (
    ("01", {"11", "12"}.__contains__, N_("QR tidak menyebut statis (11) atau dinamis (12), melainkan “{text}”.")),
    ("53", "360".__eq__, N_("Mata uangnya bukan rupiah: “{text}”.")),
    ("54", _positive, N_("Jumlahnya bukan angka rupiah: “{text}”.")),
    ("58", "ID".__eq__, N_("Negaranya bukan Indonesia: “{text}”.")),
    ("55", {"01", "02", "03"}.__contains__, N_("Petunjuk tip tidak dikenal: “{text}”.")),
)


def _tip(value: Mapping[str, str]) -> list[Message]:
    """56 stands only with 55 = 02, 57 only with 55 = 03."""
    found = []
    asked = value.get("55")
    if ("56" in value) != (asked == "02") or ("56" in value and not _positive(value["56"])):
        found.append(say(N_("Biaya tetap (isian 56) tidak cocok dengan petunjuk tipnya.")))
    rate = value.get("57", "")
    if ("57" in value) != (asked == "03") or (rate and not (PERCENT.fullmatch(rate) and rate.strip("0."))):
        found.append(say(N_("Biaya persen (isian 57) tidak cocok dengan petunjuk tipnya.")))
    return found
