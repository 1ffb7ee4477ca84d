"""A market for the collector's phone: fifty places on a server of this process, and a line to it that can be cut."""

import http.client
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import Engine
from sqlmodel import Session

from market.app import create_app
from market.auth import service as auth
from market.auth.access import SYSTEM, Principal
from market.auth.models import Role
from market.collection import devices
from market.database import make_engine
from market.dues import service as dues
from market.pricing import service as pricing
from market.vendors import service as vendors
from market.vendors.models import CodeKind, Place
from tests.dues import city

PASSWORD = "kata-sandi-contoh-7"
PLACES = 50
FEE = 8_325  # 7,500 and 11 % tax


@dataclass
class Line:
    """The phone's connection: `up`, `down` (nothing is answered), or `third` (every third request is cut).

    A cut falls in turn before the server hears of it and after it has worked: then the answer is lost, the act is not.
    """

    port: int
    upstream: int
    state: str = "up"
    asked: int = 0
    cut: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fate(self) -> str:
        """What becomes of the next request: through, before or after."""
        with self.lock:
            if self.state == "down":
                return "before"
            self.asked += 1
            if self.state != "third" or self.asked % 3:
                return "through"
            self.cut += 1
            return "after" if self.cut % 2 else "before"


@dataclass
class Field:
    """The running market: its database, its line, and people by role."""

    engine: Engine
    line: Line
    people: dict[Role, Principal]

    def code(self) -> str:
        """A fresh code that enrols one phone of the collector."""
        with Session(self.engine) as session:
            collector = self.people[Role.collector].user_id or 0
            made = devices.issue_code(session, "KRN", collector, by=self.people[Role.market_head])
            session.commit()
            return made

    def sign_in(self, page: Any, person: str) -> None:
        page.goto(f"{self.line.base}/login")
        page.fill("input[name=username]", person)
        page.fill("input[name=password]", PASSWORD)
        page.click("form[action='/login'] button")

    def no_signal(self, context: Any) -> None:
        self.line.state = "down"
        context.set_offline(True)

    def signal(self, context: Any, state: str = "up") -> None:
        self.line.state = state
        context.set_offline(False)


@contextmanager
def running(template: Path, folder: Path) -> Iterator[Field]:
    """Copy the migrated database, fill it, serve it on loopback through a Line; stop both at the end."""
    shutil.copy(template, folder / "field.db")
    engine = make_engine(f"sqlite:///{folder / 'field.db'}")
    people = fill(engine)
    server = uvicorn.Server(uvicorn.Config(create_app(engine=engine), port=0, log_level="error", access_log=False))
    sockets = [server.config.bind_socket()]
    upstream = int(sockets[0].getsockname()[1])
    serving = threading.Thread(target=server.run, kwargs={"sockets": sockets}, daemon=True)
    serving.start()
    line = Line(0, upstream)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler(line))
    proxy.daemon_threads = True
    line.port = int(proxy.server_address[1])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield Field(engine, line, people)
    finally:
        proxy.shutdown()
        proxy.server_close()
        server.should_exit = True
        serving.join(20)
        engine.dispose()


def fill(engine: Engine) -> dict[Role, Principal]:
    """Pasar KRN, 50 kiosks in walking order that owe three days each, the last one seasonal and not here yet; its people."""
    people = {}
    with Session(engine) as session:
        city.market(session)
        city.tariff(session, "7500", tax_pct_e2=1100)
        today = vendors.business_day(session, "KRN", "pagi")
        for n in range(1, PLACES + 1):
            made = city.permit(
                session, today - timedelta(days=2), vendor_kind="MUSIMAN" if n == PLACES else "TERCATAT", goods="sayur"
            )
            place = session.get_one(Place, ("KRN", made.place_id))
            place.block, place.number = ("A" if n <= 20 else "B"), n
        dues.accrue(session)
        vendors.issue_codes(session, [(CodeKind.place, "KRN", n) for n in range(1, PLACES + 1)])
        pricing.seed(session, [("KRN", "Pasar KRN")])
        for role in (Role.collector, Role.market_head, Role.surveyor):
            user = auth.add_user(session, str(role), name=f"Petugas {role}", password=PASSWORD, by=SYSTEM)
            auth.grant(session, str(role), role, by=SYSTEM, market_id="KRN", valid_from=today - timedelta(days=9))
            people[role] = auth.principal_for(session, user)
        session.commit()
    return people


def handler(line: Line) -> type[BaseHTTPRequestHandler]:
    """Passes requests on, one connection each, unless the line says otherwise."""

    class Through(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            fate = line.fate()
            if fate != "before":
                through = http.client.HTTPConnection("127.0.0.1", line.upstream, timeout=30)
                through.request(self.command, self.path, body, dict(self.headers))
                answer = through.getresponse()
                content = answer.read()
                through.close()
            if fate != "through":
                self.close_connection = True
                self.connection.close()
                return
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = forward  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    return Through
