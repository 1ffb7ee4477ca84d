"""The surveyor's sheet as an app that opens without a signal: its manifest and its worker. The work is done in static/js/sheet*.js."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse

from market.auth.access import Anyone
from market.web.i18n import gettext
from market.web.render import ROOT, static
from market.words import N_

router = APIRouter(prefix="/office/prices", include_in_schema=False)


@router.get("/app.webmanifest")
def manifest(by: Anyone) -> Response:
    """What makes the sheet installable."""
    icons = [
        {"src": static(f"icon-{side}.png"), "type": "image/png", "sizes": f"{side}x{side}", "purpose": "any"}
        for side in (192, 512)
    ]
    said = {
        "name": gettext(N_("Catat harga pasar")), "short_name": gettext(N_("Catat harga")), "id": "/office/prices",
        "start_url": "/office/prices", "scope": "/office/prices", "display": "standalone",
        "background_color": "#fbf8f3", "theme_color": "#fbf8f3", "icons": icons,
    }  # fmt: skip
    return JSONResponse(said, media_type="application/manifest+json", headers={"cache-control": "no-cache"})


@router.get("/worker.js")
def worker(by: Anyone) -> Response:
    """The service worker of the sheet and of nothing else."""
    headers = {"cache-control": "no-cache", "service-worker-allowed": "/office/prices"}
    return FileResponse(ROOT / "static" / "js" / "sheet-worker.js", media_type="text/javascript", headers=headers)
