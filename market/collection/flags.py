"""What looked wrong about slips, kept until a person writes what it was; and the numbers a device never sent."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.collection.device_models import Device, FlagKind, SignedSlip, SlipFlag
from market.errors import Conflict, Forbidden, Invalid, NotFound
from market.words import N_, say

DECIDERS = (Role.market_head, Role.treasurer)


class FlagUnknown(NotFound):
    message = N_("Catatan ini tidak ditemukan.")


class SettledAlready(Conflict):
    message = N_("Catatan ini sudah diselesaikan.")


class WhatWasIt(Invalid):
    message = N_("Tulis apa yang ditemukan.")


class OwnDevice(Forbidden):
    message = N_("Ini perangkat Anda sendiri. Minta orang lain memutuskan.")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `about` tells it from others of its kind; `detail` is the evidence, at most 2,000 signs."""

    kind: FlagKind
    device: str
    number: int | None
    about: str
    detail: str = ""


@dataclass(frozen=True)
class Gap:
    """Numbers `first` to `last` that a device never sent though it sent a later one. `key` settles it."""

    market_id: str
    device: str
    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def key(self) -> str:
        return key_of(FlagKind.gap, f"{self.device}:{self.first}-{self.last}")


def key_of(kind: FlagKind, about: str) -> str:
    return hashlib.sha256(f"{kind}|{about}".encode()).hexdigest()[:32]


def raise_all(session: Session, market_id: str, findings: Collection[Finding], *, by: Principal) -> None:
    """Write findings; one that is known already stays as it is."""
    if not findings:
        return
    moment = clock.now()
    rows = [
        {
            "market_id": market_id, "key": key_of(f.kind, f"{f.device}:{f.about}"), "kind": str(f.kind),
            "device": f.device, "number": f.number, "detail": _storable(f.detail), "at": moment, "sent_by": by.user_id,
            "note": "",
        }
        for f in findings
    ]  # fmt: skip
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(SlipFlag).on_conflict_do_nothing(), sorted(rows, key=lambda row: str(row["key"])))


def _storable(text: str) -> str:
    """Evidence as any database takes it: what a stranger sends may hold NUL or half a character."""
    return text[:2000].encode(errors="replace").decode().replace("\x00", "\ufffd")


def open_flags(session: Session, market_ids: Collection[str]) -> list[SlipFlag]:
    """What nobody has explained yet, oldest first."""
    query = (
        select(SlipFlag)
        .where(col(SlipFlag.market_id).in_(list(market_ids)), col(SlipFlag.settled_by).is_(None))
        .order_by(col(SlipFlag.at), col(SlipFlag.key))
        .limit(500)
    )
    return list(session.execute(query).scalars())


def gaps(session: Session, market_ids: Collection[str]) -> list[Gap]:
    """Missing numbers that nobody has explained, by device. Only devices that sent fewer numbers than their last are read."""
    sent = (
        select(
            col(SignedSlip.market_id).label("market_id"),
            col(SignedSlip.device).label("device"),
            col(SignedSlip.number).label("number"),
            func.coalesce(
                func.lag(col(SignedSlip.number)).over(
                    partition_by=col(SignedSlip.device), order_by=col(SignedSlip.number)
                ),
                0,
            ).label("before"),
        )
        .join(Device, col(Device.code) == col(SignedSlip.device))
        .where(col(Device.market_id).in_(list(market_ids)), col(Device.received) < col(Device.last_number))
        .subquery()
    )
    rows = session.execute(
        select(sent.c.market_id, sent.c.device, sent.c.before, sent.c.number)
        .where(sent.c.number - sent.c.before > 1)
        .order_by(sent.c.device, sent.c.number)
    ).all()
    found = [Gap(market_id, device, int(before) + 1, int(number) - 1) for market_id, device, before, number in rows]
    if not found:
        return []
    explained = set(
        session.execute(
            select(col(SlipFlag.key)).where(
                col(SlipFlag.market_id).in_(list(market_ids)), col(SlipFlag.kind) == FlagKind.gap.value
            )
        ).scalars()
    )
    return [gap for gap in found if gap.key not in explained]


def settle(session: Session, market_id: str, key: str, *, note: str, by: Principal) -> SlipFlag:
    """A person writes what it was; a gap is settled by its key. Raises FlagUnknown, SettledAlready, WhatWasIt, OwnDevice."""
    by.require(*DECIDERS, market_id=market_id)
    if not note.strip():
        raise WhatWasIt(fields={"note": say(N_("Misalnya: slip dibatalkan, kertasnya ada."))})
    flag = session.get(SlipFlag, (market_id, key), with_for_update=True)
    if flag is None:
        gap = next((g for g in gaps(session, [market_id]) if g.key == key), None)
        if gap is None:
            raise FlagUnknown
        flag = SlipFlag(
            market_id=market_id, key=key, kind=FlagKind.gap, device=gap.device, number=gap.first,
            detail=f"{gap.first}-{gap.last}", at=clock.now(),
        )  # fmt: skip
        session.add(flag)
    if flag.settled_by is not None:
        raise SettledAlready
    refuse_own(session, flag.device, by)
    flag.settled_by, flag.settled_at, flag.note = by.user_id, clock.now(), note.strip()[:300]
    session.flush()
    after = {"kind": str(flag.kind), "device": flag.device, "number": flag.number, "note": flag.note}
    audit.record(session, by, "slip.explain", "device", flag.device, market_id=market_id, after=after)
    return flag


def refuse_own(session: Session, device: str, by: Principal) -> None:
    """The device's collector decides nothing about its slips. Raises OwnDevice."""
    found = session.get(Device, device)
    if found is not None and found.collector_id == by.user_id:
        raise OwnDevice


def markets_of(session: Session, by: Principal, ids: Sequence[str]) -> list[str]:
    """Of these markets, where `by` decides."""
    return [m for m in ids if by.has(*DECIDERS, market_id=m)]
