"""After data loss: the vendors hold what the phone lost. Their proofs come in the way the phone's own slips do."""

from dataclasses import dataclass

from sqlmodel import Session

from market import audit
from market.auth.access import Principal, Role
from market.collection import devices, sync
from market.collection.signing import read, unpack
from market.collection.sync import Answer, Envelope
from market.errors import Invalid
from market.words import N_, say

ENTERERS = (Role.clerk, Role.market_head)
MANY = 500


class NoProofs(Invalid):
    message = N_("Tempel isi QR dari bukti pedagang, satu baris satu bukti.")


@dataclass(frozen=True)
class Entered:
    """One proof and what became of it; `answer` is None where the line is no proof at all."""

    place: str
    amount: int
    answer: Answer | None


def enter(session: Session, code: str, text: str, *, by: Principal) -> list[Entered]:
    """Proofs of one device, one a line, at most 500. Raises NoProofs, DeviceUnknown."""
    device = devices.find(session, code)
    by.require(*ENTERERS, market_id=device.market_id)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or len(lines) > MANY:
        raise NoProofs(fields={"proofs": say(N_("Paling sedikit satu baris, paling banyak 500."))})
    unpacked = [unpack(line) for line in lines]
    envelopes = [Envelope(*found) for found in unpacked if found]
    answers = iter(sync.receive(session, code, envelopes, by=by) if envelopes else [])
    entered = []
    for found in unpacked:
        said = read(found[0]) if found else None
        entered.append(
            Entered(said.place if said else "", said.amount if said else 0, next(answers) if found else None)
        )
    after = {"proofs": len(lines), "taken": sum(1 for e in entered if e.answer and e.answer.outcome == "taken")}
    audit.record(session, by, "slip.re_enter", "device", code, market_id=device.market_id, after=after)
    return entered
