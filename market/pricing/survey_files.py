"""The morning's sheet as a file: what was typed in a spreadsheet becomes what is typed on the page, and is saved there.

A heading row names the commodity (Bahan, Komoditas, Commodity) and the vendors (1, 2, 3; Pedagang 1; Harga 1). In a cell
stands a price, or a letter as on the printed form: K stock is out, T closed, B not visited.
"""

import re
from collections.abc import Sequence
from typing import Any

from market.errors import Invalid
from market.money import BadAmount, parse_rupiah
from market.pricing.catalogue import Item
from market.pricing.importing.shapes import HIDDEN_ROWS
from market.pricing.models import Answer
from market.pricing.survey import DEAREST
from market.sheets.books import Sheet, open_book
from market.sheets.refusals import MergedHeader
from market.web.i18n import gettext, translate
from market.words import N_, say

MOST_ROWS = 1_000
MOST_ERRORS = 50
LETTERS = {"k": Answer.no_stock, "t": Answer.closed, "b": Answer.not_visited}
_NAMES = {"bahan", "komoditas", "commodity"}
_REASONS = {"alasan", "reason"}
_SLOT = re.compile(r"(?:pedagang|harga|vendor)?\s*([1-9])")


class NoSurveySheet(Invalid):
    message = N_("Baris judul tidak ditemukan. Perlu kolom Bahan dan kolom 1, 2, 3 untuk pedagang.")


class TwoColumns(Invalid):
    message = N_("Pedagang {slot} punya dua kolom. Sisakan satu.")


def read_file(content: bytes, name: str, items: Sequence[Item], *, slots: int) -> tuple[dict[str, str], dict[str, str]]:
    """The file as fields of the page (`p:beras-medium:1`), and a sentence for every row that cannot be taken.

    Raises FileRefused for what is no spreadsheet or has merged headings, NoSurveySheet where no heading is found, TwoColumns.
    Nothing is saved.
    """
    for sheet in open_book(content, name).sheets:
        for number, row in enumerate(sheet.head(), 1):
            texts = [_text(cell).casefold() for cell in row]
            columns = {int(m[1]): i for i, t in enumerate(texts) if (m := _SLOT.fullmatch(t)) and int(m[1]) <= slots}
            named = next((i for i, t in enumerate(texts) if t in _NAMES), None)
            if named is not None and columns:
                slots_named = [int(m[1]) for t in texts if (m := _SLOT.fullmatch(t)) and int(m[1]) <= slots]
                if twice := next((n for n in slots_named if slots_named.count(n) > 1), None):
                    raise TwoColumns(slot=twice)
                if any(top <= number <= bottom and right > left for top, left, bottom, right in sheet.merged):
                    raise MergedHeader(sheet=sheet.name, row=number)
                reason = next((i for i, t in enumerate(texts) if t in _REASONS), None)
                typed, errors = _rows(sheet, number, named, columns, reason, items)
                if sheet.hidden_rows:
                    errors["hidden"] = translate(say(HIDDEN_ROWS, count=sheet.hidden_rows))
                return typed, errors
    raise NoSurveySheet


def _rows(
    sheet: Sheet, head: int, named: int, columns: dict[int, int], reason: int | None, items: Sequence[Item]
) -> tuple[dict[str, str], dict[str, str]]:
    known = {text.casefold(): i for i in items for text in (i.id, i.name, i.name_en, i.name_ban) if text}
    typed: dict[str, str] = {}
    errors: dict[str, str] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(sheet.rows(), 1):
        if number - head > MOST_ROWS or len(errors) >= MOST_ERRORS:
            errors["rest"] = gettext("Baris %(row)s dan sesudahnya tidak dibaca.") % {"row": number}
            break
        name = _at(row, named)
        if number <= head or not name:
            continue
        item = known.get(name.casefold())
        if item is None:
            errors[f"row:{number}"] = gettext("Baris %(row)s: tidak ada bahan bernama “%(name)s” di daftar.") % {
                "row": number, "name": name[:60],
            }  # fmt: skip
            continue
        if item.id in seen:
            errors[f"row:{number}"] = gettext("Baris %(row)s: %(name)s sudah ada di baris %(first)s.") % {
                "row": number, "name": item.name, "first": seen[item.id],
            }  # fmt: skip
            continue
        seen[item.id] = number
        if reason is not None:
            typed[f"r:{item.id}"] = _at(row, reason)[:300]
        for slot, column in columns.items():
            text = _at(row, column)
            typed[f"p:{item.id}:{slot}"] = text[:40]
            if (number, column + 1) in sheet.formulas or not is_answer(text):
                errors[f"{item.id}:{slot}"] = gettext(
                    "Baris %(row)s, pedagang %(slot)s: “%(text)s” bukan harga bulat atau K, T, B."
                ) % {"row": number, "slot": slot, "text": text[:40]}
    return typed, errors


def is_answer(text: str) -> bool:
    """Whether a cell is empty, a price in whole rupiah, or one of the letters."""
    if not text or text.casefold() in LETTERS:
        return True
    try:
        return 0 < parse_rupiah(text) <= DEAREST
    except BadAmount:
        return False


def _at(row: Sequence[Any], column: int) -> str:
    return _text(row[column]) if column < len(row) else ""


def _text(cell: Any) -> str:
    """A cell as it would be typed: a whole number without its decimal point."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()
