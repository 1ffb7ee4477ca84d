"""/verify: a small page that can be installed and checks a receipt's QR with the public key, with or without a signal.

The work is done on the device (static/js/verify.js); here are the page, its manifest and its service worker, which must
come from a path of its own to be allowed to serve the page.
"""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from market.auth.access import Anyone
from market.settings import get_settings
from market.web.i18n import gettext
from market.web.render import ROOT, render, static
from market.words import N_

router = APIRouter(prefix="/verify", include_in_schema=False)


@dataclass(frozen=True)
class VerifyPage:
    """`timezone` is the city's: a token carries an instant, people read a wall clock."""

    timezone: str


@router.get("")
def verify_page(request: Request, by: Anyone) -> Response:
    return render(request, "payments/verify.html", VerifyPage(get_settings().timezone), cache_control="no-cache")


@router.get("/app.webmanifest")
def manifest(by: Anyone) -> Response:
    """What makes the page installable."""
    icon = {"src": static("mark.svg"), "type": "image/svg+xml", "sizes": "any", "purpose": "any"}
    said = {
        "name": gettext(N_("Cek bukti bayar pasar")), "short_name": gettext(N_("Cek bukti")), "id": "/verify",
        "start_url": "/verify", "scope": "/verify", "display": "standalone",
        "background_color": "#fbf8f3", "theme_color": "#fbf8f3", "icons": [icon],
    }  # fmt: skip
    return JSONResponse(said, media_type="application/manifest+json", headers={"cache-control": "no-cache"})


@router.get("/worker.js")
def worker(by: Anyone) -> Response:
    """The service worker of /verify and of nothing else."""
    headers = {"cache-control": "no-cache", "service-worker-allowed": "/verify"}
    return FileResponse(ROOT / "static" / "js" / "verify-worker.js", media_type="text/javascript", headers=headers)
