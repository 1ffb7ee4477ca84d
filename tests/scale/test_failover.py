"""The primary dies under load and its replica takes over: what was answered is there, and what was not is paid once by asking again.

A primary, a synchronous streaming replica, PgBouncer where it is installed, two server processes, four banks that send signed
payment notifications and repeat what was not taken, as a bank does.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Engine, text

from market import clock
from market.database import make_engine, session_scope
from tests.payments.city import FEE, NOON, ask, assert_clean, build
from tests.payments.test_notify import SECRET, bank, bearer, body_of, deliver
from tests.scale.cluster import Server, pair
from tests.scale.pooler import PACKAGE, pooler, program
from tests.scale.programs import servers

__all__ = ["bank"]
pytestmark = pytest.mark.fault
PAYMENTS = 120
BANKS = 4
DETECTION = 1.5  # seconds until somebody or something decides that the primary is dead
PAID = text("SELECT provider_reference, count(*), sum(amount) FROM payment GROUP BY 1")


@dataclass
class Log:
    """What the banks saw. `answered` keeps the moment at which a notification was confirmed."""

    sent: int = 0
    said: Counter[str] = field(default_factory=Counter)
    answered: dict[str, float] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, reference: str, said: str) -> None:
        with self.lock:
            self.sent += 1
            self.said[said] += 1
            if said == "200":
                self.answered[reference] = time.monotonic()
            else:
                self.repeated.add(reference)


@pytest.fixture
def cluster(shared: Engine) -> Iterator[tuple[Server, Server]]:
    with pair(shared.url.set(drivername="postgresql").render_as_string(hide_password=False)) as servers:
        primary, replica = servers
        # An answer leaves only when the replica has the payment too. Without it, what the replica had not received would be lost.
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        yield primary, replica


def test_the_replica_takes_over_under_load(
    cluster: tuple[Server, Server], bank: rsa.RSAPrivateKey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    primary, replica = cluster
    engine = make_engine(primary.url())
    with session_scope(engine) as session, clock.freeze(NOON):
        town = build(session, days=1, vendors=PAYMENTS)
        asked = [ask(session, vendor) for vendor in town.vendors]
    engine.dispose()
    both = (
        f"postgresql+psycopg://postgres@/market?host=127.0.0.1:{primary.port}&host=127.0.0.1:{replica.port}"
        "&target_session_attrs=read-write"
    )
    settings = {
        "database_url": both, "listen_database_url": both, "now": NOON.isoformat(), "pool_size": "4", "pool_wait": "5",
        "snap_inbound_client_id": "BANKCONTOH", "snap_inbound_secret": SECRET, "snap_merchant_id": "SEWAKADARMA01",
        "snap_provider_public_key_file": str(tmp_path / "bank.pem"),
    }  # fmt: skip
    with ExitStack() as stack:
        lending = stack.enter_context(pooler(primary.folder.parent / "pooler", primary.port)) if program() else None
        if lending:
            settings |= {"database_url": lending.url(), "database_prepare": "false"}
        clients = stack.enter_context(servers(tmp_path, 2, settings))
        token = bearer(clients[0], bank)
        log = Log()
        stop = time.monotonic() + 30

        def send(mine: list[int], first: int) -> None:
            for n in mine:
                reference, turn = f"BANK-{asked[n].id}", first
                while reference not in log.answered and time.monotonic() < stop:
                    try:
                        answer = deliver(clients[turn % 2], token, body_of(asked[n]), str(10_000 + n))  # type: ignore[arg-type]
                        said = "200" if answer.json().get("responseCode") == "2005200" else f"{answer.status_code}"
                    except (httpx.HTTPError, ValueError) as error:
                        said = type(error).__name__
                    log.note(reference, said)
                    if said != "200":
                        time.sleep(0.1)
                    turn += 1

        threads = [threading.Thread(target=send, args=(list(range(PAYMENTS))[k::BANKS], k)) for k in range(BANKS)]
        for thread in threads:
            thread.start()
        while len(log.answered) < PAYMENTS // 3:
            assert time.monotonic() < stop, log.said
            time.sleep(0.01)
        died = time.monotonic()
        primary.stop("immediate")
        before = {reference for reference, moment in log.answered.items() if moment < died}
        time.sleep(DETECTION)
        replica.promote()
        there = dict.fromkeys(str(row[0]) for row in replica.ask("SELECT provider_reference FROM payment", "market"))
        if lending:
            lending.lead(replica.port)
        for thread in threads:
            thread.join()
        first_again = min(moment for moment in log.answered.values() if moment > died + 0.05)

    told = (
        f"fail-over {'through PgBouncer' if lending else f'without PgBouncer (apt-get install {PACKAGE})'}: "
        f"{log.sent} requests sent, {log.said['200']} answered, "
        f"{log.sent - log.said['200']} refused or unanswered {dict(log.said)}, {len(log.repeated)} notifications repeated; "
        f"{len(before)} answered before the primary died, {len(before - set(there))} of them lost; "
        f"first answer {first_again - died:.1f} s after"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert before <= set(there), f"answered and lost: {before - set(there)}"
    assert len(log.answered) == PAYMENTS, told
    engine = make_engine(replica.url())
    with engine.connect() as connection:
        paid = {row[0]: (row[1], row[2]) for row in connection.execute(PAID)}
    assert paid == {f"BANK-{a.id}": (1, FEE) for a in asked}, "each once, none doubled"
    assert_clean(engine)
    engine.dispose()
    assert log.repeated and len(before) < PAYMENTS, "the primary died too late"
