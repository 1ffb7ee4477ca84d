"""Which letter follows which, after how many days, on what basis. A market's own dated rows win over what is usual."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit
from market.auth.access import Principal, Role
from market.dues.documents import LEVY, PERUMDA, VILLAGE
from market.dues.late_models import LetterKind, LetterPolicy
from market.errors import Conflict, Invalid
from market.vendors import service as vendors
from market.vendors.models import Market
from market.words import N_

WARNINGS = (LetterKind.SP1, LetterKind.SP2, LetterKind.SP3)
KINDS: dict[str, tuple[LetterKind, ...]] = {
    PERUMDA: WARNINGS,
    VILLAGE: WARNINGS,
    LEVY: (LetterKind.TEGURAN, LetterKind.STRD),
}
NAMES: dict[str, dict[LetterKind, str]] = {
    PERUMDA: {
        LetterKind.SP1: N_("Surat peringatan pertama (SP1)"),
        LetterKind.SP2: N_("Surat peringatan kedua (SP2)"),
        LetterKind.SP3: N_("Surat peringatan ketiga (SP3)"),
    },
    VILLAGE: {
        LetterKind.SP1: N_("Surat pengingat pertama"),
        LetterKind.SP2: N_("Surat pengingat kedua"),
        LetterKind.SP3: N_("Surat pengingat ketiga"),
    },
    LEVY: {LetterKind.TEGURAN: N_("Surat teguran"), LetterKind.STRD: N_("Surat Tagihan Retribusi Daerah (STRD)")},
}
# What is usual: (days after the due date, or after the letter before was received; days to answer). To be confirmed.
USUAL = {
    LetterKind.SP1: (90, 14), LetterKind.SP2: (14, 14), LetterKind.SP3: (14, 14),
    LetterKind.TEGURAN: (7, 7), LetterKind.STRD: (7, 30),
}  # fmt: skip


class LetterNotOfRegime(Invalid):
    message = N_("Pasar ini tidak memakai surat jenis itu.")


class RuleStarts(Conflict):
    message = N_("Sudah ada aturan surat ini yang mulai pada hari itu.")


class BadLetterRule(Invalid):
    message = N_("Isi hari (0 sampai 400), hari untuk menjawab (1 sampai 90), dan dasar hukumnya.")


@dataclass(frozen=True)
class LetterRule:
    """One step. `legal_basis` is empty where the market has confirmed none."""

    kind: LetterKind
    name: str  # msgid
    after_days: int
    answer_days: int
    legal_basis: str


def letter_rules(session: Session, market: Market, day: date) -> list[LetterRule]:
    """The steps of a market on a day, in their order."""
    rows = session.execute(
        select(LetterPolicy)
        .where(col(LetterPolicy.market_id) == market.id, col(LetterPolicy.valid_from) <= day)
        .order_by(col(LetterPolicy.valid_from))
    ).scalars()
    own = {row.kind: row for row in rows}
    found = []
    for kind in KINDS[market.fee_regime]:
        after, answer, basis = *USUAL[kind], ""
        if kind in own:
            after, answer, basis = own[kind].after_days, own[kind].answer_days, own[kind].legal_basis
        found.append(LetterRule(kind, letter_name(market.fee_regime, kind), after, answer, basis))
    return found


def letter_name(regime: str, kind: str) -> str:
    """The msgid of a letter's name. Raises LetterNotOfRegime: a company writes no STRD, a levy market no SP."""
    name = NAMES[regime].get(LetterKind(kind))
    if name is None:
        raise LetterNotOfRegime
    return name


def add_letter_rule(
    session: Session,
    market_id: str,
    kind: LetterKind,
    *,
    valid_from: date,
    after_days: int,
    answer_days: int,
    legal_basis: str,
    by: Principal,
) -> LetterPolicy:
    """A market's own rule for one letter from a day on. Raises LetterNotOfRegime, BadLetterRule, RuleStarts."""
    by.require(Role.director, market_id=market_id)
    market = vendors.get_market(session, market_id)
    letter_name(market.fee_regime, kind)
    basis = legal_basis.strip()
    if not (0 <= after_days <= 400 and 1 <= answer_days <= 90 and basis):
        raise BadLetterRule
    if session.get(LetterPolicy, (market.id, kind, valid_from)) is not None:
        raise RuleStarts
    row = LetterPolicy(
        market_id=market.id, kind=kind, valid_from=valid_from, after_days=after_days, answer_days=answer_days,
        legal_basis=basis[:200], created_by=by.user_id,
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(
        session, by, "letter.rule", "letter_policy", f"{kind}:{valid_from}", market_id=market.id,
        after={"after_days": after_days, "answer_days": answer_days, "basis": basis},
    )  # fmt: skip
    return row
