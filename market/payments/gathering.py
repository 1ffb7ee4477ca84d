"""Messages that arrive together are written together: a transaction in flight gathers the next one's messages.

    arrivals = Gathering(engine)
    outcome = await arrivals.deliver(notice)        # answered once its transaction is committed

One message alone waits for nobody. Each still is one transaction's business from message to ledger; what they share is the
commit, which is most of its cost (group commit: DeWitt et al., "Implementation techniques for main memory database systems",
SIGMOD 1984). Where a batch is refused, each of its messages is tried alone, so that none suffers for another.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from market.database import session_scope
from market.errors import Conflict
from market.payments.inbox import receive_many
from market.payments.notices import Notification, Outcome

log = structlog.get_logger()
LANES = 2  # transactions in flight: one writes while the other's messages are read
LARGEST = 32  # messages in one transaction
TRIES = 3  # a lock that two deliveries take crosswise is let go by one of them


class Gathering:
    """The messages of one process on their way into its database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[tuple[Notification, asyncio.Future[Outcome]]] = deque()
        self._lanes = 0  # at work, and of these
        self._writing = 0  # in their transaction
        self._tasks: set[asyncio.Task[None]] = set()  # kept, or the loop might drop them half-way
        self._most = LANES if engine.dialect.name == "postgresql" else 1  # SQLite has one writer

    async def deliver(self, notice: Notification) -> Outcome:
        """What the message came to, committed. Raises what its transaction raised at the last try."""
        mine: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((notice, mine))
        if self._lanes < self._most:
            self._lanes += 1
            lane = asyncio.create_task(self._work())
            self._tasks.add(lane)
            lane.add_done_callback(self._tasks.discard)
        return await mine

    async def _work(self) -> None:
        try:
            while self._waiting:
                share = -(-len(self._waiting) // (self._most - self._writing))  # the other lane is to have its part
                batch = [self._waiting.popleft() for _ in range(min(LARGEST, share))]
                self._writing += 1
                outcomes: list[Outcome | Exception]
                try:
                    outcomes = await run_in_threadpool(take, self._engine, [notice for notice, _ in batch])
                except Exception as error:  # noqa: BLE001 - no sender waits for an answer that will not come
                    outcomes = [error for _ in batch]
                except BaseException:  # the process stops: what is not answered now is told again by its sender
                    for _, answer in (*batch, *self._waiting):
                        answer.cancel()
                    self._waiting.clear()
                    raise
                finally:
                    self._writing -= 1
                for (_, answer), outcome in zip(batch, outcomes, strict=True):
                    if answer.done():  # its caller has gone; what was written stays written
                        continue
                    if isinstance(outcome, Exception):
                        answer.set_exception(outcome)
                    else:
                        answer.set_result(outcome)
        finally:
            self._lanes -= 1  # with nothing awaited since the last look: who comes now opens a lane again


def take(engine: Engine, notices: Sequence[Notification]) -> list[Outcome | Exception]:
    """Store and apply messages in one transaction, or each in its own where that is refused."""
    if len(notices) > 1:
        try:
            with session_scope(engine) as session:
                return list(receive_many(session, notices))
        except Exception as error:  # noqa: BLE001 - each is tried alone now, and told what it met there
            log.info("messages_apart", error=type(error).__name__, messages=len(notices))
    return [_alone(engine, notice) for notice in notices]


def _alone(engine: Engine, notice: Notification) -> Outcome | Exception:
    refused: Exception = AssertionError("tried at least once")
    for _ in range(TRIES):  # a rival wrote the same charge or reference first: what it wrote is read next time
        try:
            with session_scope(engine) as session:
                return receive_many(session, [notice])[0]
        except (DBAPIError, Conflict) as error:
            refused = error
        except Exception as error:  # noqa: BLE001 - its own sender is told, the others have their outcomes
            return error
    return refused
