"""Devices: a code from the office, a key made on the phone, and the end of both. Never sees a private key."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from market import audit, clock
from market.auth import service as auth
from market.auth.access import Principal, Role
from market.auth.models import RoleGrant, UserAccount
from market.auth.second_factor import ALPHABET
from market.collection.device_models import Device, DeviceCode
from market.collection.models import Slip
from market.collection.signing import Jwk, point_of
from market.errors import Conflict, Invalid, NotFound
from market.ledger import service as ledger
from market.vendors import service as vendors
from market.words import N_, say

LIFE = timedelta(minutes=15)
LENGTH = 8
KEEPERS = (Role.market_head, Role.admin)
READERS = (*KEEPERS, Role.treasurer, Role.clerk, Role.director, Role.auditor)


class DeviceUnknown(NotFound):
    message = N_("Perangkat {device} tidak dikenal.")


class NoCollector(Invalid):
    message = N_("Pilih petugas yang menagih di pasar ini.")


class CodeSpent(Conflict):
    message = N_("Kode pendaftaran ini tidak cocok, sudah dipakai, atau lewat 15 menit. Minta kode baru.")


class KeyKnown(Conflict):
    message = N_("Kunci ini sudah terdaftar untuk perangkat lain. Buat kunci baru di perangkat ini.")


class RevokedAlready(Conflict):
    message = N_("Perangkat {device} sudah dicabut.")


class WhyRevoked(Invalid):
    message = N_("Tulis alasan pencabutan.")


class MustBeSigned(Conflict):
    message = N_("Perangkat {device} menandatangani slipnya. Kirim lewat /api/v1/slips/sync.")


@dataclass(frozen=True)
class DeviceRow:
    """A device with its collector's name."""

    device: Device
    collector: str


def issue_code(session: Session, market_id: str, collector_id: int, *, by: Principal) -> str:
    """A code for one device of this collector, in clear this once; the collector's earlier ones stop working."""
    by.require(*KEEPERS, market_id=market_id)
    if collector_id not in {user.id for user in collectors(session, market_id)}:
        raise NoCollector(fields={"collector": say(N_("Pilih petugas yang menagih di pasar ini."))})
    moment = clock.now()
    for old in session.execute(
        select(DeviceCode).where(
            col(DeviceCode.market_id) == market_id,
            col(DeviceCode.collector_id) == collector_id,
            col(DeviceCode.device).is_(None),
            col(DeviceCode.expires_at) > moment,
        )
    ).scalars():
        old.expires_at = moment
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    session.add(
        DeviceCode(
            code_hash=auth.digest(code), market_id=market_id, collector_id=collector_id, issued_by=by.user_id or 0,
            issued_at=moment, expires_at=moment + LIFE,
        )
    )  # fmt: skip
    session.flush()
    audit.record(session, by, "device.code", "user", str(collector_id), market_id=market_id)
    return f"{code[:4]}-{code[4:]}"


def enrol(session: Session, code: str, jwk: Jwk, *, name: str, by: Principal) -> Device:
    """The signed-in collector's device, by its code. The same code with the same key again is the same device.

    Raises CodeSpent, BadPublicKey, KeyKnown.
    """
    point = point_of(jwk)
    clean = "".join(c for c in code.upper() if c.isalnum())[:LENGTH]
    row = session.get(DeviceCode, auth.digest(clean), with_for_update=True)
    if row is None or row.collector_id != by.user_id:
        raise CodeSpent
    if row.device is not None:
        # The answer was lost on the way: the phone asks again with the key it kept.
        known = session.get_one(Device, row.device)
        if known.public_key != point or known.revoked_at is not None:
            raise CodeSpent
        return known
    if row.expires_at <= clock.now():
        raise CodeSpent
    by.require(Role.collector, market_id=row.market_id)
    if session.execute(select(col(Device.code)).where(col(Device.public_key) == point)).first():
        raise KeyKnown
    made = Device(
        code=_free_code(session), market_id=row.market_id, collector_id=row.collector_id, name=name.strip()[:60],
        public_key=point, enrolled_at=clock.now(), enrolled_by=row.issued_by,
    )  # fmt: skip
    session.add(made)
    row.device = made.code
    session.flush()
    after = {"collector": row.collector_id, "name": made.name, "issued_by": row.issued_by}
    audit.record(session, by, "device.enrol", "device", made.code, market_id=made.market_id, after=after)
    return made


