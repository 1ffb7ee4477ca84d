"""/collect/offline: the collector's round as an app that opens without a signal.

The work is done on the device (static/js/offline*.js). Its modules come from a path with the version of all of them, so that a
page never mixes two versions; page, manifest and worker come from /collect, because a worker may only serve its own scope.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from market.auth.access import Anyone, Collector, Role
from market.database import SessionDep
from market.errors import NotFound
from market.vendors import service as vendors
from market.web.i18n import gettext
from market.web.render import ROOT, render, static
from market.words import N_

router = APIRouter(prefix="/collect", include_in_schema=False)
SCRIPTS = ROOT / "static" / "js"
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class RoundChoice:
    """A market's session this collector may download."""

    market: str
    market_name: str
    session: str
    session_name: str


@dataclass(frozen=True)
class OfflinePage:
    """`script` starts the app, `modules` are what it imports; nothing of a person or a day, because the device keeps the page."""

    choices: list[RoundChoice]
    script: str
    modules: list[str]


@router.get("/offline")
def offline_page(request: Request, session: SessionDep, by: Collector) -> Response:
    choices = [
        RoundChoice(market.id, market.name, opening.code, opening.name)
        for market in vendors.visible_markets(session, by, Role.collector)
        for opening in vendors.sessions_of(session, market.id)
    ]
    base = f"/collect/app/{version()}/"
    modules = [base + name for name in scripts() if name != "offline.js"]
    return render(request, "collection/offline.html", OfflinePage(choices, base + "offline.js", modules))


@router.get("/app/{asked}/{name}")
def script(asked: str, name: str, by: Anyone) -> Response:
    """One module of the version asked for; another version than ours is not found, because it may not fit the page."""
    if asked != version() or name not in scripts():
        raise NotFound
    return FileResponse(scripts()[name], media_type="text/javascript", headers={"cache-control": FOR_EVER})


@router.get("/app.webmanifest")
def manifest(by: Anyone) -> Response:
    """What makes the page installable."""
    icons: list[dict[str, str]] = [
        {"src": static(f"icon-{side}.png"), "type": "image/png", "sizes": f"{side}x{side}", "purpose": "any"}
        for side in (192, 512)
    ]
    icons.append({"src": static("mark.svg"), "type": "image/svg+xml", "sizes": "any", "purpose": "any"})
    said = {
        "name": gettext(N_("Menagih di pasar")), "short_name": gettext("Menagih"), "id": "/collect/offline",
        "start_url": "/collect/offline", "scope": "/collect", "display": "standalone",
        "background_color": "#fbf8f3", "theme_color": "#fbf8f3", "icons": icons,
    }  # fmt: skip
    return JSONResponse(said, media_type="application/manifest+json", headers={"cache-control": "no-cache"})


@router.get("/worker.js")
def worker(by: Anyone) -> Response:
    """The service worker of /collect; a new version of any file it keeps makes it a new worker."""
    text = f'const VERSION = "{shelf_version()}";\n' + (SCRIPTS / "offline-worker.js").read_text()
    headers = {"cache-control": "no-cache", "service-worker-allowed": "/collect"}
    return Response(text, media_type="text/javascript", headers=headers)


@lru_cache
def scripts() -> dict[str, Path]:
    """The app's modules by file name."""
    return {path.name: path for path in sorted(SCRIPTS.glob("offline*.js")) if path.name != "offline-worker.js"}


@lru_cache
def version() -> str:
    """Ten hex digits of all modules together."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in scripts().values())).hexdigest()[:10]


@lru_cache
def shelf_version() -> str:
    """Of all that the worker keeps: modules, page, style."""
    page = (ROOT / "templates" / "collection" / "offline.html").read_bytes()
    kept = version() + "".join(static(name) for name in ("market.css", "icons.svg", "mark.svg", "js/page.js"))
    return hashlib.sha256(kept.encode() + page).hexdigest()[:10]
