"""Meters: a reading a month per place, and the charge it makes. What is read is never edited; a mistake is corrected next month."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import insert, or_, select
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import Principal, Role
from market.dues.assessment import RATE, Facts, choose_tariff, first_of_next_month
from market.dues.models import AccrualRun, Basis, ChargeType, MeterReading
from market.dues.preview import NoSuchPlace
from market.dues.run import postings, rules_of
from market.dues.sources import permit, place
from market.dues.statements import charge
from market.errors import Conflict, Invalid
from market.ledger import service as ledger
from market.money import half_up
from market.vendors import service as vendors
from market.words import N_, say

METERED = {ChargeType.LISTRIK: Basis.PER_KWH, ChargeType.AIR: Basis.PER_M3}
MOST_E4 = 10_000_000 * 10_000  # no meter of a stall shows more


class BelowLastReading(Invalid):
    message = N_("Angka meter lebih kecil dari bacaan terakhir {last}. Tandai bila meternya diganti.")


class AlreadyRead(Conflict):
    message = N_("Meter tempat ini sudah dibaca untuk bulan itu.")


class NoMeterTariff(Invalid):
    message = N_("Belum ada tarif per satuan meter untuk tempat ini pada bulan itu.")


class NobodyThere(Invalid):
    message = N_("Tempat ini kosong pada bulan itu, jadi tidak ada yang ditagih.")


@dataclass(frozen=True)
class Read:
    """A reading just taken: what was used (scaled by 10,000) and its charge in rupiah."""

    place_code: str
    used_e4: int
    amount: int


def read_meter(
    session: Session,
    market_id: str,
    place_code: str,
    charge_type: ChargeType,
    month: date,
    reading_e4: int,
    *,
    start_e4: int = 0,
    replaced: bool = False,
    by: Principal,
) -> Read:
    """Enter what a place's meter shows for `month` and charge what was used since the reading before.

    `start_e4` is what the meter showed when it was new here: it counts for a first reading and for a replaced meter.
    Raises NoSuchPlace, AlreadyRead, BelowLastReading, NoMeterTariff, NobodyThere.
    """
    by.require(Role.clerk, market_id=market_id)
    market = vendors.get_market(session, market_id)
    start = month.replace(day=1)
    if start > clock.today(market.timezone):
        raise Invalid(fields={"month": say(N_("Bulan ini belum tiba."))})
    # Held to the end of the transaction: two clerks cannot both read one meter.
    run_id = ledger.take_numbers(session, market.id, "accrual-run", 1)[0]
    facts, place_id = _facts(session, market.id, place_code, start)
    before = session.execute(
        select(MeterReading)
        .where(
            col(MeterReading.market_id) == market.id, col(MeterReading.place_id) == place_id,
            col(MeterReading.charge_type) == charge_type,
        )
        .order_by(col(MeterReading.month).desc())
        .limit(1)
    ).scalar()  # fmt: skip
    if before is not None and before.month >= start:
        raise AlreadyRead(fields={"month": say(AlreadyRead.message)})
    since = start_e4 if before is None or replaced else before.reading_e4
    if not 0 <= since <= reading_e4 <= MOST_E4:
        last = f"{since // 10_000}"
        raise BelowLastReading(last=last, fields={"reading": say(BelowLastReading.message, last=last)})
    tariffs, _ = rules_of(session, market)
    tariff = choose_tariff(tariffs, charge_type, facts, start)
    if tariff is None or tariff.basis != METERED[charge_type]:
        raise NoMeterTariff
    used = reading_e4 - since
    net, gross = (half_up(rate * used, RATE) for rate in (tariff.net_e4, tariff.gross_e4))
    session.add(
        MeterReading(
            market_id=market.id, place_id=place_id, charge_type=charge_type, month=start, start_e4=since,
            reading_e4=reading_e4, used_e4=used, replaced=replaced, permit_id=facts.permit_id, read_by=by.user_id,
        )
    )  # fmt: skip
    session.flush()
    if gross:
        line = {
            "market_id": market.id, "period_start": start, "charge_type": str(charge_type), "permit_id": facts.permit_id,
            "revision": 0, "period_end": first_of_next_month(start), "quantity_e4": used, "net": net, "gross": gross,
            "relieved": 0, "relieved_tax": 0, "settled": 0, "tariff_id": tariff.id, "relief_id": None, "run_id": run_id,
        }  # fmt: skip
        session.connection().execute(insert(charge), [line])
        posted = tuple(ledger.Line(code, n) for code, n in postings(charge_type, net, gross, 0, 0) if n)
        key = f"accrual:{run_id}:{start.isoformat()}:{charge_type}"
        ledger.post_many(session, [ledger.Draft(market.id, key, "accrual", start, posted)])
    session.add(AccrualRun(market_id=market.id, id=run_id, until=start, created=int(gross > 0), amount=gross))
    session.flush()
    audit.record(
        session, by, "meter.read", "place", f"{market.id}.{place_code}", market_id=market.id,
        after={"month": start, "type": str(charge_type), "reading_e4": reading_e4, "replaced": replaced, "amount": gross},
    )  # fmt: skip
    return Read(place_code, used, gross)


def _facts(session: Session, market_id: str, place_code: str, month: date) -> tuple[Facts, int]:
    """The place with whoever held it last in the month."""
    holds = (permit.c.market_id == place.c.market_id) & (permit.c.place_id == place.c.id)
    holds &= permit.c.billed_from < first_of_next_month(month)
    holds &= or_(permit.c.valid_until.is_(None), permit.c.valid_until > month)
    row: Any = session.execute(
        select(
            place.c.id, place.c.kind, place.c.floor, place.c.zone, place.c.grade, permit.c.id.label("permit_id"),
            permit.c.vendor_id, permit.c.session_code, permit.c.vendor_kind, permit.c.goods, permit.c.billed_from,
        )
        .select_from(place.outerjoin(permit, holds))
        .where(place.c.market_id == market_id, place.c.code == place_code)
        .order_by(permit.c.billed_from.desc(), permit.c.id.desc())
        .limit(1)
    ).first()  # fmt: skip
    if row is None:
        raise NoSuchPlace(place=place_code[:20], fields={"place": say(N_("Kode tempat ini tidak ada."))})
    if row.permit_id is None:
        raise NobodyThere(fields={"place": say(NobodyThere.message)})
    facts = Facts(
        market_id=market_id, permit_id=row.permit_id, vendor_id=row.vendor_id, session_code=row.session_code,
        vendor_kind=row.vendor_kind, place_kind=row.kind, billed_from=row.billed_from, floor=row.floor, zone=row.zone,
        grade=row.grade, goods=row.goods,
    )  # fmt: skip
    return facts, row.id
