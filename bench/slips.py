"""10,000 signed slips brought in by 20 phones at once over HTTP into one server process, PostgreSQL with fsync on.

Each phone sends its 500 slips a hundred at a time, as the app does; every fifth piece is sent by two tabs at once. Afterwards
every slip stands in the books once, with a receipt of its own, and the ledger ties, or the row fails. The limit is the least
that anybody who keeps signed slips must do: check each signature and store the evidence under its keys, a hundred in a
transaction, on as many connections in one process; without HTTP, debts, postings, receipts or audit.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from sqlalchemy import Engine, text
from sqlmodel import Session

from bench.harness import Postgres, Row, judge, postgres, serve
from bench.payments import LAST, MARKETS, NOON, VENDORS, _registry
from market import clock, guards, tables
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.collection import devices, signing
from market.collection.signing import Jwk
from market.database import make_engine, session_scope
from market.dues import service as dues
from market.ledger.sealer import seal
from market.ledger.verification import verify
from market.payments.checks import cross_check
from tests.collection.phone import Phone

PHONES = 20
EACH = 500
PIECE = 100
ROUNDS = 2
AMOUNT = 2 * 8_325  # two days: in the second round the debts end, and the rest is credited
Slip = dict[str, str]


@dataclass
class Sender:
    """A phone with its collector's token and its slips of every round, signed beforehand."""

    phone: Phone
    token: str
    rounds: list[list[Slip]]


def rows(*, full: bool) -> Iterator[Row]:
    """Two rounds of 10,000 slips, ours and the limit in turn."""
    with postgres() as server:
        url = server.create("market")
        engine = make_engine(url, pool_size=PHONES)
        senders = _build(engine)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE bare_slip (LIKE signed_slip INCLUDING ALL)"))
        ours, limit = [], []
        with serve("market.app:create", env=_environment(server), factory=True, ready="/healthz") as origin:
            for n in range(ROUNDS):
                work = [partial(_over_http, origin, senders, n), partial(_bare, engine, senders, n)]
                figures = [run() for run in (work if n % 2 == 0 else work[::-1])]
                a, b = figures if n % 2 == 0 else figures[::-1]
                ours.append(a)
                limit.append(b)
        _each_once(engine)
        engine.dispose()
        yield judge(
            "10,000 signed slips from 20 phones at once, one process", "slips/s", ours, limit,
            limit_name="signature checked and the evidence stored, nothing else", target=None,
        )  # fmt: skip


def _environment(server: Postgres) -> dict[str, str]:
    return {"MARKET_DATABASE_URL": server.url("market"), "MARKET_NOW": NOON.isoformat()}


def _build(engine: Engine) -> list[Sender]:
    """Five markets of 300 vendors who owe 14 days each; four collectors a market, each with a phone."""
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        guards.install(connection)
    with clock.freeze(NOON), session_scope(engine) as session:
        _registry(session)
        dues.accrue(session, LAST)
        senders = [_sender(session, n) for n in range(PHONES)]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return senders


