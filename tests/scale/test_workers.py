"""Several processes share the work: each job and each message once, whoever takes it; who is asked to end finishes what it began."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Engine, func, select, text

from market import migrate
from market.auth.access import SYSTEM
from market.cli import main
from market.database import session_scope
from market.jobs import service as jobs
from market.jobs.models import Delivery, Job, OutboxMessage
from market.payments.models import Payment
from market.vendors import service as vendors
from market.vendors.registry import NewVendor
from tests.dues import city
from tests.payments.city import NOON, ask, build
from tests.payments.test_notify import SECRET, bank, bearer, body_of, deliver
from tests.scale.programs import address, end, environment_of, free_port, start, wait_for
from tests.vendors.test_entering import Gateway

__all__ = ["bank"]
pytestmark = pytest.mark.fault
MESSAGES = 60


@pytest.fixture
def waiting(shared: Engine) -> Engine:
    """Sixty messages to a vendor, and eight jobs that deliver them: whoever runs one takes messages until none is left."""
    with session_scope(shared) as session:
        city.market(session)
        vendor = vendors.add_vendors(session, "PERUMDA", [NewVendor("Dagang Contoh", phone="081200000001")], by=SYSTEM)[
            0
        ]
        for n in range(MESSAGES):
            jobs.send(session, f"vendor:{vendor}", "login_code", {}, key=f"message {n}")
        for n in range(8):
            jobs.enqueue(session, "outbox.deliver", {}, key=f"delivery {n}")
    return shared


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.server.shutdown()


def test_four_processes_do_each_job_and_send_each_message_once(
    waiting: Engine, gateway: Gateway, tmp_path: Path
) -> None:
    settings = {"database_url": address(waiting), "message_gateway_url": gateway.url}
    command = [sys.executable, "-m", "market", "jobs", "run", "--once", "--json"]
    running = [
        subprocess.Popen(command, cwd=tmp_path, env=environment_of(settings), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    done = [json.loads(process.communicate(timeout=120)[0].splitlines()[-1])["jobs"] for process in running]
    with session_scope(waiting, write=False) as session:
        rows = session.execute(select(func.count(), func.count(Job.done_at), func.max(Job.attempts))).one()
        delivered = session.execute(select(func.count()).select_from(Delivery)).scalar_one()
    assert sum(done) == rows[0] == rows[1], "no job was tried twice, none was left"
    assert Counter(got["id"] for got in gateway.got) == Counter(f"message {n}" for n in range(MESSAGES))
    assert delivered == MESSAGES


def test_a_runner_asked_to_end_finishes_its_message(waiting: Engine, gateway: Gateway, tmp_path: Path) -> None:
    gateway.wait = 0.05
    settings = {"database_url": address(waiting), "message_gateway_url": gateway.url}
    runner = start(tmp_path, "jobs", "run", **settings)
    wait_for(lambda: len(gateway.got) >= 3, runner, tmp_path)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(15) == 0
    with session_scope(waiting, write=False) as session:
        sent = session.execute(select(func.count()).where(OutboxMessage.sent_at.is_not(None))).scalar_one()  # type: ignore[union-attr]
        delivered = session.execute(select(func.count()).select_from(Delivery)).scalar_one()
    assert len(gateway.got) == sent == delivered < MESSAGES, "what the gateway took is noted, the rest waits"
    again = [sys.executable, "-m", "market", "jobs", "run", "--once"]
    with session_scope(waiting) as session:  # the next minute
        jobs.enqueue(session, "outbox.deliver", {}, key="delivery of the next minute")
    subprocess.run(
        again, cwd=tmp_path, timeout=120, check=True, env=environment_of(settings), stdout=subprocess.DEVNULL
    )
    assert Counter(got["id"] for got in gateway.got) == Counter(f"message {n}" for n in range(MESSAGES))


def test_a_server_asked_to_end_answers_what_it_was_asked(
    shared: Engine, bank: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    """A payment is held up by a lock, the server (two workers) gets SIGTERM, the lock goes: the bank gets its 200."""
    with session_scope(shared) as session:
        asked = ask(session, build(session, days=1, vendors=1).vendors[0])
    port = free_port()
    settings = {
        "database_url": address(shared), "now": NOON.isoformat(), "snap_inbound_client_id": "BANKCONTOH",
        "snap_inbound_secret": SECRET, "snap_merchant_id": "SEWAKADARMA01",
        "snap_provider_public_key_file": str(tmp_path / "bank.pem"),
    }  # fmt: skip
    server = start(tmp_path, "serve", "--port", str(port), "--workers", "2", **settings)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
    answers: list[httpx.Response] = []
    try:
        wait_for(lambda: reached(client), server, tmp_path)
        token = bearer(client, bank)  # type: ignore[arg-type]
        with closing(psycopg.connect(address(shared).replace("+psycopg", ""))) as holder:
            holder.execute("LOCK TABLE receipt IN EXCLUSIVE MODE")
            paying = threading.Thread(target=lambda: answers.append(deliver(client, token, body_of(asked))))  # type: ignore[arg-type]
            paying.start()
            until = time.monotonic() + 20
            while not holder.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                assert time.monotonic() < until
                time.sleep(0.02)
            server.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            holder.rollback()
        paying.join()
        assert [(a.status_code, a.json()["responseCode"]) for a in answers] == [(200, "2005200")]
        assert server.wait(15) in (0, -signal.SIGTERM)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/healthz")
    finally:
        client.close()
        end([server])
    with session_scope(shared, write=False) as session:
        assert session.execute(select(func.count()).select_from(Payment)).scalar_one() == 1


def reached(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_an_upgrade_that_gets_no_lock_gives_up_and_says_so(shared: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(psycopg.connect(address(shared).replace("+psycopg", ""))) as reader:
        reader.execute("SELECT count(*) FROM posting")  # a long report, still open: its table cannot be altered
        began = time.monotonic()
        assert main(["db", "upgrade", "--patience", "1"], shared) == 1
        assert time.monotonic() - began < 15
    told = capsys.readouterr().err
    assert "kunci tabel tidak didapat dalam 1 detik" in told and "Traceback" not in told
    with shared.connect() as connection:
        assert migrate.current(connection) == migrate.head()
        assert connection.execute(text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")).scalar_one() > 20
    assert main(["db", "upgrade"], shared) == 0
