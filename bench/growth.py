"""How it grows: with connections, with rows, with processes (only with --full). Draws docs/growth.svg.

Curves are reported, not judged: on two cores that also carry the load, the PostgreSQL and the client, they show the shape and not
the height. The servers row chooses between uvicorn and granian: docs/decisions/.
"""

import base64
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench import boards, webhooks
from bench.accrual import Bench, build
from bench.harness import Row, judge, load, postgres, report, serve_command
from bench.partitions import sizes
from bench.payments import NOON, Job, _build, _worker
from bench.servers import ROOT, Postgres, free_port
from market.database import make_engine

PAGE = "/prices/BDG"
ROUNDS = 3
SECONDS = 1.0


@dataclass(frozen=True)
class Curve:
    """One picture: points of (x, median of the rounds)."""

    title: str
    x: str
    y: str
    points: Sequence[tuple[float, float]]


def rows(*, full: bool) -> Iterator[Row]:
    """Nothing without `full`."""
    if not full:
        return
    curves: list[Curve] = []
    with tempfile.TemporaryDirectory(prefix="bench-growth-") as folder:
        yield from _boards(Path(folder), curves)
        curves.append(_accruals(Path(folder)))
    with postgres() as server:
        server.create("market")
        jobs = _build(server)
        curves.append(_payments(server, jobs))
        yield from _notifications(server, jobs, curves)
        engine = make_engine(server.url("market"))
        yield from sizes(engine, ("inbox", "payment_attempt", "bill", "vendor"))
        engine.dispose()
    for curve in curves:
        for x, y in curve.points:
            yield report(f"{curve.title}, {curve.x} {x:g}", curve.y, [y])
    (ROOT / "docs" / "growth.svg").write_text(picture(curves))


# -- pages -------------------------------------------------------------------------------------------------------


def _boards(folder: Path, curves: list[Curve]) -> Iterator[Row]:
    database = folder / "board.db"
    engine = make_engine(f"sqlite:///{database}")
    boards._create(engine)
    boards._publish(engine, days=30)
    engine.dispose()
    env = {"MARKET_DATABASE_URL": f"sqlite:///{database}"}
    with server_of("uvicorn", env) as uvicorn, server_of("granian", env) as granian:
        rates: dict[str, list[float]] = {uvicorn: [], granian: []}
        for number in range(ROUNDS + 1):
            for origin in (uvicorn, granian) if number % 2 else (granian, uvicorn):
                rate = load(origin + PAGE, connections=32, seconds=SECONDS).rate
                rates[origin] += [rate] if number else []
        yield judge(
            "hot board, granian",
            "req/s",
            rates[granian],
            rates[uvicorn],
            limit_name="the same under uvicorn",
            target=None,
        )
        points = [
            (n, _median([load(uvicorn + PAGE, connections=n, seconds=SECONDS).rate for _ in range(ROUNDS)]))
            for n in (1, 2, 4, 8, 16, 32, 64, 128)
        ]
        curves.append(Curve("hot board", "connections", "req/s", points))
    points = []
    for workers in (1, 2, 4):
        with server_of("uvicorn", env, workers) as origin:
            load(origin + PAGE, connections=32, seconds=4)  # one worker answers while the others are still loading
            points.append(
                (workers, _median([load(origin + PAGE, connections=32, seconds=SECONDS).rate for _ in range(ROUNDS)]))
            )
    curves.append(Curve("hot board, workers", "processes", "req/s", points))


@contextmanager
def server_of(kind: str, env: dict[str, str], workers: int = 1) -> Iterator[str]:
    """The application under one of the two servers, as it would be started for production."""
    port = str(free_port())
    commands = {
        "uvicorn": [sys.executable, "-m", "market", "serve", "--port", port, "--workers", str(workers)],
        "granian": [
            str(Path(sys.executable).with_name("granian")), "--interface", "asgi", "--factory", "--host", "127.0.0.1",
            "--port", port, "--workers", str(workers), "--log-level", "warning", "market.app:create",
        ],
    }  # fmt: skip
    with serve_command(
        commands[kind], f"http://127.0.0.1:{port}/healthz", env={**env, "PYTHONPATH": str(ROOT)}
    ) as origin:
        yield origin


# -- rows --------------------------------------------------------------------------------------------------------


def _accruals(folder: Path) -> Curve:
    points = []
    for places in (1_000, 5_000, 20_000, 50_000, 100_000):
        engine = make_engine(f"sqlite:///{folder / f'{places}.db'}")
        build(engine, places)
        bench = Bench(engine)
        bench.accrue()
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            bench.accrue()
            times.append(time.perf_counter() - started)
        points.append((places, _median(times)))
        engine.dispose()
    return Curve("accrual of a day, SQLite", "places", "s", points)


# -- processes ---------------------------------------------------------------------------------------------------


