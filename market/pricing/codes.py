"""By which number another source means one of our commodities or areas, both ways.

SHIPPED holds what published files of the source show; an office adds or overrides in `price_source_code`. What a source
has no number for is written under a number of our own, which is always the same and read back by our own importer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import text
from sqlmodel import Session

from market import audit
from market.audit import Actor
from market.errors import Invalid
from market.pricing import catalogue
from market.pricing.models import SourceCode
from market.words import N_, say


class CodeKind(StrEnum):
    """What a code stands for."""

    commodity = "commodity"
    area = "area"


class BadCode(Invalid):
    message = N_("Kode sumber adalah angka atau huruf tanpa spasi, paling banyak 20.")


CODED = ("pihps", "wfp")  # sources whose files carry codes
OWN = 1_000_000_000  # numbers from here on are ours; a source's are far below

# PIHPS numbers its groups as its export does in roman numerals, and its provinces as its files do.
_PIHPS = ("beras", "daging-ayam", "daging-sapi", "telur-ayam", "kelompok-bawang-merah", "kelompok-bawang-putih",
          "cabai-merah", "cabai-rawit", "minyak-goreng", "kelompok-gula-pasir")  # fmt: skip
_PIHPS_PROVINCES = [
    "AC",
    "SU",
    "SB",
    "RI",
    "KR",
    "JA",
    "BE",
    "SS",
    "BB",
    "LA",
    "BT",
    "JB",
    "JK",
    "JT",
    "YO",
    "JI",
    "BA",
    "NB",
    "NT",
    "KB",
    "KS",
    "KT",
    "KI",
    "KU",
    "GO",
    "SN",
    "SG",
    "ST",
    "SA",
    "SR",
    "MA",
    "MU",
    "PA",
    "PB",
]
# WFP's numbers, as far as files that could be read show them.
_WFP = {"52": "beras", "92": "telur-ayam", "94": "daging-ayam", "96": "minyak-goreng", "97": "kelompok-gula-pasir",
        "141": "daging-sapi"}  # fmt: skip
_WFP_AREAS = {"974": "ID", "2829": "BDG", "2830": "KRN"}

SHIPPED: dict[tuple[str, CodeKind], dict[str, str]] = {
    ("pihps", CodeKind.commodity): {str(n): item for n, item in enumerate(_PIHPS, 1)},
    ("pihps", CodeKind.area): {str(n): f"ID-{code}" for n, code in enumerate(_PIHPS_PROVINCES, 1)},
    ("wfp", CodeKind.commodity): _WFP,
    ("wfp", CodeKind.area): _WFP_AREAS,
}


def own_number(ours: str) -> int:
    """Our number for what a source has none for: from the key alone, so that it is the same in every export."""
    return OWN + int.from_bytes(sha256(ours.encode()).digest()[:8]) % OWN


def clean(code: object) -> str:
    """`2829.0` and ` 2829` are 2829."""
    return str(code if code is not None else "").strip().removesuffix(".0")


@dataclass(frozen=True)
class Codes:
    """One source's codes: code → our id."""

    commodities: Mapping[str, str]
    areas: Mapping[str, str]

    @classmethod
    def shipped(cls, source: str) -> "Codes":
        """Without a database."""
        return cls(SHIPPED.get((source, CodeKind.commodity), {}), SHIPPED.get((source, CodeKind.area), {}))

    def with_own(self, commodities: Iterable[str], areas: Iterable[str]) -> "Codes":
        """Our own numbers understood too."""
        return Codes(
            {str(own_number(c)): c for c in commodities} | dict(self.commodities),
            {str(own_number(a)): a for a in areas} | dict(self.areas),
        )

    def number_of(self, kind: CodeKind, ours: str) -> str:
        """What to write for one of ours: the source's lowest code, or our own number."""
        theirs = self.commodities if kind is CodeKind.commodity else self.areas
        found = [code for code, mine in theirs.items() if mine == ours]
        return min(found, key=lambda code: (len(code), code), default=str(own_number(ours)))


def codes_of(session: Session, source: str) -> Codes:
    """What is shipped, and over it what the office has entered."""
    rows = session.execute(
        text("SELECT kind, code, ours FROM price_source_code WHERE source = :source"), {"source": source}
    ).all()
    base = Codes.shipped(source)
    return Codes(
        dict(base.commodities) | {code: ours for kind, code, ours in rows if kind == CodeKind.commodity},
        dict(base.areas) | {code: ours for kind, code, ours in rows if kind == CodeKind.area},
    )


def set_code(session: Session, source: str, kind: CodeKind, code: str, ours: str, *, by: Actor) -> SourceCode:
    """From now on `source` means `ours` by `code`. Raises BadCode, UnknownCommodity, UnknownArea."""
    code = clean(code)
    if not (0 < len(code) <= 20 and code.isascii() and code.isalnum()):
        raise BadCode(fields={"code": say(BadCode.message)})
    if kind is CodeKind.commodity:
        ours = catalogue.get_commodity(session, ours).id
    else:
        ours = catalogue.get_area(session, ours).id
    row = session.get(SourceCode, (source, kind.value, code)) or SourceCode(
        source=source, kind=kind.value, code=code, ours=ours
    )
    before = row.ours
    row.ours = ours
    session.add(row)
    audit.record(
        session, by, "prices.code", "price_source_code", f"{source}/{kind}/{code}", before={"ours": before},
        after={"ours": ours},
    )  # fmt: skip
    session.flush()
    return row
