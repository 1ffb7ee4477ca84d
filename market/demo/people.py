"""Who signs in: the people of the tour, and in each market a collector, a market head and a surveyor of its own."""

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from market import clock
from market.auth import service as auth
from market.auth.access import SYSTEM, Principal, Role
from market.demo.city import MARKETS, PERUMDA
from market.tour import PASSWORD, PEOPLE, Person

SINCE = timedelta(days=400)  # the record of the rebuilt market is the longest
CITYWIDE = ("city_viewer", "admin")
NIGHT = Person("petugas-malam", "I Gede Contoh", "collector", "KRN")
ELSEWHERE = tuple(
    Person(f"{word}-{city.code.lower()}", f"{title} {city.name.removeprefix('Pasar ')}", role, city.code)
    for city in MARKETS
    if city.code != "KRN"
    for word, title, role in (
        ("petugas", "Petugas Contoh", "collector"),
        ("kepala", "Kepala Contoh", "market_head"),
        ("harga", "Pengamat Contoh", "surveyor"),
    )
)
TREASURERS = tuple(
    Person(
        f"bendahara-{city.code.lower()}", f"Bendahara Contoh {city.name.removeprefix('Pasar ')}", "treasurer", city.code
    )
    for city in MARKETS
    if city.operator != PERUMDA
)


@dataclass(frozen=True)
class Staff:
    """The people of one market as principals; the collectors by session."""

    collectors: dict[str, Principal]
    head: Principal
    treasurer: Principal
    surveyor: Principal


def hire(session: Session) -> None:
    """Make every account; an account that is there is left as it is."""
    for person in (*PEOPLE, NIGHT, *ELSEWHERE, *TREASURERS):
        auth.add_user(session, person.username, name=person.name, password=PASSWORD, by=SYSTEM)
        whole_operator = person.market_id is None and person.role not in CITYWIDE
        auth.grant(
            session, person.username, Role(person.role), by=SYSTEM, market_id=person.market_id,
            operator_id=PERUMDA if whole_operator else None, valid_from=clock.today() - SINCE,
        )  # fmt: skip


def staff(session: Session) -> dict[str, Staff]:
    """Each market's people."""
    found = {}
    for city in MARKETS:
        code = city.code.lower()
        own = "" if city.code == "KRN" else f"-{code}"
        collector = principal(session, f"petugas{own}")
        night = principal(session, NIGHT.username) if city.code == "KRN" else collector
        found[city.code] = Staff(
            {opening.code: night if opening.code == "malam" else collector for opening in city.sessions},
            principal(session, f"kepala{own}"),
            principal(session, "bendahara" if city.operator == PERUMDA else f"bendahara-{code}"),
            principal(session, f"harga{own}"),
        )
    return found


def principal(session: Session, username: str) -> Principal:
    """A sample person, to act as."""
    return auth.principal_for(session, auth.find_user(session, username))
