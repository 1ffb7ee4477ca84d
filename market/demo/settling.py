"""The city is built: operators, markets, places, vendors, permits, fees, codes. Runs once, in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sqlmodel import Session

from market import installation
from market.auth import service as auth
from market.auth.access import SYSTEM, Role
from market.calendar import service as calendar
from market.calendar.known_days import known_days
from market.demo.city import FEES, MARKETS, OPERATORS, PERUMDA, SOCIAL_DECISION, SOCIAL_PARTNER, Block, City
from market.demo.names import invented_nik, invented_phone, names, trading_name
from market.dues import service as dues
from market.dues.schemas import ReliefIn, TariffIn
from market.pricing import service as pricing
from market.tour import PASSWORD, PAY_CODE, VENDOR
from market.vendors import service as vendors
from market.vendors.models import CodeKind, FeeRegime, PlaceKind, VendorKind, VendorType
from market.vendors.permits import NewPermit
from market.vendors.registry import NewPlace, NewVendor

LONGER = 130  # days more for the few whose debts are old
OLD_DEBTS = 0.05
TOUR_PLACE = "A-12"
SOCIAL_PLACE = "A-34"
VENDOR_USER = VENDOR.username
REBUILT, REBUILT_AGO = "SMR", 40
RECORD = 210 + REBUILT_AGO + 1  # days of charges of the rebuilt market: one cycle before its works can be compared
NEWCOMERS = 0.14  # of its places were let after the works only


def days_of(market_id: str, days: int) -> int:
    """Days of charges in a market of the demo; a short city (tests) stays short."""
    return RECORD if market_id == REBUILT and days >= REBUILT_AGO else days


@dataclass
class Let:
    """A place in a session, to whom it is let and how."""

    place: str
    block: Block
    session_code: str
    vendor: int  # its place in the list of vendors
    seasonal: bool
    since: date
    billed_from: date
    goods: str


def build(session: Session, *, seed: int, today: date, days: int) -> None:
    """Everything that stands still; permits are billed for the last `days`. The caller lets time pass afterwards."""
    calendar.close(session, known_days())
    for code, name in OPERATORS.items():
        vendors.add_operator(session, code, name=name, by=SYSTEM)
    for city in MARKETS:
        made = vendors.add_market(
            session, city.code, operator_id=city.operator, name=city.name, fee_regime=FeeRegime(city.regime), source=city.source,
            sessions=[(o.code, o.name, o.opens, o.closes) for o in city.sessions], by=SYSTEM,
        )  # fmt: skip
        if city.code == REBUILT:
            made.works_on = today - timedelta(days=REBUILT_AGO)
    # By name, as every other page lists them.
    pricing.seed(session, sorted(((city.code, city.name) for city in MARKETS), key=lambda area: area[1]))
    _set_fees(session)
    random = Random(f"{seed}/vendors")
    pairs = names(random)
    number = iter(range(1, 1_000_000))
    for city in MARKETS:
        _settle(session, city, random, pairs, number, today, days_of(city.code, days))
    session.flush()


def _set_fees(session: Session) -> None:
    for fee in FEES:
        data = TariffIn(
            charge_type=fee.charge_type, basis=fee.basis, rate=fee.rate, gross=fee.gross, tax_pct_e2=fee.tax_pct_e2,
            market_id=fee.market, place_kind=fee.kind, session_code=fee.session, valid_from=fee.valid_from,
            legal_basis=fee.legal_basis, source=fee.source, source_year=fee.year, confirmed=fee.confirmed,
        )  # fmt: skip
        dues.add_tariff(session, fee.operator, data, by=SYSTEM)
    # What the Perumda did in 2020, as the reports give it: shown in the list of decisions, before any charge of the demo.
    for kind, percent, weekdays in (("SEWA", 5_000, []), ("BOP", 10_000, [7])):
        relief = ReliefIn(
            percent_e2=percent, charge_type=kind, weekdays=weekdays, valid_from=date(2020, 4, 12), valid_until=date(2020, 5, 30),
            legal_basis="SK Direksi 135/2020", reason="Pandemi 2020",
        )  # fmt: skip
        dues.add_relief(session, PERUMDA, relief, by=SYSTEM)


def _settle(
    session: Session,
    city: City,
    random: Random,
    pairs: Iterator[tuple[str, str]],
    number: Iterator[int],
    today: date,
    days: int,
) -> None:
    places = [
        NewPlace(
            code=f"{block.name}-{n:02}", kind=PlaceKind(block.kind), block=block.name, number=n, floor=block.floor,
            area_cm2=block.area_cm2[n % len(block.area_cm2)], front_cm=block.front_cm, zone=block.zone,
        )
        for block in city.blocks
        for n in range(1, block.count + 1)
    ]  # fmt: skip
    place_ids = dict(
        zip((p.code for p in places), vendors.add_places(session, city.code, places, by=SYSTEM), strict=True)
    )
    people: list[NewVendor] = []
    lets = list(_lets(city, random, pairs, number, today, days, people))
    vendor_ids = vendors.add_vendors(session, city.operator, people, by=SYSTEM)
    rows = [
        NewPermit(
            place_id=place_ids[let.place], session_code=let.session_code, vendor_id=vendor_ids[let.vendor], valid_from=let.since,
            vendor_kind=VendorKind.MUSIMAN if let.seasonal else VendorKind.TERCATAT, goods=let.goods, billed_from=let.billed_from,
            legal_basis="Izin contoh",
        )
        for let in lets
    ]  # fmt: skip
    permit_ids = vendors.add_permits(session, city.code, rows, by=SYSTEM)
    cards = [(CodeKind.place, city.code, place_id) for place_id in place_ids.values()]
    cards += [(CodeKind.vendor, city.code, vendor_id) for vendor_id in vendor_ids]
    codes = dict(zip(cards, vendors.issue_codes(session, cards), strict=True))
    if city.code == "KRN":
        _mark_the_tour(session, lets, permit_ids, vendor_ids, codes)


def _lets(
    city: City,
    random: Random,
    pairs: Iterator[tuple[str, str]],
    number: Iterator[int],
    today: date,
    days: int,
    people: list[NewVendor],
) -> Iterator[Let]:
    """Who holds what. One vendor in eight holds two places side by side."""
    for block in city.blocks:
        for session_code in block.sessions:
            before: Let | None = None
            for n in range(1, block.count + 1):
                place = f"{block.name}-{n:02}"
                kept = city.code == "KRN" and place in (TOUR_PLACE, SOCIAL_PLACE)
                if not kept and random.random() > block.share:
                    before = None
                    continue
                old = random.random() < OLD_DEBTS and not kept
                since = today - timedelta(days=random.randint(days + LONGER + 20, 2_400))
                billed = today - timedelta(days=days + LONGER if old else days)
                if days == RECORD and city.code == REBUILT and random.random() < NEWCOMERS:
                    since = billed = today - timedelta(days=REBUILT_AGO - n % 10)
                if before is not None and not kept and random.random() < 0.12:
                    let = Let(
                        place,
                        block,
                        session_code,
                        before.vendor,
                        before.seasonal,
                        since,
                        before.billed_from,
                        before.goods,
                    )
                    before = None
                else:
                    goods = "senggol" if session_code == "malam" else random.choice(block.goods)
                    people.append(_vendor(city, place, goods, pairs, random, next(number)))
                    let = Let(
                        place,
                        block,
                        session_code,
                        len(people) - 1,
                        random.random() < block.seasonal,
                        since,
                        billed,
                        goods,
                    )
                    before = let if not kept else None
                yield let


def _vendor(city: City, place: str, goods: str, pairs: Iterator[tuple[str, str]], random: Random, n: int) -> NewVendor:
    if city.code == "KRN" and place == SOCIAL_PLACE:
        return NewVendor(name=SOCIAL_PARTNER, type=VendorType.INSTITUTION, goods="dupa, kaus, kerajinan")
    return NewVendor(
        name=trading_name(goods, next(pairs), random), goods=goods, nik=invented_nik(n), phone=invented_phone(n)
    )


def _mark_the_tour(
    session: Session,
    lets: list[Let],
    permit_ids: list[int],
    vendor_ids: list[int],
    codes: dict[tuple[CodeKind, str, int], str],
) -> None:
    """The card the tour pays with, its owner's log-in, and the social partner's relief."""
    at = {let.place: n for n, let in enumerate(lets) if let.session_code == "pagi"}
    tour = vendor_ids[lets[at[TOUR_PLACE]].vendor]
    installation.put(session, PAY_CODE, codes[CodeKind.vendor, "KRN", tour])
    auth.add_user(session, VENDOR_USER, name=VENDOR.name, password=PASSWORD, by=SYSTEM, vendor_id=tour)
    auth.grant(session, VENDOR_USER, Role.vendor, by=SYSTEM, operator_id=PERUMDA)
    social = lets[at[SOCIAL_PLACE]]
    relief = ReliefIn(
        percent_e2=10_000, market_id="KRN", permit_id=permit_ids[at[SOCIAL_PLACE]], valid_from=social.since,
        legal_basis=SOCIAL_DECISION, reason="Rumah Berdaya: lembaga, bukan perorangan",
    )  # fmt: skip
    dues.add_relief(session, PERUMDA, relief, by=SYSTEM)
