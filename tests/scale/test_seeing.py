"""An operator sees it run: figures, request ids, logs without personal values, slow statements, traces; dashboards name what exists."""

import gzip
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from market import clock, logs
from market.app import create_app
from market.database import session_scope
from market.jobs import service as jobs
from market.settings import Settings
from market.web.render import ROOT
from tests.scale.programs import address, free_port, servers, start, wait_for
from tests.vendors.test_pages import NIK, PHONE, fill

OBSERVER = ("127.0.0.1", 50_000)


def figures(client: TestClient) -> dict[str, float]:
    """Sums of every sample by name."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


@pytest.fixture
def seen(database: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(engine=database), client=OBSERVER, raise_server_exceptions=False) as client:
        yield client


def test_what_waits_is_told(seen: TestClient, database: Engine) -> None:
    before = figures(seen)
    with clock.freeze(clock.now() - timedelta(minutes=10)), session_scope(database) as session:
        jobs.enqueue(session, "x", {})
        jobs.send(session, "vendor:1", "login_code", {}, key="one")
    seen.app.state.figures = (0.0, {})  # type: ignore[attr-defined]  # as fifteen seconds later
    seen.get("/prices")
    after = figures(seen)
    assert (after["market_jobs_due"], after["market_outbox_waiting"], after["market_database_up"]) == (1, 1, 1)
    assert 590 < after["market_jobs_oldest_due_seconds"] < 700 and 590 < after["market_outbox_oldest_seconds"] < 700
    for name in ("market_requests_total", "market_queries_total", "market_request_seconds_count"):
        assert after[name] > before.get(name, 0), name


def test_a_scrape_is_cheap(seen: TestClient, database: Engine) -> None:
    figures(seen)
    before = figures(seen)["market_queries_total"]
    for _ in range(5):
        figures(seen)
    assert figures(seen)["market_queries_total"] - before == 0, "asked once in fifteen seconds"


def test_dashboards_and_alerts_name_what_exists(seen: TestClient, database: Engine) -> None:
    folder = ROOT / "docs" / "deploy"
    dashboard = json.loads((folder / "grafana.json").read_text())
    rules = yaml.safe_load((folder / "alerts.yml").read_text())
    asked = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(asked) >= 20
    told = seen.get("/metrics").text
    exist = set(re.findall(r"^# TYPE (market_\w+)", told, re.MULTILINE)) | {
        "market_listener_alive",
        "market_replica_lag_seconds",
        "market_replica_usable",
    }
    exist |= {f"{name}_{end}" for name in exist for end in ("bucket", "count", "sum")}
    named = {name for expression in asked for name in re.findall(r"\bmarket_\w+", expression)}
    assert named - exist == set()
    from market.metrics import HELP

    assert set(HELP) <= exist
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert {"summary", "description"} <= set(rule["annotations"]) and rule["labels"]["severity"] in (
            "page",
            "ticket",
        )


def test_requests_are_named(client: TestClient) -> None:
    given = client.get("/healthz", headers={"x-request-id": "proxy-4711-abc"})
    assert given.headers["x-request-id"] == "proxy-4711-abc"
    made = client.get("/healthz", headers={"x-request-id": "x y\tz"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)


SAYS = """
import logging, structlog
from market import logs
logs.configure(production=True)
try:
    raise ValueError("bad row: {nik}")
except ValueError:
    logging.getLogger("uvicorn.error").exception("%s", "value error for {nik} and {phone}")
