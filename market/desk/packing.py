"""The evidence of a market's period: every receipt with its whole trace, and the sums that tie it to the ledger.

Six queries whatever the number of receipts. Names of officers only; a vendor is a permit's number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, TextClause, bindparam, text
from sqlmodel import Session

from market import audit, clock
from market.database import UTCDateTime
from market.payments.models import receipt_number
from market.vendors.models import Market
from market.web.i18n import gettext, ngettext

Row = dict[str, Any]
_IN_PERIOD = "p.market_id = :market AND p.business_day >= :first AND p.business_day <= :last"

_RECEIPTS = f"""
    SELECT r.year, r.n, p.id AS payment_id, p.business_day, p.session_code, p.method, p.provider, p.provider_reference, p.amount,
        p.credited, p.paid_at, p.received_at, u.name AS taken_by, r.place, r.issued_at, k.reason AS cancelled_because, k.at AS cancelled_at,
        t.key AS ledger_key, q.position AS seal_position, q.hash AS seal,
        s.device AS slip_device, s.number AS slip_number, s.issued_at AS slip_at, w.id AS round_id, wu.name AS collector,
        h.id AS handover_id, h.expected AS handover_expected, h.received AS handover_received, h.reason AS handover_reason, h.handed_at,
        h.verified_at, hu.name AS verified_by, d.id AS deposit_id, d.reference AS deposit_reference, d.amount AS deposit_amount,
        d.deposited_at, du.name AS deposited_by, b.reference AS bank_reference, b.booked_on AS bank_booked_on, b.amount AS bank_amount
    FROM payment p
    JOIN receipt r ON r.market_id = p.market_id AND r.payment_id = p.id
    LEFT JOIN receipt_cancellation k ON k.market_id = r.market_id AND k.year = r.year AND k.n = r.n
    LEFT JOIN ledger_transaction t ON t.book = p.market_id AND t.id = p.transaction_id
    LEFT JOIN ledger_seal q ON q.book = t.book AND q.transaction_id = t.id
    LEFT JOIN slip s ON s.market_id = r.market_id
        AND s.receipt_number = r.market_id || '-' || CAST(r.year AS text) || '-' || {{padded}}
    LEFT JOIN counter_item ci ON ci.market_id = p.market_id AND ci.transaction_id = p.transaction_id
    LEFT JOIN round w ON w.market_id = p.market_id AND w.id = coalesce(s.round_id, ci.round_id)
    LEFT JOIN handover h ON h.market_id = w.market_id AND h.round_id = w.id
    LEFT JOIN deposit_item i ON i.market_id = h.market_id AND i.handover_id = h.id
    LEFT JOIN deposit d ON d.market_id = i.market_id AND d.id = i.deposit_id
    LEFT JOIN bank_match m ON m.market_id = d.market_id AND m.deposit_id = d.id
    LEFT JOIN bank_line b ON b.id = m.bank_line_id
    LEFT JOIN user_account u ON u.id = p.taken_by LEFT JOIN user_account wu ON wu.id = w.collector_id
    LEFT JOIN user_account hu ON hu.id = h.verified_by LEFT JOIN user_account du ON du.id = d.deposited_by
    WHERE {_IN_PERIOD} ORDER BY r.year, r.n"""  # noqa: S608
_CHARGES = f"""
    SELECT p.id AS payment_id, s.permit_id, s.charge_type, s.period_start, s.revision, s.amount AS paid, c.period_end, c.net, c.gross,
        c.relieved, c.quantity_e4, t.basis, t.gross_e4 AS tariff_gross_e4, t.legal_basis, t.source AS tariff_source,
        e.legal_basis AS relief_basis
    FROM settlement s
    JOIN payment p ON p.market_id = s.market_id AND p.id = CAST(CASE WHEN s.source = 'payment' THEN s.source_id END AS bigint)
    JOIN charge c ON c.market_id = s.market_id AND c.permit_id = s.permit_id AND c.charge_type = s.charge_type
        AND c.period_start = s.period_start AND c.revision = s.revision
    LEFT JOIN tariff t ON t.id = c.tariff_id LEFT JOIN relief e ON e.id = c.relief_id
    WHERE s.market_id = :market AND s.source = 'payment' AND s.day >= :first AND s.day <= :last AND {_IN_PERIOD}
    ORDER BY p.id, s.period_start, s.charge_type, s.permit_id, s.revision"""  # noqa: S608
_HEARD = f"""
    SELECT p.id AS payment_id, i.id, i.provider, i.event_id, i.provider_status, i.received_at, i.outcome, i.digest
    FROM inbox i CROSS JOIN payment p WHERE i.market_id = :market AND p.id = i.payment_id AND {_IN_PERIOD}
    UNION SELECT p.id, i.id, i.provider, i.event_id, i.provider_status, i.received_at, i.outcome, i.digest
    FROM payment p JOIN payment_attempt a ON a.market_id = p.market_id AND a.payment_id = p.id
    JOIN inbox i ON i.reference = a.reference WHERE {_IN_PERIOD} ORDER BY 1, 2"""  # noqa: S608
_POSTINGS = f"""
    SELECT p.id AS payment_id, p.transaction_id, g.n AS line, g.account, g.amount FROM payment p
    JOIN posting g ON g.book = p.market_id AND g.transaction_id = p.transaction_id WHERE {_IN_PERIOD}
    ORDER BY p.id, g.n"""  # noqa: S608
# Asked of the ledger alone, by its own days and kinds: what the pack's own lines must come to.
_LEDGER = """
    SELECT t.kind, g.account, CAST(sum(g.amount) AS bigint) AS amount, count(DISTINCT t.id) AS transactions
    FROM ledger_transaction t JOIN posting g ON g.book = t.book AND g.transaction_id = t.id
    WHERE t.book = :market AND t.business_day >= :first AND t.business_day <= :last
    GROUP BY t.kind, g.account ORDER BY t.kind, g.account"""
_MONEY = """
    SELECT count(DISTINCT t.id) AS transactions,
        CAST(coalesce(sum(CASE WHEN g.amount > 0 AND g.account <> 'receivable' THEN g.amount END), 0) AS bigint) AS amount
    FROM ledger_transaction t JOIN posting g ON g.book = t.book AND g.transaction_id = t.id
    WHERE t.book = :market AND t.kind = 'payment' AND t.business_day >= :first AND t.business_day <= :last"""
_DAYS = ("business_day", "bank_booked_on", "period_start", "period_end")
_TIMES = (
    "paid_at",
    "received_at",
    "issued_at",
    "cancelled_at",
    "slip_at",
    "handed_at",
    "verified_at",
    "deposited_at",
)


@dataclass(frozen=True)
class Check:
    """One statement about the pack that must hold: two figures that must be equal."""

    name: str
    text: str
    here: int
    there: int
    account: bool = False

    @property
    def ok(self) -> bool:
        return self.here == self.there


@dataclass(frozen=True)
class Pack:
    """Everything of a market's period, `first` to `last` inclusive. Rows are plain columns, ready for a file."""

    market: Market
    first: date
    last: date
    made_at: datetime
    receipts: list[Row]
    charges: list[Row]
    notifications: list[Row]
    postings: list[Row]
    ledger: list[Row]
    checks: list[Check]
    log: audit.Verdict

    @property
    def ok(self) -> bool:
        return self.log.ok and all(check.ok for check in self.checks)

    @property
    def amount(self) -> int:
        return sum(r["amount"] for r in self.receipts)

    @property
    def missing(self) -> dict[str, tuple[int, int]]:
        """What is missing, in words → how many receipts and how much money."""
        found: dict[str, tuple[int, int]] = {}
        for row in self.receipts:
            if row["missing_kind"]:
                n, amount = found.get(row["missing_kind"], (0, 0))
                found[row["missing_kind"]] = (n + 1, amount + row["amount"])
        return found

    @property
    def ignored(self) -> int:
        """Notifications that changed nothing."""
        return sum(h["outcome"] in ("duplicate", "conflicting") for h in self.notifications)


