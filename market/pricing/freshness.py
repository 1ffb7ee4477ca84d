"""Which version of the public pages is the newest: one small row per area, and a counter of the commits this process knows of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import Session

from market import clock
from market.database import UTCDateTime

EVERYWHERE = "*"
CHANNEL = "market_published"
_counter = count(1)
commits = 0  # rises with every publishing commit of this process; a plain integer, because every hot request reads it


def announce(session: Session, area_id: str) -> None:
    """Tell the other processes in the publishing transaction: who listens hears it when this commits, never if it rolls back."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_notify(:channel, :area)"), {"channel": CHANNEL, "area": area_id})


def changed_here(_session: Any = None) -> None:
    """A transaction that published has committed: in this process, or in another that told us."""
    global commits
    commits = next(_counter)


@dataclass(frozen=True)
class Versions:
    """The versions of all areas at one moment. Pages over several areas depend on `EVERYWHERE`."""

    today: date
    by_area: dict[str, tuple[int, datetime]]

    def of(self, area_id: str) -> tuple[object, ...]:
        """What a cached page of this area must match to be served."""
        return (self.today, self.by_area.get(area_id, (0, _EPOCH))[0])

    def reaches(self, other: "Versions") -> bool:
        """Whether every publication of `other` is among these."""
        return all(self.by_area.get(area, (0, _EPOCH))[0] >= version for area, (version, _) in other.by_area.items())

    def changed_at(self, area_id: str) -> datetime:
        """When the area's pages last changed."""
        return self.by_area.get(area_id, (0, _EPOCH))[1]


_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_QUERY = text("SELECT area_id, version, changed_at FROM publication_version").columns(changed_at=UTCDateTime)


def read(engine: Engine) -> Versions:
    """Ask the database, in a connection of its own."""
    with engine.execution_options(write=False).connect() as connection:
        return _versions(connection.execute(_QUERY).all())


def current(session: Session) -> Versions:
    """Ask the database, in the caller's transaction."""
    return _versions(session.execute(_QUERY).all())


def _versions(rows: Sequence[Any]) -> Versions:
    versions = {area: (version, changed_at) for area, version, changed_at in rows}
    everywhere = (sum(v for v, _ in versions.values()), max((at for _, at in versions.values()), default=_EPOCH))
    return Versions(clock.today(), versions | {EVERYWHERE: everywhere})