def _sender(session: Session, n: int) -> Sender:
    market_id = MARKETS[n % len(MARKETS)]
    user = auth.add_user(session, f"collector-{n}", name=f"Petugas {n}", password=None, by=SYSTEM)
    auth.grant(session, user.username, Role.collector, by=SYSTEM, market_id=market_id, valid_from=date(2020, 1, 1))
    by = auth.principal_for(session, user)
    code = devices.issue_code(session, market_id, user.id or 0, by=SYSTEM)
    phone = Phone()
    phone.market = market_id
    phone.code = devices.enrol(session, code, Jwk.model_validate(phone.jwk), name="HP", by=by).code
    # Each collector walks every place of the market, from another end: four phones meet at the same debts.
    walk = [(i * (n // len(MARKETS) * 2 + 1) + n) % VENDORS + 1 for i in range(EACH)]
    rounds = [[phone.slip(permit, AMOUNT) for permit in walk] for _ in range(ROUNDS)]
    return Sender(phone, auth.add_token(session, user.username, name="bench", by=SYSTEM), rounds)


def _over_http(origin: str, senders: list[Sender], n: int) -> float:
    """Slips per second, from the first piece to the last answer."""
    host, port = origin.removeprefix("http://").split(":")
    wrong: list[str] = []

    def send(sender: Sender) -> None:
        line = http.client.HTTPConnection(host, int(port), timeout=120)
        second = http.client.HTTPConnection(host, int(port), timeout=120)
        headers = {"authorization": f"Bearer {sender.token}", "content-type": "application/json"}
        slips = sender.rounds[n]
        for at in range(0, len(slips), PIECE):
            said = {"device": sender.phone.code, "sent_at": NOON.isoformat(), "slips": slips[at : at + PIECE]}
            body = json.dumps(said).encode()
            lines = [line, second] if at // PIECE % 5 == 4 else [line]
            for one in lines:
                one.request("POST", "/api/v1/slips/sync", body, headers)
            for one in lines:
                answer = one.getresponse()
                told = answer.read()
                if answer.status != 200 or {s["outcome"] for s in json.loads(told)["slips"]} - {"taken", "repeated"}:
                    wrong.append(told.decode()[:500])
        line.close()
        second.close()

    seconds = _at_once([partial(send, sender) for sender in senders])
    assert not wrong, wrong[:2]
    return PHONES * EACH / seconds


def _bare(engine: Engine, senders: list[Sender], n: int) -> float:
    """The same slips: each signature checked, each row stored under the same keys, a hundred in a transaction."""
    insert = text(
        "INSERT INTO bare_slip (market_id, device, digest, number, body, signature, session_code, business_day, permit_id, "
        "place, amount, paid_at, state, reason, receipt_number, credit, received_at, received_from, note) SELECT :market, "
        "device, digest, number, body, signature, 'pagi', DATE '2026-11-24', 1, 'B-1', :amount, :now, 'taken', '', 'R', 0, "
        ":now, 1, '' FROM unnest(CAST(:devices AS text[]), CAST(:digests AS text[]), CAST(:numbers AS bigint[]), "
        "CAST(:bodies AS text[]), CAST(:signatures AS text[])) AS t(device, digest, number, body, signature)"
    )

    def send(sender: Sender) -> None:
        point = signing.point_of(Jwk.model_validate(sender.phone.jwk))
        slips = sender.rounds[n]
        for at in range(0, len(slips), PIECE):
            piece = slips[at : at + PIECE]
            assert all(signing.verified(point, s["body"], s["signature"]) for s in piece)
            with engine.begin() as connection:
                connection.execute(
                    insert,
                    {
                        "market": sender.phone.market, "devices": [sender.phone.code] * len(piece),
                        "digests": [signing.digest(s["body"]) for s in piece],
                        "numbers": [n * EACH + at + i + 1 for i in range(len(piece))],
                        "bodies": [s["body"] for s in piece], "signatures": [s["signature"] for s in piece],
                        "amount": AMOUNT, "now": NOON,
                    },
                )  # fmt: skip

    return PHONES * EACH / _at_once([partial(send, sender) for sender in senders])


def _at_once(work: list[Callable[[], None]]) -> float:
    """Seconds until all of it is done; raises what one of them raised."""
    gate, broken = threading.Barrier(len(work) + 1), list[BaseException]()

    def run(one: Callable[[], None]) -> None:
        gate.wait()
        try:
            one()
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return time.perf_counter() - started


def _each_once(engine: Engine) -> None:
    """Every slip has one receipt and one payment; the cash is what the slips say; the books tie."""
    wanted = PHONES * EACH * ROUNDS
    with session_scope(engine) as session:
        count = session.execute(
            text(
                "SELECT (SELECT count(*) FROM signed_slip WHERE state = 'taken'), (SELECT count(*) FROM slip), "
                "(SELECT count(DISTINCT receipt_number) FROM slip), (SELECT count(*) FROM payment), "
                "(SELECT sum(balance) FROM account WHERE code LIKE 'cash:collector:%'), (SELECT count(*) FROM slip_flag)"
            )
        ).one()
        assert tuple(count) == (wanted, wanted, wanted, wanted, wanted * AMOUNT, 0), tuple(count)
        seal(session)
        assert not verify(session).differences
        assert not cross_check(session).differences
