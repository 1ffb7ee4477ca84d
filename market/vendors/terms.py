"""Limits of a market's permits, with the rule each rests on. A default is a proposal until the market confirms it."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit
from market.auth.access import Principal, Role
from market.errors import Invalid
from market.vendors.life_models import MarketTerm
from market.words import N_, Message, say


class BadTerm(Invalid):
    message = N_("Batas ini belum benar.")


@dataclass(frozen=True)
class Term:
    """A limit: what it counts (months, days, permits, yes or no) and its value until the market sets one."""

    name: str
    default: int
    most: int
    label: str
    unit: str


@dataclass(frozen=True)
class TermRow:
    """A limit as a page shows it; `legal_basis` is empty while nobody has confirmed it."""

    name: str
    label: str
    unit: str
    value: int
    legal_basis: str
    is_set: bool


TERMS = (
    Term("term_months", 24, 600, N_("Masa berlaku izin"), N_("bulan")),
    Term("renewal_days", 60, 400, N_("Perpanjangan dibuka sebelum habis"), N_("hari")),
    Term("annual_validation", 1, 1, N_("Pengesahan setiap tahun"), N_("1 = ya, 0 = tidak")),
    Term("max_permits", 0, 1000, N_("Paling banyak izin per pedagang"), N_("izin, 0 = tanpa batas")),
    Term("offer_days", 7, 90, N_("Penawaran berlaku"), N_("hari")),
    Term("appeal_days", 14, 365, N_("Waktu keberatan atas pencabutan"), N_("hari")),
    Term("sublet_allowed", 1, 1, N_("Penghuni sementara boleh dengan laporan"), N_("1 = ya, 0 = tidak")),
)
BY_NAME = {t.name: t for t in TERMS}


def terms(session: Session, market_id: str) -> list[TermRow]:
    """Every limit of a market: one query."""
    rows = session.execute(select(MarketTerm).where(col(MarketTerm.market_id) == market_id)).scalars()
    held = {row.name: row for row in rows}
    return [
        TermRow(t.name, t.label, t.unit, held[t.name].value if t.name in held else t.default,
                held[t.name].legal_basis if t.name in held else "", t.name in held)
        for t in TERMS
    ]  # fmt: skip


def limit(session: Session, market_id: str, name: str) -> int:
    """One limit."""
    row = session.get(MarketTerm, (market_id, name))
    return row.value if row else BY_NAME[name].default


def set_term(session: Session, market_id: str, name: str, value: str, *, legal_basis: str, by: Principal) -> None:
    """Set a limit with its legal basis, which is required. Raises BadTerm."""
    by.require(Role.director, Role.market_head, market_id=market_id)
    wrong: dict[str, Message] = {}
    term = BY_NAME.get(name)
    if term is None:
        raise BadTerm
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 6 else -1
    if not 0 <= number <= term.most:
        wrong["value"] = say(N_("Tulis angka 0 sampai {most}."), most=term.most)
    if len(legal_basis.strip()) < 5:
        wrong["legal_basis"] = say(N_("Tulis dasar hukumnya, misalnya SK Direksi dan tanggalnya."))
    if wrong:
        raise BadTerm(fields=wrong)
    before = {"value": limit(session, market_id, name)}
    session.merge(MarketTerm(market_id=market_id, name=name, value=number, legal_basis=legal_basis.strip()[:200]))
    session.flush()
    after = {"value": number, "legal_basis": legal_basis.strip()[:200]}
    audit.record(session, by, "term.set", "term", name, market_id=market_id, before=before, after=after)