def revoke(session: Session, code: str, *, reason: str, by: Principal) -> Device:
    """From now on its key signs nothing that is booked by itself. Raises DeviceUnknown, RevokedAlready, WhyRevoked."""
    device = session.get(Device, code, with_for_update=True)
    if device is None:
        raise DeviceUnknown(device=code)
    by.require(*KEEPERS, market_id=device.market_id)
    if device.revoked_at is not None:
        raise RevokedAlready(device=code)
    if not reason.strip():
        raise WhyRevoked(fields={"reason": say(N_("Misalnya: hilang, rusak, ganti petugas."))})
    device.revoked_at, device.revoked_by, device.revoke_reason = clock.now(), by.user_id, reason.strip()[:300]
    session.flush()
    audit.record(
        session, by, "device.revoke", "device", code, market_id=device.market_id,
        after={"reason": device.revoke_reason, "last_number": device.last_number, "waiting": device.waiting},
    )  # fmt: skip
    return device


def find(session: Session, code: str, *, lock: bool = False) -> Device:
    """A device by its code. Raises DeviceUnknown."""
    device = session.get(Device, code[:12], with_for_update=True if lock else None)
    if device is None:
        raise DeviceUnknown(device=code[:12])
    return device


def list_devices(session: Session, market_ids: Sequence[str]) -> list[DeviceRow]:
    """Devices of these markets, the live ones first, then by code."""
    rows = session.execute(
        select(Device, col(UserAccount.name))
        .join(UserAccount, col(UserAccount.id) == col(Device.collector_id))
        .where(col(Device.market_id).in_(list(market_ids)))
        .order_by(col(Device.revoked_at).is_not(None), col(Device.market_id), col(Device.code))
    ).all()
    return [DeviceRow(device, name) for device, name in rows]


def own_device(session: Session, market_id: str, collector_id: int, code: str = "") -> Device | None:
    """The collector's device of that code, else the one enrolled last at this market."""
    query = select(Device).where(col(Device.market_id) == market_id, col(Device.collector_id) == collector_id)
    if code:
        query = query.where(col(Device.code) == code[:12])
    found: Device | None = session.execute(
        query.order_by(col(Device.revoked_at).is_not(None), col(Device.enrolled_at).desc()).limit(1)
    ).scalar_one_or_none()
    return found


def refuse_unsigned(session: Session, code: str) -> None:
    """An enrolled device's numbers belong to its key. Raises MustBeSigned."""
    if session.get(Device, code) is not None:
        raise MustBeSigned(device=code)


def cash_out(session: Session, device: Device) -> int:
    """Cash the books say the device's collector holds, in rupiah."""
    return ledger.balance(session, device.market_id, f"cash:collector:{device.collector_id}")


def collectors(session: Session, market_id: str) -> list[UserAccount]:
    """Who may collect at a market today, by name."""
    day = clock.today()
    operator = vendors.get_market(session, market_id).operator_id
    everywhere = col(RoleGrant.market_id).is_(None) & col(RoleGrant.operator_id).is_(None)
    query = (
        select(UserAccount)
        .join(RoleGrant, col(RoleGrant.user_id) == col(UserAccount.id))
        .where(
            col(RoleGrant.role) == Role.collector.value,
            (col(RoleGrant.market_id) == market_id) | (col(RoleGrant.operator_id) == operator) | everywhere,
            *auth.in_force(day),
            col(UserAccount.active),
        )
        .distinct()
        .order_by(col(UserAccount.name), col(UserAccount.id))
    )
    return list(session.execute(query).scalars())


def _free_code(session: Session) -> str:
    """The next `D01`, `D02` … that no slip bears yet: unsigned batches named their devices themselves."""
    while True:
        code = f"D{ledger.take_numbers(session, '-', 'device', 1)[0]:02d}"
        if session.execute(select(col(Slip.number)).where(col(Slip.device) == code).limit(1)).first() is None:
            return code
