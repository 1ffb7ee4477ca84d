"""What a bank line is when it is no deposit and no payout: a fee, a returned item, interest. A person says so, with a reason.

Postings, in the operator's book: a fee is an expense of its own and never lessens what was taken; what the bank gave back
stands in `returned:bank` until it is deposited again. Taking a word back posts the opposite.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, func, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.auth.models import UserAccount
from market.collection.models import BankLine, BankMatch
from market.collection.statement_models import BankDebit, LineClass, LineKind, PayoutMatch
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.ledger.service import Line
from market.words import N_, say

SHORTEST_REASON = 5
# Where the money goes to (a debit) or comes from (a credit).
DEBITS = {
    LineKind.fee: "expense:bank", LineKind.returned: "returned:bank", LineKind.moved: "transfer:bank",
    LineKind.other: "review",
}  # fmt: skip
CREDITS = {LineKind.interest: "income:bank", LineKind.again: "returned:bank", LineKind.other: "review"}


class BankLineUnknown(NotFound):
    message = N_("Mutasi bank ini tidak ditemukan.")


class WordTaken(Conflict):
    message = N_("Mutasi ini sudah dicocokkan atau sudah dinamai. Lepaskan dulu.")


class NothingSaid(Conflict):
    message = N_("Mutasi ini belum dinamai.")


class WordMissing(Invalid):
    message = N_("Pilih apa mutasi ini, dan tulis alasannya.")


@dataclass(frozen=True)
class Said:
    """The word that counts on a line."""

    kind: LineKind
    reason: str
    by: str
    at: datetime


def newest() -> Select[int | None]:
    """Ids of the words that count: the newest on each line and each debit."""
    return select(func.max(col(LineClass.id))).group_by(col(LineClass.line_id), col(LineClass.debit_id))


def named_lines() -> Select[int | None]:
    """Ids of the credits that a person has named; they are no longer loose."""
    return select(col(LineClass.line_id)).where(
        col(LineClass.id).in_(newest()), col(LineClass.kind) != LineKind.open, col(LineClass.line_id).is_not(None)
    )


def say_what(
    session: Session, operator_id: str, *, line_id: int | None = None, debit_id: int | None = None, kind: str,
    reason: str, by: Principal,
) -> LineClass:  # fmt: skip
    """Name a credit (`line_id`) or a debit; `kind` open takes the word back.

    Raises BankLineUnknown, WordTaken, NothingSaid, WordMissing.
    """
    by.require(Role.treasurer, operator_id=operator_id)
    row = _locked(session, operator_id, line_id, debit_id)
    words = DEBITS if debit_id is not None else CREDITS
    fields = {}
    if kind != LineKind.open and kind not in words:
        fields["kind"] = say(N_("Pilih apa mutasi ini."))
    if len(reason.strip()) < SHORTEST_REASON:
        fields["reason"] = say(N_("Tulis alasannya dalam beberapa kata."))
    if fields:
        raise WordMissing(fields=fields)
    said = _said(session, line_id, debit_id)
    if kind == LineKind.open and said is None:
        raise NothingSaid
    if kind != LineKind.open and (said is not None or (line_id is not None and _is_matched(session, line_id))):
        raise WordTaken
    word = LineClass(
        operator_id=operator_id, line_id=line_id, debit_id=debit_id, kind=LineKind(kind),
        reason=reason.strip()[:300], said_by=by.user_id, said_at=clock.now(),
    )  # fmt: skip
    session.add(word)
    session.flush()
    counted = said.kind if said is not None else word.kind
    amount = -row.amount if debit_id is not None else row.amount
    if said is not None:
        amount = -amount
    # A correction belongs to the day it is made; the word itself to the day the bank booked it.
    day = clock.today() if said is not None else row.booked_on
    lines = [Line(f"bank:{row.account}", amount), Line(words[counted], -amount)]
    ledger.post(
        session, book=f"@{operator_id}", key=f"bank-line:{word.id}", kind="bank", business_day=day, lines=lines,
        memo=word.reason,
    )  # fmt: skip
    subject = "bank_debit" if debit_id is not None else "bank_line"
    after = {"kind": str(word.kind), "amount": row.amount, "reason": word.reason}
    audit.record(session, by, "statement.name", subject, str(line_id or debit_id), after=after)
    return word


def words_on(
    session: Session, *, line_ids: Collection[int] = (), debit_ids: Collection[int] = ()
) -> dict[tuple[str, int], Said]:
    """The words that count, by ("line" | "debit", id); one query."""
    rows = session.execute(
        select(LineClass, col(UserAccount.name))
        .outerjoin(UserAccount, col(UserAccount.id) == col(LineClass.said_by))
        .where(
            col(LineClass.id).in_(newest()), col(LineClass.kind) != LineKind.open,
            col(LineClass.line_id).in_(set(line_ids)) | col(LineClass.debit_id).in_(set(debit_ids)),
        )
    )  # fmt: skip
    return {
        ("line", w.line_id) if w.line_id is not None else ("debit", w.debit_id or 0): Said(
            w.kind, w.reason, name or "", w.said_at
        )
        for w, name in rows
    }


def debits(session: Session, operator_id: str, first: date, last: date) -> list[BankDebit]:
    """Money that left the operator's accounts in [first, last], and what is not named yet from before."""
    unnamed = col(BankDebit.id).not_in(
        select(col(LineClass.debit_id)).where(
            col(LineClass.id).in_(newest()), col(LineClass.kind) != LineKind.open, col(LineClass.debit_id).is_not(None)
        )
    )
    query = (
        select(BankDebit)
        .where(
            col(BankDebit.operator_id) == operator_id, col(BankDebit.booked_on) <= last,
            (col(BankDebit.booked_on) >= first) | unnamed,
        )
        .order_by(col(BankDebit.booked_on), col(BankDebit.id))
    )  # fmt: skip
    return list(session.execute(query).scalars())


def _locked(session: Session, operator_id: str, line_id: int | None, debit_id: int | None) -> BankLine | BankDebit:
    row: BankLine | BankDebit | None = (
        session.get(BankLine, line_id, with_for_update=True)
        if debit_id is None
        else session.get(BankDebit, debit_id, with_for_update=True)
    )
    if row is None or row.operator_id != operator_id:
        raise BankLineUnknown
    return row


def _said(session: Session, line_id: int | None, debit_id: int | None) -> LineClass | None:
    same = col(LineClass.debit_id) == debit_id if debit_id is not None else col(LineClass.line_id) == line_id
    word = session.execute(
        select(LineClass).where(same).order_by(col(LineClass.id).desc()).limit(1)
    ).scalar_one_or_none()  # fmt: skip
    return None if word is None or word.kind == LineKind.open else word


def _is_matched(session: Session, line_id: int) -> bool:
    used = (col(BankMatch.bank_line_id), col(PayoutMatch.bank_line_id))
    return any(session.execute(select(column).where(column == line_id)).first() for column in used)


def refuse_named(session: Session, line_id: int) -> None:
    """Raises WordTaken: a line that a person named is nobody's deposit until the word is taken back."""
    if _said(session, line_id, None) is not None:
        raise WordTaken
