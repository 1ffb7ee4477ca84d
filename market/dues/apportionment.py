"""Which charges a sum of money pays. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from market.dues.models import ChargeKey, ChargeType

# Within one day: what the vendor needs to keep trading first, penalties last.
ORDER = {name: n for n, name in enumerate(
    (ChargeType.BOP, ChargeType.RETRIBUSI, ChargeType.SEWA, ChargeType.LISTRIK, ChargeType.AIR,
     ChargeType.KEBERSIHAN, ChargeType.PARKIR, ChargeType.IZIN, ChargeType.DENDA)
)}  # fmt: skip


class Owed(Protocol):
    """A charge and what is still unpaid of it: positive, or negative where a correction owes the vendor."""

    @property
    def key(self) -> ChargeKey: ...

    @property
    def remaining(self) -> int: ...


@dataclass(frozen=True)
class Part:
    """Rupiah applied to one charge; negative where a correction is used up."""

    key: ChargeKey
    amount: int


@dataclass(frozen=True)
class Apportionment:
    """Parts in the order they are applied, and what is left over for the vendor's prepaid balance."""

    parts: list[Part]
    credit: int


def apportion(amount: int, owed: Iterable[Owed]) -> Apportionment:
    """Divide `amount` rupiah over `owed`.

    Definition. First every negative head is applied in full: what the market owes the vendor is added to the money in
    hand. Then positive heads are paid in full, oldest first (by first day of the period, then by type as in ORDER,
    then by permit and revision), until the money is used up; the last one may be paid in part. What remains is credit.

    Always: sum of parts + credit = amount, credit >= 0, and no head receives more than remains of it.
    Raises ValueError for a negative amount.
    """
    if amount < 0:
        raise ValueError("a payment cannot be negative")
    heads = sorted(owed, key=lambda o: _order(o.key))
    parts = [Part(head.key, head.remaining) for head in heads if head.remaining < 0]
    in_hand = amount - sum(part.amount for part in parts)
    for head in heads:
        pays = min(in_hand, head.remaining)
        if pays > 0:
            parts.append(Part(head.key, pays))
            in_hand -= pays
    return Apportionment(parts, in_hand)


def _order(key: ChargeKey) -> tuple[object, ...]:
    return key.period_start, ORDER.get(ChargeType(key.charge_type), len(ORDER)), key.permit_id, key.revision
