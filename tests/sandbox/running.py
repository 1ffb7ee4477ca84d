"""The real sandbox over loopback HTTP, and a small product that listens to it with the product's own inbound checks."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from market import clock
from market.payments.rails import snap_inbound as inbound
from market.sandbox.credentials import prepare
from market.sandbox.server import create_app
from market.settings import Settings


@contextmanager
def served(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """`app` on an ephemeral loopback port, in a thread."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()


def wait_for(condition: Callable[[], Any], seconds: float = 8.0) -> Any:
    """The condition's first true value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("waited in vain")


@dataclass
class Ear:
    """What the listening product heard: accepted notifications, and the codes it refused others with."""

    settings: Settings | None = None
    heard: list[tuple[inbound.Sent, inbound.QrNotification]] = field(default_factory=list)
    stripe: list[tuple[str, bytes]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    fail_next: int = 0

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/snap/v1.0/access-token/b2b")
        async def token(request: Request) -> JSONResponse:
            assert self.settings
            config, body = inbound.inbound_config(self.settings), await request.body()
            try:
                answer = inbound.grant_token(config, headers=request.headers, body=body, now=clock.now())
            except inbound.InboundRefused as refused:
                answer = refused.answer
            return JSONResponse(answer.body, answer.status)

        @app.post("/snap/v1.0/qr/qr-mpm-notify")
        async def notify(request: Request) -> JSONResponse:
            assert self.settings
            if self.fail_next:
                self.fail_next -= 1
                return JSONResponse({}, 500)
            config, body = inbound.inbound_config(self.settings), await request.body()
            try:
                sent = inbound.authenticate(
                    config, method="POST", path=request.url.path, headers=request.headers, body=body, now=clock.now()
                )
                self.heard.append((sent, inbound.parse_notification(config, body)))
                answer = inbound.accepted()
            except inbound.InboundRefused as refused:
                answer = refused.answer
                self.refused.append(answer.body["responseCode"])
            return JSONResponse(answer.body, answer.status)

        @app.post("/webhooks/stripe")
        async def stripe(request: Request) -> JSONResponse:
            if self.fail_next:
                self.fail_next -= 1
                return JSONResponse({}, 500)
            self.stripe.append((request.headers["stripe-signature"], await request.body()))
            return JSONResponse({})

        return app


@dataclass(frozen=True)
class Running:
    url: str
    ear: Ear
    settings: Settings
    folder: Path


@contextmanager
def sandbox(folder: Path, pauses: tuple[float, ...] = (0.1, 0.2, 0.4)) -> Iterator[Running]:
    """Sandbox and listener together, and the settings that point a client at them."""
    ear = Ear()
    with served(ear.app()) as product, served(create_app(product, folder, pauses)) as url:
        environment = prepare(folder).environment(url)
        values = {name.removeprefix("MARKET_").lower(): value for name, value in environment.items()}
        ear.settings = Settings(_env_file=None, **values)
        yield Running(url, ear, ear.settings, folder)
