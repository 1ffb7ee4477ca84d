"""What a signed-in vendor may tick to pay together: each month's rent, each run of days, each place apart."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from market.desk.paying import NothingOwed
from market.dues import service as dues
from market.dues.service import ChargeLine, LineGroup
from market.payments.service import NotOurs

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Choice:
    """One line of the form. `id` changes with what is in it, so that an old page does not pay something else."""

    id: str
    place: str
    group: LineGroup
    lines: list[ChargeLine]

    @property
    def total(self) -> int:
        return sum(line.remaining for line in self.lines)


def choices(lines: Sequence[ChargeLine]) -> list[Choice]:
    """Days of one place, type and amount together, every other charge apart; oldest first."""
    folded: dict[tuple[object, ...], list[ChargeLine]] = {}
    for line in lines:
        own = None if line.period_end - line.due_on == ONE_DAY else line.due_on
        folded.setdefault((line.charge_type, line.place_code, line.remaining, line.explanation, own), []).append(line)
    return [_choice(same) for same in folded.values()]


def chosen(lines: Sequence[ChargeLine], ids: Collection[str]) -> list[ChargeLine]:
    """The lines ticked, with every correction that owes the vendor. Raises NothingOwed, NotOurs (the page was old)."""
    offered = {choice.id: choice for choice in choices(lines)}
    if not ids:
        raise NothingOwed
    if not set(ids) <= offered.keys():
        raise NotOurs
    wanted = {line.key for i in ids for line in offered[i].lines}
    found = [line for line in lines if line.key in wanted or line.remaining < 0]
    if sum(line.remaining for line in found) <= 0:
        raise NothingOwed
    return found


def _choice(same: list[ChargeLine]) -> Choice:
    first, last = same[0].key, same[-1].key
    name = f"{first.permit_id}.{first.charge_type}.{first.period_start}.{first.revision}"
    return Choice(
        f"{name}.{last.period_start}.{len(same)}.{same[0].remaining}", same[0].place_code, dues.grouped(same)[0], same
    )
