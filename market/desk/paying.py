"""What a pay code opens, and what may be shown of it (decisions.md): never a name, never a balance; a place shows no debt."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.dues import service as dues
from market.dues.service import BillStatus, ChargeLine
from market.errors import Invalid, NotFound, TooMany
from market.payments.models import AttemptState, PaymentAttempt
from market.vendors import codes
from market.vendors import service as vendors
from market.vendors.models import ENDED, CodeKind, Market, MarketSession, PayCode, Permit, Place, PlaceKind
from market.words import N_, say

KINDS = {
    PlaceKind.KIOS: N_("Kios"),
    PlaceKind.LOS: N_("Los"),
    PlaceKind.PELATARAN: N_("Pelataran"),
    PlaceKind.KAVLING_MALAM: N_("Kavling malam"),
    PlaceKind.TENDA: N_("Tenda"),
    PlaceKind.MOBIL: N_("Mobil"),
}
MOST_ATTEMPTS = 12  # QR codes that one pay code may ask for in an hour


class CodeUnknown(NotFound):
    message = N_("Kode ini tidak dikenal atau sudah diganti. Periksa lagi kartunya.")


class CodeReplaced(CodeUnknown):
    """The holder of the whole old code is told; whoever only guesses hears CodeUnknown."""

    status = 410
    message = N_("Kode kartu ini diganti pada {day} dan tidak berlaku lagi. Pakai kartu yang baru.")


class NothingOwed(Invalid):
    message = N_("Tidak ada yang perlu dibayar sekarang.")


class AmountOutside(Invalid):
    message = N_("Jumlahnya belum bisa dipakai.")


class TooManyQr(TooMany):
    message = N_("Terlalu banyak QR diminta dengan kode ini. Tunggu satu jam, atau bayar tunai ke petugas.")


@dataclass(frozen=True)
class Payable:
    """A code with what may be paid by it. `places` are (kind's msgid, code); `lines` oldest first; rupiah."""

    code: PayCode
    market: Market
    session: MarketSession | None
    places: list[tuple[str, str]]
    lines: list[ChargeLine]
    day: date
    expired: bool = False  # a bill past its day

    @property
    def kind(self) -> str:
        return str(self.code.kind)

    @property
    def total(self) -> int:
        return sum(line.remaining for line in self.lines)

    @property
    def choosable(self) -> bool:
        """Whether a part may be paid: only from a vendor's own card."""
        return self.kind == CodeKind.vendor and len(self.lines) > 1

    def choose(self, what: str, amount: int | None) -> tuple[list[ChargeLine], int]:
        """Lines for a bill and the rupiah to ask for. Raises NothingOwed, AmountOutside."""
        if not self.lines or self.total <= 0:
            raise NothingOwed
        if self.kind != CodeKind.vendor or what == "all":
            return self.lines, self.total
        if what == "oldest":
            return self.lines[:1], self.lines[0].remaining
        if amount is None or not 0 < amount <= self.total:
            reason = say(N_("Isi dari Rp 1 sampai jumlah yang belum dibayar."))
            raise AmountOutside(fields={"amount": reason})
        chosen: list[ChargeLine] = []
        for line in self.lines:
            chosen.append(line)
            if sum(c.remaining for c in chosen) >= amount:
                break
        return chosen, amount


def payable(session: Session, code: str) -> Payable:
    """What a code opens now. Raises CodeUnknown, CodeReplaced."""
    found = vendors.resolve_code(session, code)
    if found is None:
        raise unknown(session, code)
    market = vendors.get_market(session, found.market_id)
    moment = clock.now()
    if found.kind == CodeKind.place:
        return _place(session, found, market, moment)
    if found.kind == CodeKind.vendor:
        lines = dues.unpaid(session, market.id, vendor_id=found.ref)
        permits = select(Permit).where(col(Permit.market_id) == market.id, col(Permit.vendor_id) == found.ref)
        return _with(session, found, market, moment, list(session.execute(permits).scalars()), lines)
    view = dues.bill_view(session, market.id, found.ref)
    lines = [line for line, _ in view.lines if line.remaining > 0]
    ids = {line.key.permit_id for line, _ in view.lines}
    permits = select(Permit).where(col(Permit.market_id) == market.id, col(Permit.id).in_(ids))
    expired = view.status in (BillStatus.EXPIRED, BillStatus.REPLACED)
    return _with(session, found, market, moment, list(session.execute(permits).scalars()), lines, expired=expired)


def unknown(session: Session, code: str) -> CodeUnknown:
    """Why a code opens nothing: it never did, or another card took its place."""
    died = codes.replaced_at(session, code)
    return CodeReplaced(day=clock.local(died).strftime("%d/%m/%Y")) if died else CodeUnknown()


def _place(session: Session, code: PayCode, market: Market, moment: datetime) -> Payable:
    """Today's fee of whoever holds the place in the session that is open (or opens next today)."""
    permits = list(
        session.execute(
            select(Permit).where(
                col(Permit.market_id) == market.id,
                col(Permit.place_id) == code.ref,
                col(Permit.status).not_in([s.value for s in ENDED]),
            )
        ).scalars()
    )
    openings = {opening.code: opening for opening in vendors.sessions_of(session, market.id)}
    held = []
    for permit in permits:
        opening = openings[permit.session_code]
        day = clock.business_day(moment, market.timezone, opening.opens, opening.closes)
        if permit.valid_from <= day and (permit.valid_until is None or day < permit.valid_until):
            held.append((not _open_now(opening, moment, market.timezone), opening.opens, permit, day))
    held.sort(key=lambda h: h[:2])
    if not held:
        place = session.get_one(Place, (market.id, code.ref))
        return Payable(
            code, market, None, [(KINDS[PlaceKind(place.kind)], place.code)], [], clock.today(market.timezone)
        )
    _, _, permit, day = held[0]
    lines = [
        line
        for line in dues.unpaid(session, market.id, permit_id=permit.id, until=day)
        if line.due_on == day and (line.period_end - line.due_on).days == 1
    ]
    return _with(session, code, market, moment, [permit], lines)


def _open_now(opening: MarketSession, moment: datetime, tz: str) -> bool:
    wall = clock.local(moment, tz).time()
    if opening.closes <= opening.opens:
        return wall >= opening.opens or wall < opening.closes
    return opening.opens <= wall < opening.closes


def _with(
    session: Session,
    code: PayCode,
    market: Market,
    moment: datetime,
    permits: list[Permit],
    lines: list[ChargeLine],
    *,
    expired: bool = False,
) -> Payable:
    current = [p for p in permits if p.status not in {s.value for s in ENDED}] or permits
    owing = {line.key.permit_id for line in lines}
    shown = {p.place_id for p in permits if p.id in owing} or {p.place_id for p in current}
    places = session.execute(
        select(col(Place.kind), col(Place.code))
        .where(col(Place.market_id) == market.id, col(Place.id).in_(shown))
        .order_by(col(Place.code))
    ).all()
    openings = {opening.code: opening for opening in vendors.sessions_of(session, market.id)}
    opening = openings.get(current[0].session_code) if current else None
    opening = opening or next(iter(openings.values()), None)
    day = clock.today(market.timezone)
    if opening is not None:
        day = clock.business_day(moment, market.timezone, opening.opens, opening.closes)
    named = [(KINDS[PlaceKind(kind)], place_code) for kind, place_code in places]
    return Payable(code, market, opening, named, lines, day, expired)


def refuse_flood(session: Session, market_id: str, origin: str, moment: datetime) -> None:
    """Whoever holds a code, or a vendor's session, may not make us ask the bank without end. Raises TooManyQr."""
    recent = session.execute(
        select(col(PaymentAttempt.created_at))
        .where(col(PaymentAttempt.market_id) == market_id, col(PaymentAttempt.origin) == origin)
        .order_by(col(PaymentAttempt.id).desc())
        .limit(MOST_ATTEMPTS)
    ).scalars()
    ages = [(moment - made).total_seconds() for made in recent]
    if len(ages) == MOST_ATTEMPTS and ages[-1] < 3600:
        raise TooManyQr


def waiting(attempt: PaymentAttempt | None, moment: datetime) -> bool:
    """Whether a QR is out and may still be paid."""
    return (
        attempt is not None
        and attempt.provider == "qris"
        and attempt.state == AttemptState.open
        and moment < attempt.expires_at
    )
