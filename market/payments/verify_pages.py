"""/verify: a small page that can be installed and checks a receipt's QR with the public key, with or without a signal.

The work is done on the device (static/js/verify.js); here are the page, its manifest and its service worker, which must
come from a path of its own to be allowed to serve the page. A photo is read here (photo.py), for devices that cannot.
"""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse

from market.auth.access import Anyone
from market.errors import MarketError
from market.payments.photo import LARGEST_FILE, NotAPhoto, claim_in
from market.settings import get_settings
from market.web.forms import FormInput, problems
from market.web.i18n import gettext, translate
from market.web.render import ROOT, render, static
from market.words import N_, say

router = APIRouter(prefix="/verify", include_in_schema=False)


@dataclass(frozen=True)
class VerifyPage:
    """`timezone` is the city's: a token carries an instant, people read a wall clock."""

    timezone: str
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
def verify_page(request: Request, by: Anyone) -> Response:
    return render(request, "payments/verify.html", VerifyPage(get_settings().timezone), cache_control="no-cache")


@router.post("/photo")
def photo(request: Request, by: Anyone, form: FormInput) -> Response:
    """A photo of a receipt's QR: on to the same answer that its address gives. Nothing of it is kept."""
    try:
        sent = form.files.get("photo")
        content = sent.file.read(LARGEST_FILE + 1) if sent is not None else b""
        if not content:
            raise NotAPhoto(fields={"photo": say(N_("Pilih fotonya dulu."))})
        claim = claim_in(content)
    except MarketError as error:
        page = VerifyPage(
            get_settings().timezone, {"photo": translate(error.text)} | {k: v for k, v in problems(error).items() if k}
        )
        return render(request, "payments/verify.html", page, error.status)
    return RedirectResponse(f"/receipts/{claim.number}" + (f"?t={claim.token}" if claim.token else ""), 303)


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