structlog.get_logger().warning("spoken", text="hubungi {phone} atau +62 812-0000-0001", reference="4711220199887766")
"""


def test_what_libraries_and_we_say_leaves_as_json_without_personal_values() -> None:
    code = SAYS.format(nik=NIK, phone=PHONE)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.stdout == ""
    assert not any(number in done.stderr for number in (NIK, PHONE, "0000-0001"))
    told, spoken = (json.loads(line) for line in done.stderr.splitlines())
    assert "Traceback" in told["exception"] and told["level"] == "error"
    assert spoken["reference"] == "4711220199887766", "a bank's reference stays readable"


@pytest.mark.parametrize(
    "text_", [NIK, PHONE, "+6281234567890", "62 812 3456 7890", "0812-3456-7890", "nik=5171014101900002;"]
)
def test_personal_values_are_blotted_out(text_: str) -> None:
    assert logs.BLOT in logs.without_personal_values(f"a {text_} b")


@pytest.mark.parametrize(
    "text_",
    [
        "2026-11-24",
        "KRN.1042.BOP.2026-11-24.0",
        "KRN-2026-000812",
        "Rp 8.325.000.000",
        "0198c0de-8123-7000-8000-000000000812",
    ],
)
def test_other_figures_stay(text_: str) -> None:
    assert logs.without_personal_values(text_) == text_


def test_a_servers_log_in_production(shared: Engine, tmp_path: Path, sign_in: object) -> None:
    """A real server, production settings: its whole log holds routes and ids, no NIK, no number, no pay code, no query values."""
    with TestClient(create_app(engine=shared)) as inside:
        inside.headers["sec-fetch-site"] = "same-origin"
        fill(inside)
    for name in ("receipt-key.pem", "personal-keys.json"):
        (tmp_path / name).write_bytes((Path("var") / name).read_bytes() if (Path("var") / name).exists() else b"{}")
    settings = {
        "database_url": address(shared), "environment": "production", "secret_key": "k" * 40, "base_url": "https://pasar.example",
        "slow_query_ms": "1", "receipt_key_file": str(tmp_path / "receipt-key.pem"),
        "personal_keys_file": str(tmp_path / "personal-keys.json"), "metrics_token": "t" * 20,
    }  # fmt: skip
    with servers(tmp_path, 1, settings) as [client]:
        for url in (
            f"/pay/{PHONE}",
            f"/receipts/{NIK}",
            f"/vendors?q={PHONE}",
            "/prices",
            "/api/v1/prices?market=" + NIK,
        ):
            assert client.get(url).status_code < 500
        client.post("/vendor/login/code", data={"phone": PHONE})
        told = client.get("/metrics", headers={"authorization": "Bearer " + "t" * 20, "x-forwarded-for": "10.0.0.1"})
        assert told.status_code == 200 and NIK not in told.text and PHONE not in told.text
        assert client.get("/metrics", headers={"x-forwarded-for": "10.0.0.1"}).status_code == 403
    log = (tmp_path / "programs.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert NIK not in log and PHONE not in log and PHONE[1:] not in log
    asked = [line for line in lines if line["event"] == "request"]
    assert "/pay/{code}" in {line["route"] for line in asked} and all(line["request"] for line in asked)
    slow = [line for line in lines if line["event"] == "slow_query"]
    assert slow and all("ms" in line and "statement" in line for line in slow)


def test_workers_tell_the_sum_of_all(shared: Engine, tmp_path: Path) -> None:
    import httpx

    port = free_port()
    server = start(tmp_path, "serve", "--port", str(port), "--workers", "2", database_url=address(shared))
    base = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{base}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_for(ready, server, tmp_path)
        for _ in range(40):  # a connection each: either worker may answer
            httpx.get(f"{base}/readyz")
        told = [
            re.search(r'market_requests_total\{.*route="/readyz".*\} (\d+)', httpx.get(f"{base}/metrics").text)
            for _ in range(4)
        ]
        assert {found and float(found[1]) for found in told} == {40.0}, "whoever is asked"
    finally:
        server.terminate()
        server.wait(15)


class Collector:
    """An OTLP collector on loopback that keeps what it got."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_traces_leave_when_asked_for_and_hold_no_values(database: Engine) -> None:
    collector = Collector()
    settings = Settings(otlp_endpoint=collector.url, _env_file=None)  # type: ignore[call-arg]
    with TestClient(create_app(settings, database), raise_server_exceptions=False) as client:
        client.get(f"/pay/{PHONE}", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
        client.get("/prices")
    sent = b"".join(collector.got)
    collector.server.shutdown()
    assert b"GET /pay/{code}" in sent and b"GET /prices" in sent and b"smart-ekonomi" in sent
    assert b"SELECT" in sent and b"db.query.text" in sent
    assert bytes.fromhex("ab" * 16) in sent, "the proxy's trace goes on"
    assert PHONE.encode() not in sent and b"testclient" not in sent


def test_nothing_of_tracing_is_loaded_unasked() -> None:
    code = "import sys, market.app; market.app.create_app(); print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.stdout.strip() == "[]"
