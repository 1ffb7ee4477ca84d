"""/slips/{slip}: what became of a slip, for the vendor who holds it. Amount and place only with the proof; never a name.

The QR's proof stands behind `#`, which no browser sends: static/js/slip.js checks it on the phone with the device's key.
Without JavaScript the proof is pasted and checked here.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlmodel import Session, col

from market.auth.access import Anyone
from market.collection import signing
from market.collection.device_models import Device, SignedSlip, SlipState
from market.collection.signing import SlipText
from market.database import SessionDep
from market.errors import NotFound
from market.vendors import service as vendors
from market.web.forms import FormInput
from market.web.i18n import gettext
from market.web.render import render
from market.words import N_

router = APIRouter(prefix="/slips", include_in_schema=False)
_NAME = re.compile(r"([A-Z][A-Z0-9]{1,11})-([0-9]{1,9})")


class NoSuchSlip(NotFound):
    message = N_("Nomor slip ini tidak dikenal. Bentuknya seperti D07-000123: perangkat, lalu nomor.")


@dataclass(frozen=True)
class SlipPage:
    """What templates/collection/slip.html shows. `said` is the slip's text once its proof was checked.

    state: received · waiting (a person decides) · declined · missing (not brought yet) · forged
    """

    name: str
    device: str
    state: str
    receipt: str
    revoked_at: datetime | None
    timezone: str
    market_name: str
    said: SlipText | None = None
    typed: str = ""
    error: str = ""


@router.get("/{slip}")
def slip_page(request: Request, session: SessionDep, by: Anyone, slip: str) -> Response:
    page = _page(session, slip, None)
    return render(request, "collection/slip.html", page, cache_control="no-cache")


@router.post("/{slip}")
def check(request: Request, session: SessionDep, by: Anyone, slip: str, form: FormInput) -> Response:
    """The pasted proof, checked here. Sent by POST so that it stands in no address and no log."""
    typed = form.values.get("proof", "").strip()[:4096]
    unpacked = signing.unpack(typed)
    if unpacked is None:
        page = _page(session, slip, None, typed=typed, error=gettext("Tempel seluruh isi QR pada slip."))
        return render(request, "collection/slip.html", page, 422)
    page = _page(session, slip, unpacked, typed=typed)
    return render(request, "collection/slip.html", page, 422 if page.state == "forged" else 200)


def _page(session: Session, slip: str, proof: tuple[str, str] | None, *, typed: str = "", error: str = "") -> SlipPage:
    found = _NAME.fullmatch(slip.upper())
    device = session.get(Device, found[1]) if found else None
    if found is None or device is None or int(found[2]) == 0:
        raise NoSuchSlip
    number = int(found[2])
    said, digest, state = None, "", ""
    if proof is not None:
        body, signature = proof
        said, digest = signing.read(body), signing.digest(body)
        mine = said is not None and (said.device, said.number) == (device.code, number)
        if not mine or not signing.verified(device.public_key, body, signature):
            said, state = None, "forged"
    row = _row(session, device, number, digest) if state != "forged" else None
    market = vendors.get_market(session, device.market_id)
    return SlipPage(
        name=f"{device.code}-{number:06d}",
        device=device.code,
        state=state or _state(row),
        receipt=row.receipt_number or "" if row else "",
        revoked_at=device.revoked_at,
        timezone=market.timezone,
        market_name=market.name,
        said=said,
        typed=typed,
        error=error,
    )


def _row(session: Session, device: Device, number: int, digest: str) -> SignedSlip | None:
    """The slip of the proof; without one, of the number, the booked one first."""
    query = select(SignedSlip).where(col(SignedSlip.device) == device.code, col(SignedSlip.number) == number)
    if digest:
        query = query.where(col(SignedSlip.digest) == digest)
    rows = session.execute(query.order_by(col(SignedSlip.state) != SlipState.taken.value).limit(1))
    found: SignedSlip | None = rows.scalar_one_or_none()
    return found


def _state(row: SignedSlip | None) -> str:
    if row is None:
        return "missing"
    return {SlipState.taken: "received", SlipState.held: "waiting", SlipState.refused: "declined"}[SlipState(row.state)]