def pack(session: Session, market: Market, first: date, last: date) -> Pack:
    """Read the period. The caller has checked who may."""
    values = {"market": market.id, "first": first, "last": last}
    sqlite = session.get_bind().dialect.name == "sqlite"
    padded = "printf('%07d', r.n)" if sqlite else "lpad(CAST(r.n AS text), greatest(7, length(CAST(r.n AS text))), '0')"
    today = clock.today(market.timezone)
    receipts = [_receipt(row, market.id, today) for row in _rows(session, _RECEIPTS.format(padded=padded), values)]
    numbers = {row["payment_id"]: row["receipt"] for row in receipts}
    charges, heard, postings = (
        _numbered(_rows(session, query, values), numbers) for query in (_CHARGES, _HEARD, _POSTINGS)
    )
    ledger = list(_rows(session, _LEDGER, values))
    return Pack(
        market, first, last, clock.now(), receipts, charges, heard, postings, ledger,
        _checks(receipts, charges, postings, ledger, next(iter(_rows(session, _MONEY, values)))), audit.verify(session),
    )  # fmt: skip


def _rows(session: Session, query: str, values: Row) -> Iterable[Row]:
    bound: TextClause = text(query).bindparams(bindparam("first", type_=Date), bindparam("last", type_=Date))
    days = {name: Date for name in _DAYS if name in query}
    times = {name: UTCDateTime for name in _TIMES if name in query}
    return (dict(row) for row in session.execute(bound.columns(**days, **times), values).mappings())


