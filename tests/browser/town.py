"""Four small markets on a server of this process, with its sample bank: one market for each way of using a browser.

Each has five kiosks that owe three days, prices of yesterday, cash of yesterday that is in the bank, cash of today that
the head has counted, and its people. So journeys need nothing of each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from market import clock, installation, tour
from market.app import create_app
from market.auth import login_codes
from market.auth import service as auth
from market.auth.access import SYSTEM, Principal, Role
from market.collection import service as collection
from market.collection.rounds import ALL, SlipIn
from market.database import session_scope
from market.dues import service as dues
from market.pricing import service as pricing
from market.sandbox.credentials import prepare
from market.sandbox.server import create_app as create_sandbox
from market.settings import get_settings
from market.vendors import service as vendors
from market.vendors.models import CodeKind, FeeRegime, PlaceKind, Vendor
from market.vendors.permits import NewPermit
from market.vendors.registry import NewPlace, NewVendor
from tests.conftest import PASSWORD
from tests.dues import city
from tests.sandbox.running import served

FEE, DAYS = 7_500, 3
MARKETS = {"KRN": "Pasar Kereneng", "BDG": "Pasar Badung", "STR": "Pasar Satria", "SND": "Pasar Sindu"}
CHILI = {"KRN": 36_000, "BDG": 41_000, "STR": 38_500, "SND": 44_000}  # yesterday; Kereneng is the cheapest
AT_MARKET = (Role.collector, Role.clerk, Role.surveyor, Role.market_head)
EVERYWHERE = (Role.treasurer, Role.auditor, Role.director, Role.city_viewer, Role.admin)
ACCOUNT = "BPD"


@dataclass
class Town:
    """Where it answers, and per market: a card's code, a vendor's log-in code and number, yesterday's receipt, today's cash."""

    base: str
    bank: str
    engine: Engine
    cards: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    applicants: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)
    deposits: dict[str, str] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, username: str) -> str:
        """A session of this person's, opened once: signing in by the form has journeys of its own."""
        if username not in self.tokens:
            with session_scope(self.engine) as session:
                self.tokens[username] = auth.open_session(session, auth.find_user(session, username))
        return self.tokens[username]


@contextmanager
def running(engine: Engine, folder: Path) -> Iterator[Town]:
    """Fill the database, serve it and its bank on loopback; settings are put back at the end."""
    with pytest.MonkeyPatch.context() as patch:
        with served(create_app(engine=engine)) as base, served(create_sandbox(base, folder, (0.1, 0.2))) as bank:
            given = prepare(folder).environment(bank) | {"MARKET_BASE_URL": base}
            for name, value in given.items():
                patch.setenv(name, value)
            get_settings.cache_clear()
        town = Town(base, bank, engine)
        with session_scope(engine) as session:
            fill(session, town)
        # The settings say what pages may lead to, so the servers start anew once they are known.
        with (
            served(create_app(engine=engine), port=int(base.rsplit(":", 1)[1])),
            served(create_sandbox(base, folder, (0.1, 0.2)), port=int(bank.rsplit(":", 1)[1])),
        ):
            yield town
    get_settings.cache_clear()


def fill(session: Session, town: Town) -> None:
    """All of it through services; what the tour needs too."""
    vendors.add_operator(session, "PERUMDA", name="Perumda Contoh", by=SYSTEM)
    for code, name in MARKETS.items():
        vendors.add_market(
            session, code, operator_id="PERUMDA", name=name, fee_regime=FeeRegime.PERUMDA,
            sessions=[("pagi", "Pagi", time(6), time(15))], by=SYSTEM,
        )  # fmt: skip
    city.tariff(session, str(FEE))
    today = vendors.business_day(session, "KRN", "pagi")
    people = {code: staff(session, code, today) for code in MARKETS}
    everywhere = {r: person(session, f"{r}-umum", r, today, operator_id="PERUMDA") for r in EVERYWHERE}
    for code in MARKETS:
        kiosks = [NewPlace(f"B-{n}", PlaceKind.KIOS, "B", n) for n in range(1, 7)]
        places = vendors.add_places(session, code, kiosks, by=SYSTEM)
        sellers = vendors.add_vendors(
            session, "PERUMDA", [NewVendor(f"Warung {code} {n}") for n in range(1, 6)], by=SYSTEM
        )
        since = today - timedelta(days=DAYS - 1)
        held = [
            NewPermit(place, "pagi", seller, since, goods="sayur")
            for place, seller in zip(places, sellers, strict=False)
        ]
        vendors.add_permits(session, code, held, by=SYSTEM)
    with clock.freeze(clock.now() - timedelta(days=1)):
        dues.accrue(session)
        for code in MARKETS:
            to_the_bank(session, town, code, people[code], everywhere[Role.treasurer])
    dues.accrue(session)
    for code in MARKETS:
        round_of(session, town, code, people[code], permit=2, number=2)
        cards(session, town, code)
    prices(session)
    sample_city(session, town)