def _payments(server: Postgres, jobs: list[Job]) -> Curve:
    points, taken = [], iter(jobs[: len(jobs) // 2])
    for clients in (1, 2, 4, 8, 16):
        with _worker(server, clients) as pay:
            points.append(
                (
                    clients,
                    _median([float(pay([next(taken) for _ in range(100 * min(clients, 6))])) for _ in range(ROUNDS)]),
                )
            )
    return Curve("payments posted by one process", "clients at once", "1/s", points)


def _notifications(server: Postgres, jobs: list[Job], curves: list[Curve]) -> Iterator[Row]:
    """Signed notifications to one, two and four server processes; and to one under granian beside one under uvicorn."""
    left = iter(jobs[len(jobs) // 2 :])
    sent = 0
    with tempfile.TemporaryDirectory(prefix="bench-snap-") as folder:
        key, secret = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048),
            base64.b16encode(os.urandom(24)).decode(),
        )
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        Path(folder, "bank.pem").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
        env = {
            "MARKET_DATABASE_URL": server.url("market"), "MARKET_NOW": NOON.isoformat(),
            "MARKET_SNAP_INBOUND_CLIENT_ID": "BANK", "MARKET_SNAP_INBOUND_SECRET": secret,
            "MARKET_SNAP_PROVIDER_PUBLIC_KEY_FILE": f"{folder}/bank.pem", "MARKET_SNAP_MERCHANT_ID": "M1",
        }  # fmt: skip

        def deliver(origin: str, token: str, count: int = 300) -> float:
            nonlocal sent
            batch = [webhooks._signed(next(left), token, secret, 500_000 + sent + n) for n in range(count)]
            sent += count
            return webhooks._deliver(origin, batch)

        with ExitStack() as stack:
            origins = {kind: stack.enter_context(server_of(kind, env)) for kind in ("uvicorn", "granian")}
            tokens = {kind: webhooks._token(origin, key) for kind, origin in origins.items()}
            rates: dict[str, list[float]] = {kind: [] for kind in origins}
            for number in range(ROUNDS + 1):
                for kind in list(origins) if number % 2 else reversed(origins):
                    rate = deliver(origins[kind], tokens[kind])
                    rates[kind] += [rate] if number else []
        yield judge(
            "signed notifications, granian",
            "1/s",
            rates["granian"],
            rates["uvicorn"],
            limit_name="the same under uvicorn",
            target=None,
        )
        points = []
        for workers in (1, 2, 4):
            with server_of("uvicorn", env, workers) as origin:
                token = webhooks._token(origin, key)
                deliver(origin, token, 100)
                points.append((workers, _median([deliver(origin, token) for _ in range(ROUNDS)])))
        curves.append(Curve("signed notifications, workers", "processes", "1/s", points))


def _median(figures: list[float]) -> float:
    return sorted(figures)[len(figures) // 2]


# -- pictures ----------------------------------------------------------------------------------------------------


def picture(curves: list[Curve]) -> str:
    """Small pictures side by side, two in a row; each axis begins at zero, x by its own steps."""
    width, height, left, top = 460, 250, 70, 46
    rows_of = (len(curves) + 1) // 2
    said = "; ".join(f"{c.title}: " + ", ".join(f"{x:g} {c.x} {_short(y)} {c.y}" for x, y in c.points) for c in curves)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width} {rows_of * height}" role="img" aria-labelledby="t d" font-family="system-ui, sans-serif" font-size="13">',
        '<title id="t">How it grows</title>', f'<desc id="d">{escape(said)}</desc>',
        f'<rect width="{2 * width}" height="{rows_of * height}" fill="#fffefb"/>',
    ]  # fmt: skip
    for number, curve in enumerate(curves):
        x0, y0 = (number % 2) * width, (number // 2) * height
        plot_width, plot_height = width - left - 30, height - top - 50
        most = max(y for _, y in curve.points) * 1.1
        base = y0 + top + plot_height
        steps = len(curve.points) - 1 or 1
        at = [
            (x0 + left + plot_width * n / steps, base - plot_height * y / most) for n, (_, y) in enumerate(curve.points)
        ]
        out.append(
            f'<text x="{x0 + 20}" y="{y0 + 24}" font-size="15" font-weight="700" fill="#1f2421">{escape(curve.title)}, {escape(curve.y)}</text>'
        )
        out.append(f'<line x1="{x0 + left}" y1="{base}" x2="{x0 + left + plot_width}" y2="{base}" stroke="#85857b"/>')
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in at)
        out.append(f'<polyline points="{line}" fill="none" stroke="#1e5b4a" stroke-width="2"/>')
        for (px, py), (x, y) in zip(at, curve.points, strict=True):
            out.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="#1e5b4a"/>')
            out.append(f'<text x="{px:.1f}" y="{py - 8:.1f}" text-anchor="middle" fill="#1f2421">{_short(y)}</text>')
            out.append(f'<text x="{px:.1f}" y="{base + 18}" text-anchor="middle" fill="#55605a">{_short(x)}</text>')
        out.append(
            f'<text x="{x0 + left + plot_width / 2:.1f}" y="{base + 38}" text-anchor="middle" fill="#55605a">{escape(curve.x)}</text>'
        )
    return "\n".join([*out, "</svg>\n"])


def _short(figure: float) -> str:
    if figure >= 10_000:
        return f"{figure / 1000:.0f}k"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
