"""Signed QRIS notifications per second over HTTP into one process: token, signature, external id, posting, receipt, answer.

Every tenth message is delivered twice at the same time from two connections. Reported, not judged: nobody publishes a limit for
it. Afterwards no message may be lost and none may have paid twice, or the row fails.
"""

import base64
import http.client
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from sqlalchemy import text

from bench.harness import Row, postgres, report, serve
from bench.payments import NOON, Job, _build
from market.database import make_engine, session_scope
from market.payments.checks import cross_check
from market.payments.rails import snap_crypto as crypto

PATH = "/snap/v1.0/qr/qr-mpm-notify"
CLIENTS = 8
BATCH = 1_000
ROUNDS = 3
Request = tuple[bytes, dict[str, str]]


def rows(*, full: bool) -> Iterator[Row]:
    """Eight connections, one server process, PostgreSQL with fsync on."""
    with postgres() as server, tempfile.TemporaryDirectory(prefix="bench-snap-") as folder:
        server.create("market")
        jobs = _build(server)
        key, secret = rsa.generate_private_key(public_exponent=65537, key_size=2048), secrets.token_hex(24)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = Path(folder, "bank.pem")
        public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
        environment = {
            "MARKET_DATABASE_URL": server.url("market"), "MARKET_NOW": NOON.isoformat(),
            "MARKET_SNAP_INBOUND_CLIENT_ID": "BANK", "MARKET_SNAP_INBOUND_SECRET": secret,
            "MARKET_SNAP_PROVIDER_PUBLIC_KEY_FILE": str(public), "MARKET_SNAP_MERCHANT_ID": "M1",
        }  # fmt: skip
        with serve("market.app:create", env=environment, factory=True, ready="/healthz") as origin:
            token = _token(origin, key)
            figures = []
            for n in range(ROUNDS):
                batch = [
                    _signed(job, token, secret, 10_000 * n + i)
                    for i, job in enumerate(jobs[n * BATCH : (n + 1) * BATCH])
                ]
                figures.append(_deliver(origin, batch))
        _nothing_lost(server.url("market"), jobs[: ROUNDS * BATCH])
        note = f"{CLIENTS} connections, every tenth message twice at once; none lost, none doubled"
        yield report("signed QRIS notification over HTTP, one process", "1/s", figures, note)


def _token(origin: str, key: rsa.RSAPrivateKey) -> str:
    stamp = crypto.timestamp(NOON)
    signature = base64.b64encode(key.sign(f"BANK|{stamp}".encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    headers = {"x-client-key": "BANK", "x-timestamp": stamp, "x-signature": signature}
    answer = httpx.post(
        f"{origin}/snap/v1.0/access-token/b2b", json={"grantType": "client_credentials"}, headers=headers
    )
    return str(answer.raise_for_status().json()["accessToken"])


def _signed(job: Job, token: str, secret: str, external: int) -> Request:
    """Signed beforehand: what is measured is the receiver."""
    reference, bank, amount = job
    said = {
        "originalReferenceNo": bank, "originalPartnerReferenceNo": reference, "latestTransactionStatus": "00",
        "amount": {"value": f"{amount}.00", "currency": "IDR"}, "paidTime": crypto.timestamp(NOON), "merchantId": "M1",
    }  # fmt: skip
    body, stamp = json.dumps(said, separators=(",", ":")).encode(), crypto.timestamp(NOON)
    signature = crypto.sign_hmac(secret, crypto.symmetric_text("POST", PATH, token, body, stamp))
    return body, {
        "authorization": f"Bearer {token}", "x-timestamp": stamp, "x-signature": signature, "x-partner-id": "BANK",
        "x-external-id": str(10**9 + external), "channel-id": "95221", "content-type": "application/json",
    }  # fmt: skip


def _deliver(origin: str, batch: list[Request]) -> float:
    """Messages per second; all answered 2005200."""
    host, port = origin.removeprefix("http://").split(":")
    sent = [request for n, request in enumerate(batch) for _ in range(2 if n % 10 == 0 else 1)]
    wrong: list[str] = []
    gate = threading.Barrier(CLIENTS + 1)

    def work(mine: list[Request]) -> None:
        line = http.client.HTTPConnection(host, int(port), timeout=60)
        line.connect()
        gate.wait()
        for body, headers in mine:
            line.request("POST", PATH, body, headers)
            answer = line.getresponse().read()
            if b'"2005200"' not in answer:
                wrong.append(answer.decode())
        line.close()

    threads = [threading.Thread(target=work, args=(sent[n::CLIENTS],)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    assert not wrong, wrong[:2]
    return len(sent) / elapsed


def _nothing_lost(url: str, jobs: list[Job]) -> None:
    engine = make_engine(url)
    with session_scope(engine) as session:
        rows = session.execute(text("SELECT provider_reference, amount FROM payment"))
        paid = {row.provider_reference: row.amount for row in rows}
        assert paid == {bank: amount for _, bank, amount in jobs}, "a message was lost, or paid twice"
        assert not cross_check(session).differences
    engine.dispose()
