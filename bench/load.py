"""HTTP load from one process: `wrk` where it is installed, else a small client of our own. Loopback only."""

import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """Answers per second, 99th percentile of the wait in milliseconds, answers outside 2xx and 3xx, and what measured it."""

    rate: float
    p99_ms: float
    failures: int
    tool: str


def load(url: str, *, connections: int = 16, seconds: float = 3.0, headers: Mapping[str, str] | None = None) -> Load:
    """Ask for `url` over kept-alive connections for so many seconds. Raises ValueError for any address but loopback."""
    parts = urlsplit(url)
    if parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError(f"load is for loopback only, not {parts.hostname}")
    if wrk := shutil.which("wrk"):
        return _wrk(wrk, url, connections, seconds, headers or {})
    return _own(parts.hostname, parts.port or 80, url, connections, seconds, headers or {})


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def _wrk(wrk: str, url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if rate is None or p99 is None:
        raise RuntimeError(f"wrk said something unexpected:\n{text}")
    return Load(float(rate[1]), float(p99[1]) * _UNITS[p99[2]], int(bad[1]) if bad else 0, "wrk")


@dataclass
class _Connection:
    socket: socket.socket
    sent: float = 0.0
    missing: int = -1  # bytes of the body still to come; -1 while the head is incomplete
    head: bytearray = field(default_factory=bytearray)


_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


def _own(host: str, port: int, url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    """Non-blocking sockets and one selector: needs Content-Length (or a status without a body) in the answers."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n{extra}\r\n".encode()
    selector = selectors.DefaultSelector()
    waits: list[float] = []
    failures = 0
    opened: list[_Connection] = []

    def send(connection: _Connection) -> None:
        connection.missing = -1
        connection.head.clear()
        connection.sent = time.perf_counter()
        connection.socket.sendall(request)

    try:
        started = time.perf_counter()
        for _ in range(connections):
            connection = _Connection(socket.create_connection((host, port)))
            opened.append(connection)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            send(connection)
        until = started + seconds
        while (now := time.perf_counter()) < until:
            for key, _ in selector.select(timeout=until - now):
                connection = key.data
                data = connection.socket.recv(262_144)
                if not data:
                    raise RuntimeError(f"{url}: the server closed a kept-alive connection")
                if connection.missing < 0:
                    connection.head += data
                    end = connection.head.find(b"\r\n\r\n")
                    if end < 0:
                        continue
                    status = int(connection.head[9:12])
                    length = _LENGTH.search(connection.head, 0, end + 2)
                    if length is None and status not in {204, 304}:
                        raise RuntimeError(f"{url}: an answer without Content-Length needs wrk")
                    body = int(length[1]) if length and status != 304 else 0
                    connection.missing = body - (len(connection.head) - end - 4)
                    failures += not 200 <= status < 400
                else:
                    connection.missing -= len(data)
                if connection.missing == 0:
                    waits.append(time.perf_counter() - connection.sent)
                    send(connection)
        elapsed = time.perf_counter() - started
    finally:
        for connection in opened:
            connection.socket.close()
        selector.close()
    if not waits:
        raise RuntimeError(f"{url}: no answer within {seconds} s")
    waits.sort()
    return Load(len(waits) / elapsed, waits[int(len(waits) * 0.99)] * 1000, failures, "own client")