def _numbered(rows: Iterable[Row], numbers: dict[int, str]) -> list[Row]:
    """The receipt's number first in every line, so that each sheet can be read on its own."""
    return [{"receipt": numbers.get(row["payment_id"], ""), **row} for row in rows]


def _receipt(row: Row, market_id: str, today: date) -> Row:
    number = receipt_number(market_id, row.pop("year"), row.pop("n"))
    kind, words = _missing(row, today)
    return {"receipt": number, **row, "missing_kind": kind, "missing": words}


def _missing(row: Row, today: date) -> tuple[str, str]:
    """The first link that has not happened: its kind, and a sentence with age and person."""
    if row["cancelled_at"] is not None or row["method"] == "TITIPAN":
        return "", ""
    if row["method"] != "TUNAI":
        return gettext("Menunggu pencairan ke bank"), gettext("Menunggu pencairan ke bank")
    age = (today - row["business_day"]).days
    days = ngettext("%(n)s hari", "%(n)s hari", age) % {"n": age} if age else gettext("hari ini")
    who = row["collector"] or row["taken_by"] or gettext("loket")
    if row["verified_at"] is None:
        return gettext("Belum diserahkan"), gettext("Belum diserahkan, %(days)s, %(who)s") % {"days": days, "who": who}
    if row["deposit_id"] is None:
        return gettext("Belum disetor"), gettext("Belum disetor, %(days)s, bendahara") % {"days": days}
    if row["bank_booked_on"] is None:
        return gettext("Belum ada di rekening koran"), gettext("Setoran belum ada di rekening koran")
    return "", ""


def by_account(rows: Sequence[Row]) -> dict[str, int]:
    """Rupiah per account."""
    found: dict[str, int] = {}
    for row in rows:
        found[row["account"]] = found.get(row["account"], 0) + int(row["amount"])
    return dict(sorted(found.items()))


def _checks(receipts: list[Row], charges: list[Row], postings: list[Row], ledger: list[Row], money: Row) -> list[Check]:
    here, there = by_account(postings), by_account([row for row in ledger if row["kind"] == "payment"])
    amount, paid = sum(r["amount"] for r in receipts), sum(c["paid"] for c in charges)
    credited = sum(r["credited"] for r in receipts)
    told = gettext("Akun %(account)s: baris paket ini terhadap buku besar")
    return [
        Check("count", gettext("Banyaknya bukti terhadap transaksi pembayaran"), len(receipts), money["transactions"]),
        Check("money", gettext("Jumlah bukti terhadap uang masuk di buku besar"), amount, money["amount"]),
        Check("used", gettext("Jumlah bukti terhadap tagihan terbayar dan titipan"), amount, paid + credited),
        Check("debt", gettext("Tagihan terbayar terhadap piutang yang turun"), paid, -there.get("receivable", 0)),
        Check("balanced", gettext("Debit dikurangi kredit semua pembayaran"), sum(here.values()), 0),
        *(
            Check(account, told % {"account": account}, here.get(account, 0), there.get(account, 0), True)
            for account in sorted(here.keys() | there.keys())
        ),
    ]
