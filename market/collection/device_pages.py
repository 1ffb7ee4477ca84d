"""/office/devices: the collectors' phones, what waits of their slips, and the end of a lost one."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session

from market.auth.access import Principal, Role, allow
from market.auth.models import UserAccount
from market.collection import devices, flags, held, reentry
from market.collection.device_models import Device, SignedSlip, SlipFlag
from market.collection.devices import DeviceRow
from market.collection.flags import Gap
from market.collection.held import Held
from market.collection.office import names_of
from market.collection.reentry import Entered
from market.collection.signing import SlipText, read
from market.database import SessionDep
from market.errors import Invalid, MarketError, NotFound
from market.money import rp
from market.vendors import service as vendors
from market.vendors.models import Market
from market.web.forms import FormData, FormInput, problems, redirect
from market.web.i18n import translate
from market.web.render import render
from market.words import N_, say

router = APIRouter(prefix="/office/devices", include_in_schema=False)
READERS = (Role.market_head, Role.admin, Role.treasurer, Role.clerk)
Reader = Annotated[Principal, Depends(allow(*READERS))]
Keeper = Annotated[Principal, Depends(allow(*devices.KEEPERS))]
Decider = Annotated[Principal, Depends(allow(*flags.DECIDERS))]
ReEnterer = Annotated[Principal, Depends(allow(*reentry.ENTERERS))]


@dataclass(frozen=True)
class FlagRow:
    """Something wrong, with who sent it, what the slip claims where that can be read, and of a wrong clock both moments."""

    flag: SlipFlag
    sender: str
    claims: SlipText | None
    moments: tuple[datetime, datetime] | None


@dataclass(frozen=True)
class DevicesPage:
    """What templates/collection/devices.html shows. `new_code` stands there once, for `new_for`."""

    market: Market
    markets: list[Market]
    rows: list[DeviceRow]
    collectors: list[UserAccount]
    waiting: list[Held]
    flags: list[FlagRow]
    gaps: list[Gap]
    own: set[str]
    me: int | None
    may_keep: bool
    may_decide: bool
    new_code: str = ""
    new_for: str = ""
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def waiting_amount(self) -> int:
        return sum(h.slip.amount for h in self.waiting)

    @property
    def deciding(self) -> int:
        """How many of the held slips this person may decide about."""
        return sum(h.collector_id != self.me for h in self.waiting) if self.may_decide else 0


@dataclass(frozen=True)
class DevicePage:
    """What templates/collection/device.html shows: one phone's last known state and its latest slips."""

    market: Market
    row: DeviceRow
    slips: list[SignedSlip]
    gaps: list[Gap]
    in_hand: int
    names: dict[int, str]
    may_keep: bool
    may_enter: bool
    entered: list[Entered] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
def list_devices(request: Request, session: SessionDep, by: Reader, market: str = "") -> Response:
    return render(request, "collection/devices.html", devices_page(session, by, market))


@router.post("/{market}/codes")
def issue_code(request: Request, session: SessionDep, by: Keeper, market: str, form: FormInput) -> Response:
    """A code for one phone, shown once on this answer and nowhere else."""
    found = vendors.get_market(session, market)
    by.require(*devices.KEEPERS, market_id=found.id)
    chosen = form.values.get("collector", "")
    number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 16 else 0
    try:
        with session.begin_nested():
            code = devices.issue_code(session, found.id, number, by=by)
    except MarketError as refusal:
        page = replace(devices_page(session, by, found.id), values=form.values, errors=problems(refusal))
        return render(request, "collection/devices.html", page, refusal.status)
    page = devices_page(session, by, found.id)
    name = next(user.name for user in page.collectors if user.id == number)
    return render(request, "collection/devices.html", replace(page, new_code=code, new_for=name))


@router.post("/{market}/held")
def decide(request: Request, session: SessionDep, by: Decider, market: str, form: FormInput) -> Response:
    """Accept or decline the slips that are ticked."""
    found = vendors.get_market(session, market)
    by.require(*flags.DECIDERS, market_id=found.id)
    keys = [(d, digest) for d, _, digest in (v.partition(":") for v in form.lists.get("slip", []))]
    answer = form.values.get("answer")
    if answer not in ("accept", "decline"):
        raise NotFound
    try:
        with session.begin_nested():
            if not keys:
                raise NothingTicked
            if answer == "accept":
                places = {digest: form.values.get(f"place-{digest}", "") for _, digest in keys}
                done = held.accept(session, found.id, keys, places=places, by=by)
            else:
                done = held.decline(session, found.id, keys, note=form.values.get("note", ""), by=by)
    except MarketError as refusal:
        page = replace(devices_page(session, by, found.id), values=_ticked(form), errors=problems(refusal))
        return render(request, "collection/devices.html", page, refusal.status)
    if done.refused:
        errors = {f"place-{digest}": translate(said) for digest, said in done.refused.items()}
        page = replace(devices_page(session, by, found.id), values=_ticked(form), errors=errors)
        return render(request, "collection/devices.html", page, 409)
    told = (
        say(N_("{n} slip diterima, {amount}. Buktinya terbit."), n=done.done, amount=rp(done.amount))
        if answer == "accept"
        else say(N_("{n} slip ditolak, {amount}. Slipnya tetap tersimpan."), n=done.done, amount=rp(done.amount))
    )
    return redirect(f"/office/devices?market={found.id}", told)