def staff(session: Session, code: str, today: date) -> dict[Role, Principal]:
    return {role: person(session, f"{role}-{code.lower()}", role, today, market_id=code) for role in AT_MARKET}


def person(
    session: Session,
    username: str,
    role: Role,
    today: date,
    *,
    market_id: str | None = None,
    operator_id: str | None = None,
) -> Principal:
    user = auth.add_user(session, username, name=username.title(), password=None, by=SYSTEM)
    since = today - timedelta(days=9)
    auth.grant(session, username, role, by=SYSTEM, market_id=market_id, operator_id=operator_id, valid_from=since)
    return auth.principal_for(session, user)


def round_of(
    session: Session, town: Town, code: str, people: dict[Role, Principal], *, permit: int, number: int
) -> int:
    """A round of one slip, handed over and counted by the head; the hand-over's number."""
    by = people[Role.collector]
    owed = sum(line.remaining for line in dues.unpaid(session, code, permit_id=permit))
    walk = collection.open_round(session, code, "pagi", by=by)
    taken = collection.collect(session, code, walk.id, SlipIn("D07", number, permit, owed, ALL), by=by)
    handed = collection.hand_over(session, code, walk.id, counted=owed, by=by)
    collection.verify(session, code, handed.id, received=owed, by=people[Role.market_head])
    town.counted[code] = owed
    town.receipts.setdefault(code, str(taken.receipt_number))
    return handed.id


def to_the_bank(session: Session, town: Town, code: str, people: dict[Role, Principal], treasurer: Principal) -> None:
    """Cash of yesterday, deposited and on the bank's statement."""
    handed = round_of(session, town, code, people, permit=1, number=1)
    town.deposits[code] = f"STS-{code}-1"
    collection.deposit(
        session, code, [handed], amount=town.counted[code], account=ACCOUNT, reference=town.deposits[code], by=treasurer
    )
    collection.record_line(
        session, "PERUMDA", account=ACCOUNT, booked_on=clock.today(), amount=town.counted[code],
        reference=town.deposits[code], by=treasurer,
    )  # fmt: skip
    assert collection.match_all(session, "PERUMDA", by=treasurer) == 1


def cards(session: Session, town: Town, code: str) -> None:
    """The printed card of the third kiosk's vendor, a log-in code of the fourth's, the number of the fifth's."""
    holders = {n: vendors.find_permit(session, code, n).vendor_id for n in (3, 4, 5)}
    town.cards[code] = vendors.issue_code(session, kind=CodeKind.vendor, market_id=code, ref=holders[3])
    town.codes[code] = login_codes.issue(session, holders[4], life=login_codes.PRINTED, by=SYSTEM)
    town.applicants[code] = session.get_one(Vendor, holders[5]).number


def prices(session: Session) -> None:
    pricing.seed(session, list(MARKETS.items()))
    moment, yesterday = clock.now() - timedelta(days=1), clock.today() - timedelta(days=1)
    for code, chili in CHILI.items():
        seen = [("cabai-rawit-merah", chili), ("beras-medium", 13_400)]
        quotes = [pricing.DayQuotes(item, yesterday, (price - 500, price, price + 500)) for item, price in seen]
        pricing.publish_days(session, code, quotes, by=SYSTEM, at={yesterday: moment})


def sample_city(session: Session, town: Town) -> None:
    """What the tour looks for: its people, the card, and the word that this is sample data."""
    installation.put(session, installation.SAMPLE_DATA, "yes")
    installation.put(session, tour.PAY_CODE, town.cards["KRN"])
    today = clock.today()
    for p in tour.PEOPLE:
        auth.add_user(session, p.username, name=p.name, password=PASSWORD if p.username == "loket" else None, by=SYSTEM)
        whole = None if p.market_id else "PERUMDA"
        auth.grant(
            session, p.username, Role(p.role), by=SYSTEM, market_id=p.market_id, operator_id=whole, valid_from=today
        )
    auth.add_user(
        session, tour.VENDOR.username, name=tour.VENDOR.name, password=None, by=SYSTEM,
        vendor_id=vendors.find_permit(session, "KRN", 3).vendor_id,
    )  # fmt: skip
