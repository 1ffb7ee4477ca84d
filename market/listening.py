"""Hear at once what other processes commit: PostgreSQL's LISTEN, in a thread of its own that comes back when it was cut off.

`alive` is true only while this process has heard a message that its *application's* connection sent: an address that leads to
another database, or through a pooler that lends connections by the transaction, is never taken for a working listener.
"""

import threading
import uuid
from collections.abc import Callable
from time import monotonic

import psycopg
import psycopg.sql
import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from market.database import make_engine

NAME = "smart-ekonomi listener"  # application_name: how an operator finds it in pg_stat_activity
PATIENCE_SECONDS = 3.0  # in which the first message must come round
LONGEST_PAUSE_SECONDS = 2.0
_ECHO = "echo "
log = structlog.get_logger()


class Unheard(Exception):
    """What the application said did not arrive: another database, or a pooler in between."""


class Listener:
    """One connection that listens; `heard` is called from its thread for every announcement, and after each reconnection."""

    def __init__(self, url: str, engine: Engine, channel: str, heard: Callable[[], None]) -> None:
        self.alive = False
        self.losses = 0
        self._engine = engine
        self._channel = channel
        self._heard = heard
        self._own = make_engine(
            url,
            poolclass=NullPool,
            connect_args={
                "application_name": NAME, "autocommit": True, "connect_timeout": 3,
                # A cut cable says nothing: the kernel asks, and tells within twenty seconds.
                "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3,
            },
        )  # fmt: skip
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; not waited for: the thread holds nothing that outlives the process."""
        self._stop.set()

    def _run(self) -> None:
        pause = 0.1
        while not self._stop.is_set():
            try:
                self._listen()
            except (psycopg.Error, SQLAlchemyError, OSError, Unheard) as error:
                if self._stop.is_set():
                    break
                if self.alive:
                    self.losses += 1
                    pause = 0.1
                self.alive = False
                log.warning("listener_lost", error=type(error).__name__)
                self._stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self.alive = False

    def _listen(self) -> None:
        """Until cut off. Raises Unheard where the application's own word does not come round."""
        raw = self._own.raw_connection()
        try:
            wire = raw.driver_connection
            assert isinstance(wire, psycopg.Connection)
            wire.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(self._channel)))
            mark, until = _ECHO + uuid.uuid4().hex, monotonic() + PATIENCE_SECONDS
            with self._engine.begin() as connection:
                connection.execute(text("SELECT pg_notify(:channel, :mark)"), {"channel": self._channel, "mark": mark})
            while not self._stop.is_set():
                for notice in wire.notifies(timeout=1.0):
                    if notice.payload == mark:
                        self._heard()  # whatever was said while nobody listened
                        self.alive = True
                        log.info("listener_ready")
                    elif not notice.payload.startswith(_ECHO):
                        self._heard()
                if not self.alive and monotonic() > until:
                    raise Unheard
        finally:
            raw.invalidate()  # never back to a pool with its LISTEN on
