"""What a provider's `latestTransactionStatus` means. Tables are configuration: providers deviate from the standard.

Two come with the program (`MARKET_SNAP_STATUS_TABLE`); an acquirer that differs again gets a file of its own
(`MARKET_SNAP_STATUS_FILE`): {"notify": {"00": "paid", …}, "query": {"00": "paid", …}}, and where it does not know a refund
by our number for it, "refund": "ask".
A value that a table does not name is `NEEDS_REVIEW`: a person looks, and it is never taken for paid.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from market.settings import Settings


class PaymentState(StrEnum):
    """Our own words for where a QR payment stands."""

    PAID = "paid"
    PENDING = "pending"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NOT_FOUND = "not_found"
    NEEDS_REVIEW = "needs_review"


@dataclass(frozen=True)
class StatusTable:
    """One provider's two vocabularies: what it sends in a notification, and what it answers to a query."""

    name: str
    notify: Mapping[str, PaymentState]
    query: Mapping[str, PaymentState]
    # SNAP: a partnerRefundNo that was done is the same refund, or refused as done; it is never a second one. An acquirer
    # that does not promise it is not sent the same refund again after a silence: a person asks it.
    repeats_refunds: bool = True

    def of_notify(self, code: str) -> PaymentState:
        return self.notify.get(code, PaymentState.NEEDS_REVIEW)

    def of_query(self, code: str) -> PaymentState:
        return self.query.get(code, PaymentState.NEEDS_REVIEW)


_ASPI = MappingProxyType(
    {
        "00": PaymentState.PAID,
        "01": PaymentState.PENDING,
        "02": PaymentState.PENDING,
        "03": PaymentState.PENDING,
        "04": PaymentState.REFUNDED,
        "05": PaymentState.CANCELLED,
        "06": PaymentState.FAILED,
        "07": PaymentState.NOT_FOUND,
    }
)

# One acquirer's published notify table (payments.md 4.2); it says "03 paid" where the standard says "pending".
# Its query answers follow another table, so an unsure code of the notification is settled by asking.
_DEVIATING_NOTIFY = MappingProxyType(
    {
        "01": PaymentState.FAILED,
        "02": PaymentState.NOT_FOUND,
        "03": PaymentState.PAID,
        "04": PaymentState.PENDING,
        "05": PaymentState.REFUNDED,
        "06": PaymentState.CANCELLED,
    }
)

STANDARD = StatusTable("standard", notify=_ASPI, query=_ASPI)
SHIFTED = StatusTable("shifted", notify=_DEVIATING_NOTIFY, query=_ASPI)

STATUS_TABLES: Mapping[str, StatusTable] = MappingProxyType({table.name: table for table in (STANDARD, SHIFTED)})


class BadStatusTable(ValueError):
    """The file of MARKET_SNAP_STATUS_FILE says something else than which code means which state."""


def table_of(settings: Settings) -> StatusTable:
    """The configured provider's table. Raises BadStatusTable: nothing is answered as understood until the file is mended."""
    if settings.snap_status_file is None:
        return STATUS_TABLES[settings.snap_status_table]
    try:
        return _read(settings.snap_status_file, settings.snap_status_file.stat().st_mtime_ns)
    except OSError as error:
        raise BadStatusTable(f"MARKET_SNAP_STATUS_FILE: {error.strerror}") from None


@lru_cache(maxsize=2)
def _read(path: Path, stamp: int) -> StatusTable:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if set(said) - {"refund"} != {"notify", "query"} or said.get("refund", "repeat") not in ("repeat", "ask"):
            raise BadStatusTable(
                "MARKET_SNAP_STATUS_FILE needs two tables, notify and query, and refund is repeat or ask"
            )
        notify, query = (
            {str(code): PaymentState(state) for code, state in said[n].items()} for n in ("notify", "query")
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise BadStatusTable(f"MARKET_SNAP_STATUS_FILE: {error}") from None
    repeats = said.get("refund", "repeat") == "repeat"
    return StatusTable(path.stem, MappingProxyType(notify), MappingProxyType(query), repeats)
