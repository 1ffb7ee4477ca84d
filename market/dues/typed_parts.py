"""Instalments as a clerk types them: one line per part, a date and an amount, in whatever parts the vendor can keep."""

import re
from datetime import date

from market.dues.instalments import MOST_PARTS
from market.errors import Invalid
from market.money import BadAmount, parse_rupiah
from market.vendors.cells import Unreadable, day
from market.words import N_, say

LINE = re.compile(r"\s*([0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4})[\s:;=]+(.+)")


class BadParts(Invalid):
    message = N_("Tulis satu angsuran sebaris: tanggal, lalu jumlah. Misalnya 5/12/2026 150.000.")


def read_parts(text: str) -> list[tuple[date, int]]:
    """`5/12/2026 150.000` per line → (day, rupiah), in the order typed. Raises BadParts, naming the line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not 1 <= len(lines) <= MOST_PARTS:
        raise BadParts(fields={"lines": say(BadParts.message)})
    found: list[tuple[date, int]] = []
    for n, line in enumerate(lines, 1):
        matched = LINE.fullmatch(line[:200])
        try:
            when = day(matched[1].replace(".", "/")) if matched else None
            amount = parse_rupiah(matched[2]) if matched else 0
        except (Unreadable, BadAmount):
            when = None
        if when is None:
            raise BadParts(fields={"lines": say(N_("Baris {n} tidak terbaca. Misalnya 5/12/2026 150.000."), n=n)})
        found.append((when, amount))
    return found
