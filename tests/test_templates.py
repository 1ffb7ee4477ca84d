"""Templates compile, and every sentence a person reads has an English translation that takes the same values."""

import re
from functools import lru_cache
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from market.web.i18n import LOCALE
from market.web.render import ROOT, environment

Msgid = str | tuple[str, ...]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
EXTENSIONS = "jinja2.ext.i18n,jinja2.ext.do,jinja2.ext.loopcontrols"
CATALOGUES = sorted((LOCALE / "en").glob("*.po"))
TEMPLATES = sorted(str(path.relative_to(ROOT / "templates")) for path in (ROOT / "templates").rglob("*.html"))

# Text that is the same in both languages, or is no text: names, symbols, units.
SAME_IN_BOTH = {
    "Smart Ekonomi", "ID", "EN", "QRIS", "QR", "Rp", "CSV", "XLSX", "JSON", "PDF", "SK", "HET", "HAP", "PPN", "NIK", "API", "kg",
    "Indonesia", "English", "Bahasa Indonesia", "px", "mm", "Atom", "m", "m²",
}  # fmt: skip


@lru_cache
def extracted() -> dict[Msgid, str]:
    """Every sentence in market/ and templates/, with the first place where it stands."""
    found: dict[Msgid, str] = {}
    sources = (
        ("market", [("**.py", "python")], {}),
        ("templates", [("**.html", "jinja2.ext:babel_extract")], {"**.html": {"extensions": EXTENSIONS}}),
    )
    for folder, methods, options in sources:
        rows = extract_from_dir(str(ROOT / folder), methods, options, keywords=KEYWORDS)
        for name, line, message, _comments, _context in rows:
            found.setdefault(message if isinstance(message, str) else tuple(message), f"{folder}/{name}:{line}")
    return found


@lru_cache
def translated() -> dict[Msgid, list[tuple[str, Message]]]:
    """Every entry of every English catalogue, with the catalogue's name."""
    found: dict[Msgid, list[tuple[str, Message]]] = {}
    for path in CATALOGUES:
        with path.open("rb") as file:
            for message in read_po(file, locale="en", abort_invalid=True):
                if message.id:
                    found.setdefault(message.id, []).append((path.name, message))
    return found


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_compiles(name: str) -> None:
    environment().get_template(name)


def test_every_sentence_has_an_english_translation() -> None:
    english = translated()
    missing = [f"{place}: {msgid!r}" for msgid, place in extracted().items() if not said(english.get(msgid, []))]
    assert not missing, f"{len(missing)} without English:\n" + "\n".join(missing)


def said(entries: list[tuple[str, Message]]) -> bool:
    """Is there a finished translation among these entries?"""
    return any(
        not message.fuzzy and all(message.string if isinstance(message.string, tuple) else [message.string])
        for _, message in entries
    )


def test_no_translation_is_dead() -> None:
    known = extracted()
    dead = [
        f"{name}: {msgid!r}" for msgid, entries in translated().items() for name, _ in entries if msgid not in known
    ]
    assert not dead, f"{len(dead)} translations of sentences nobody says:\n" + "\n".join(dead)


def test_one_sentence_has_one_translation() -> None:
    twice = {
        str(msgid): {name: message.string for name, message in entries}
        for msgid, entries in translated().items()
        if len({str(message.string) for _, message in entries}) > 1
    }
    assert not twice, "the same sentence, translated differently: the catalogues are merged and the last one would win"


def places(sentence: Msgid) -> set[str]:
    """Names of the values a sentence takes: {name} and %(name)s."""
    text = sentence if isinstance(sentence, str) else " ".join(sentence)
    return set(re.findall(r"\{(\w+)[^}]*\}", text)) | set(re.findall(r"%\((\w+)\)", text))


def test_a_translation_takes_the_same_values() -> None:
    wrong = [
        f"{name}: {msgid!r} → {message.string!r}"
        for msgid, entries in translated().items()
        for name, message in entries
        if places(msgid) != places(message.string)
    ]
    assert not wrong, "\n".join(wrong)


# What stands in a template and is no sentence: comments, translated blocks, class names, expressions, code, tags, entities.
NO_SENTENCE = re.compile(
    r"\{#.*?#\}|\{% *trans\b.*?\{% *endtrans *%\}|\{% block \w*class\w* %\}.*?\{% endblock %\}|\{\{.*?\}\}|\{%.*?%\}",
    re.DOTALL,
)
NO_TEXT = re.compile(r"<(style|script|svg|code)\b.*?</\1>|<!--.*?-->|<[^>]*>|&#?\w+;", re.DOTALL)
DESIGNERS_OWN = {"design.html"}  # the page of examples, for those who build pages: its sample data is no sentence


def test_no_text_in_a_template_escapes_translation() -> None:
    left: list[str] = []
    for name in set(TEMPLATES) - DESIGNERS_OWN:
        bare = NO_TEXT.sub("\0", NO_SENTENCE.sub("\1", (ROOT / "templates" / name).read_text()))
        for text in re.split("[\0\1]", bare):
            words = text.strip(" \n\t·|/→←▾,.:;()%×–+-=\u00a0")
            # One lower-case word is a class name or part of an address; what holds =" is part of a tag.
            code = re.fullmatch(r"[a-z-]+", words) or '="' in words
            if re.search(r"[A-Za-zÀ-ÿ]{2}", words) and not code and words not in SAME_IN_BOTH:
                left.append(f"{name}: {words!r}")
    assert not left, "text outside _(…):\n" + "\n".join(sorted(left))


def test_only_sentences_are_called_through_the_gettext_of_templates() -> None:
    """`_(value)` would write what a person typed as markup, and read a percent sign in it; `value|translated` does neither."""
    called = re.compile(r"""(?<![\w.])_\((?!\s*["'])""")
    wrong = [name for name in TEMPLATES if called.search((ROOT / "templates" / name).read_text())]
    assert wrong == []


def test_static_files_named_by_templates_exist() -> None:
    named = set()
    for path in (ROOT / "templates").rglob("*.html"):
        named |= set(re.findall(r"static\([\"']([^\"']+)[\"']\)", path.read_text()))
    assert {name for name in named if not (Path(ROOT) / "static" / name).is_file()} == set()
