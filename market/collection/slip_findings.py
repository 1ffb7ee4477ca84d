"""What is odd about slips that were signed rightly: their clock, a key that signs on, a chain that does not hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from market.collection.device_models import Device, FlagKind, SlipState
from market.collection.flags import Finding
from market.collection.signing import Signed
from market.collection.slip_days import TOLD, Booked


@dataclass(frozen=True)
class Item:
    """A slip that is new to us: the day and moment it is booked on, and why it is not booked by itself, if so."""

    signed: Signed
    booked: Booked
    state: SlipState = SlipState.taken
    reason: str = ""


def odd(device: Device, items: Sequence[Item], ahead: timedelta, before: dict[int, set[str]]) -> list[Finding]:
    """Clocks that were put right, keys that sign on after their end, and chains that do not hold."""
    found = []
    digests = {number: set(known) for number, known in before.items()}
    for item in items:
        digests.setdefault(item.signed.text.number, set()).add(item.signed.digest)
    for item in items:
        text = item.signed.text
        if item.state == SlipState.refused:
            found.append(Finding(FlagKind.revoked, device.code, text.number, item.signed.digest, item.signed.body))
        if item.booked.odd or abs(ahead) > TOLD or _older_than_it_can_be(device, item):
            about = f"{item.booked.day}"  # one flag a day: the clock was wrong for all of it
            said = f"{text.issued_at.isoformat()} → {item.booked.paid_at.isoformat()}"
            found.append(Finding(FlagKind.clock, device.code, text.number, about, said))
        earlier = digests.get(text.number - 1, set())
        if (earlier and text.prev not in earlier) or (text.number == 1 and text.prev):
            found.append(Finding(FlagKind.chain, device.code, text.number, item.signed.digest, item.signed.body))
    return found


def _older_than_it_can_be(device: Device, item: Item) -> bool:
    """Whether a slip claims a time at which its device had not made it: it last told us how many it kept."""
    if device.last_seen_at is None or device.waiting is None:
        return False
    made_since = item.signed.text.number > device.last_number + device.waiting
    return made_since and item.booked.said_at < device.last_seen_at - TOLD
