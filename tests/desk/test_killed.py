"""`kill -9` of the server at random moments of a collecting day: every slip is one payment, and the books still tie."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import col

from market import audit, clock
from market.auth import service as auth
from market.auth.access import COOKIE, SYSTEM, Role
from market.collection.models import Slip
from market.database import session_scope
from market.desk.trace import trace_page
from market.dues import service as dues
from market.ledger.sealer import seal
from market.ledger.verification import verify
from market.payments.checks import cross_check
from market.payments.models import Payment, Receipt
from market.web.render import ROOT
from tests.collection.test_cash_day import person
from tests.dues import city

pytestmark = pytest.mark.fault
KILLS = int(os.environ.get("MARKET_KILLS", "4"))
SEED = int(os.environ.get("MARKET_SEED", "20261125"))
STALLS = 60


def fill(engine: Engine) -> str:
    """A market of sixty stalls owing three days; returns the collector's session token."""
    with session_scope(engine) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        today = clock.today()
        for _ in range(STALLS):
            city.permit(session, today - timedelta(days=2))
        dues.accrue(session)
        person(session, "kadek", Role.collector)
        return auth.open_session(session, auth.find_user(session, "kadek"))


class Server:
    """The real program in a process of its own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        url = engine.url.render_as_string(hide_password=False)
        self.env = os.environ | {"MARKET_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "market", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=self.env, cwd=self.folder, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                if httpx.get(f"{self.base}/healthz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError("the server did not come back")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


def slips() -> list[dict[str, str]]:
    """Today's charge of every stall, then two older days: 120 slips."""
    form = {"market": "KRN", "session": "pagi", "scope": "today", "amount": "8325"}
    today = [form | {"place": str(n), "permit": str(n), "slip": str(1_000 + n)} for n in range(1, STALLS + 1)]
    older = [
        form | {"scope": "all", "amount": "16650", "place": str(n), "permit": str(n), "slip": str(2_000 + n)}
        for n in range(1, STALLS + 1)
    ]
    return today + older


def collect(server: Server, token: str, waiting: list[dict[str, str]], stop: threading.Event) -> None:
    """Send what is not acknowledged yet, again and again, as a collector's phone would; drop what was answered 303."""
    with httpx.Client(base_url=server.base, cookies={COOKIE: token}, timeout=10) as client:
        while waiting and not stop.is_set():
            form = waiting[0]
            try:
                answer = client.post("/collect/pay", data=form, headers={"sec-fetch-site": "same-origin"})
            except httpx.HTTPError:
                time.sleep(0.02)
                continue
            assert answer.status_code == 303, answer.text[:400]
            waiting.pop(0)


def test_killed_at_random_moments_every_slip_is_one_payment(database: Engine, tmp_path: Path) -> None:
    token = fill(database)
    database.dispose()
    chance = random.Random(SEED)
    server = Server(database, tmp_path)
    waiting = slips()
    wanted = {int(form["slip"]): int(form["amount"]) for form in waiting}
    for _ in range(KILLS):
        server.start()
        stop = threading.Event()
        sender = threading.Thread(target=collect, args=(server, token, waiting, stop))
        sender.start()
        time.sleep(chance.uniform(0.05, 0.9))
        server.kill()
        stop.set()
        sender.join()
    server.start()
    collect(server, token, waiting, threading.Event())
    server.kill()

    with session_scope(database) as session:
        kept = {row.number: row.amount for row in session.execute(select(col(Slip.number), col(Slip.amount)))}
        assert kept == wanted, f"seed {SEED}: each slip once, none lost"
        assert session.execute(select(func.count()).select_from(Payment)).scalar_one() == len(wanted)
        assert session.execute(select(func.sum(col(Payment.amount)))).scalar_one() == sum(wanted.values())
        seal(session)
        audit.seal(session)
        assert verify(session).differences == []
        assert cross_check(session).differences == []
        assert audit.verify(session).ok
        receipts = session.execute(select(Receipt).order_by(col(Receipt.n))).scalars().all()
        assert [r.n for r in receipts] == list(range(1, len(wanted) + 1)), "no gap in the receipts"
        for row in receipts[:: len(receipts) // 10]:
            assert "masih di tangan Kadek" in trace_page(session, SYSTEM, row.number).title
