"""A streaming replica that answers public reads while it keeps up; the primary answers where it does not.

How far behind it is, is measured and not asked: every second the primary's position in its log is noted, and the lag is the
age of the newest note that the replica has replayed. That is right for a primary at rest, for a replica that has lost its
primary, and for two hosts whose clocks differ.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import structlog
from fastapi import FastAPI
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from market.database import make_engine, session_scope

EVERY_SECONDS = 1.0
_AT = text("SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint")
_REPLAYED = text("SELECT pg_is_in_recovery(), coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::bigint")
log = structlog.get_logger()


class Replica:
    """`state`: near (it answers), behind, gone, promoted (a primary now: it is not asked), alone (it answers: the primary is gone)."""

    def __init__(self, url: str, primary: Engine, most_lag: float) -> None:
        self.engine = make_engine(url, connect_args={"connect_timeout": 2, "application_name": "smart-ekonomi reads"})
        self.state = "gone"
        self.lag: float | None = None  # seconds; None where it does not answer
        self._primary = primary
        self._most_lag = most_lag
        self._marks: deque[tuple[float, int]] = deque(maxlen=3_600)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="replica", daemon=True)

    @property
    def usable(self) -> bool:
        return self.state in ("near", "alone")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.engine.dispose()

    def lost(self) -> None:
        """A reader could not use it: the primary answers until the next look finds it well."""
        self._say("gone", None)

    def look(self) -> None:
        """Measure once; afterwards `state` and `lag` are true of this moment."""
        moment, alone = monotonic(), False
        try:
            with self._primary.connect().execution_options(isolation_level="AUTOCOMMIT", write=False) as connection:
                self._marks.append((moment, connection.execute(_AT).scalar_one()))
        except SQLAlchemyError:
            alone = True
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                recovering, replayed = connection.execute(_REPLAYED).one()
        except SQLAlchemyError:
            self._say("gone", None)
            return
        lag = self._behind(replayed, moment)
        if not recovering:
            self._say("promoted", lag)
        elif alone:
            self._say("alone", lag)
        else:
            self._say("near" if lag <= self._most_lag else "behind", lag)

    def _behind(self, replayed: int, moment: float) -> float:
        while len(self._marks) > 1 and self._marks[1][1] <= replayed:
            self._marks.popleft()
        if self._marks and self._marks[-1][1] <= replayed:
            return 0.0 if self._marks[-1][0] == moment else moment - self._marks[-1][0]
        return moment - self._marks[0][0] if self._marks else 0.0

    def _say(self, state: str, lag: float | None) -> None:
        if state != self.state:
            log.info("replica", state=state, lag=lag)
        self.state, self.lag = state, lag

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(EVERY_SECONDS)


@contextmanager
def reading(app: FastAPI) -> Iterator[tuple[Session, bool]]:
    """A reading transaction for what anybody may see, and whether the replica gives it."""
    replica: Replica | None = app.state.replica
    if replica is not None and replica.usable:
        try:
            connection = replica.engine.connect()  # asks whether the line is alive
        except SQLAlchemyError:
            replica.lost()
        else:
            with connection, Session(connection, expire_on_commit=False) as session:
                yield session, True
            return
    with session_scope(app.state.engine, write=False) as session:
        yield session, False