@router.post("/{market}/explain")
def explain(request: Request, session: SessionDep, by: Decider, market: str, form: FormInput) -> Response:
    """Write what a flag or a gap turned out to be."""
    found = vendors.get_market(session, market)
    key = form.values.get("key", "")
    try:
        with session.begin_nested():
            flags.settle(session, found.id, key, note=form.values.get(f"note-{key}", ""), by=by)
    except NotFound:
        raise
    except MarketError as refusal:
        errors = {f"note-{key}" if name == "note" else name: said for name, said in problems(refusal).items()}
        page = replace(devices_page(session, by, found.id), values=form.values, errors=errors)
        return render(request, "collection/devices.html", page, refusal.status)
    return redirect(f"/office/devices?market={found.id}", say(N_("Tercatat. Temuannya selesai.")))


@router.get("/{market}/{device}")
def one_device(request: Request, session: SessionDep, by: Reader, market: str, device: str) -> Response:
    return render(request, "collection/device.html", device_page(session, by, market, device))


@router.post("/{market}/{device}/revoke")
def revoke(request: Request, session: SessionDep, by: Keeper, market: str, device: str, form: FormInput) -> Response:
    """The key ends now; what was signed before it is held for a person."""
    found = _found(session, by, market, device)
    try:
        with session.begin_nested():
            devices.revoke(session, found.code, reason=form.values.get("reason", ""), by=by)
    except MarketError as refusal:
        page = replace(device_page(session, by, market, device), values=form.values, errors=problems(refusal))
        return render(request, "collection/device.html", page, refusal.status)
    told = say(N_("{device} dicabut. Slip yang ditandatangani sebelum ini menunggu keputusan."), device=found.code)
    return redirect(f"/office/devices/{found.market_id}/{found.code}", told)


@router.post("/{market}/{device}/re-enter")
def re_enter(
    request: Request, session: SessionDep, by: ReEnterer, market: str, device: str, form: FormInput
) -> Response:
    """Vendors' proofs, one a line, as the office scanned them: the same way in as the phone's own."""
    found = _found(session, by, market, device)
    try:
        with session.begin_nested():
            entered = reentry.enter(session, found.code, form.values.get("proofs", ""), by=by)
    except MarketError as refusal:
        page = replace(device_page(session, by, market, device), values=form.values, errors=problems(refusal))
        return render(request, "collection/device.html", page, refusal.status)
    return render(request, "collection/device.html", replace(device_page(session, by, market, device), entered=entered))


class NothingTicked(Invalid):
    message = N_("Centang slip yang Anda putuskan.")


def devices_page(session: Session, by: Principal, market: str) -> DevicesPage:
    """A market's phones and what waits of them. Raises NotFound for a market `by` does not see."""
    markets = vendors.visible_markets(session, by, *READERS, Role.auditor)
    chosen = next((m for m in markets if market.upper() in ("", m.id)), None)
    if chosen is None:
        raise NotFound
    rows = devices.list_devices(session, [chosen.id])
    found = flags.open_flags(session, [chosen.id])
    names = names_of(session, {f.sent_by for f in found if f.sent_by})
    return DevicesPage(
        market=chosen,
        markets=markets,
        rows=rows,
        collectors=devices.collectors(session, chosen.id),
        waiting=held.waiting(session, [chosen.id]),
        flags=[FlagRow(f, names.get(f.sent_by or 0, ""), _claims(f), _moments(f)) for f in found],
        gaps=flags.gaps(session, [chosen.id]),
        own={row.device.code for row in rows if row.device.collector_id == by.user_id},
        me=by.user_id,
        may_keep=by.has(*devices.KEEPERS, market_id=chosen.id),
        may_decide=by.has(*flags.DECIDERS, market_id=chosen.id),
    )


def device_page(session: Session, by: Principal, market: str, code: str) -> DevicePage:
    """One phone. Raises DeviceUnknown, also for another market's."""
    device = _found(session, by, market, code)
    row = next(row for row in devices.list_devices(session, [device.market_id]) if row.device.code == device.code)
    slips = held.latest(session, device.market_id, device.code)
    people = {s.decided_by for s in slips if s.decided_by} | {device.enrolled_by, device.revoked_by or 0}
    return DevicePage(
        market=vendors.get_market(session, device.market_id),
        row=row,
        slips=slips,
        gaps=[g for g in flags.gaps(session, [device.market_id]) if g.device == device.code],
        in_hand=devices.cash_out(session, device),
        names=names_of(session, people),
        may_keep=by.has(*devices.KEEPERS, market_id=device.market_id),
        may_enter=by.has(*reentry.ENTERERS, market_id=device.market_id),
    )


def _found(session: Session, by: Principal, market: str, code: str) -> Device:
    device = devices.find(session, code)
    if device.market_id != market.upper() or not by.has(*READERS, Role.auditor, market_id=device.market_id):
        raise devices.DeviceUnknown(device=code[:12])
    return device


def _claims(flag: SlipFlag) -> SlipText | None:
    """What the slip of a flag says, whether or not it is true."""
    unpacked = flag.detail.rpartition(".")[0] if flag.kind in ("tampered", "unknown") else flag.detail
    return read(unpacked)


def _moments(flag: SlipFlag) -> tuple[datetime, datetime] | None:
    """What a wrong clock said, and the moment that was kept."""
    said, arrow, kept = flag.detail.partition(" → ")
    return (datetime.fromisoformat(said), datetime.fromisoformat(kept)) if flag.kind == "clock" and arrow else None


def _ticked(form: FormData) -> dict[str, str]:
    return form.values | {f"ticked-{value.partition(':')[2]}": "yes" for value in form.lists.get("slip", [])}
