"""Word of a price for people without an account: asked by phone number, confirmed by a code sent there, stopped by a link.

Codes and links are made from the house's secret when they are needed, so neither they nor the number stand anywhere in
clear. Whoever holds a link got it on that phone: it shows and stops every word going there.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlmodel import Session, col

from market import clock
from market.errors import Invalid, NotFound, TooMany
from market.jobs.delivery import addressee, template
from market.jobs.service import send
from market.pricing import catalogue
from market.pricing.alerts import DEAREST, MOST, BadAlert, TooManyAlerts, crossed, worded
from market.pricing.models import PriceFollower
from market.settings import get_settings
from market.vendors import personal, rekeying
from market.vendors.cells import Unreadable
from market.vendors.cells import phone as read_phone
from market.web.i18n import gettext
from market.words import N_, say

LIFE = timedelta(minutes=15)  # of a code
KEPT = timedelta(days=1)  # an unconfirmed wish, so that its limits count
MOST_TRIES = 5
MOST_CODES = 3  # unconfirmed wishes for one number a day: nobody fills a stranger's phone
MOST_ASKED = 10  # from one address a day
rekeying.also.append(PriceFollower)


class BadPhone(Invalid):
    message = N_("Nomor HP belum benar.")


class TooManyCodes(TooMany):
    message = N_("Terlalu banyak kode diminta hari ini. Coba lagi besok.")


class CodeWrong(Invalid):
    message = N_("Kode ini tidak cocok atau sudah lewat. Minta kode baru.")


def ask(
    session: Session, market: str, commodity: str, *, price: int, rising: bool, phone: str, address: str
) -> PriceFollower:
    """Keep the wish and send a code to the phone; nothing else happens until it comes back.

    Raises BadAlert, BadPhone, UnknownArea, UnknownCommodity, TooManyAlerts, TooManyCodes.
    """
    if not 0 < price <= DEAREST:
        raise BadAlert(fields={"price": say(BadAlert.message)})
    area, item = catalogue.get_market(session, market), catalogue.get_commodity(session, commodity)
    try:
        number = read_phone(phone)
    except Unreadable:
        number = None
    if number is None:
        raise BadPhone(fields={"phone": say(BadPhone.message)})
    moment = clock.now()
    session.execute(
        delete(PriceFollower).where(
            col(PriceFollower.confirmed_at).is_(None), col(PriceFollower.created_at) < moment - KEPT
        )
    )
    sealed = personal.seal(None, number)
    origin = _keyed(f"asked from|{address}")  # a plain hash of an address is undone by trying them all
    assert sealed.phone_hash is not None
    waiting, held, asked = session.execute(
        select(
            func.count().filter(col(PriceFollower.phone_hash) == sealed.phone_hash, col(PriceFollower.confirmed_at).is_(None)),
            func.count().filter(col(PriceFollower.phone_hash) == sealed.phone_hash, col(PriceFollower.confirmed_at).is_not(None)),
            func.count().filter(col(PriceFollower.asked_from) == origin, col(PriceFollower.created_at) > moment - KEPT),
        )
    ).one()  # fmt: skip
    if waiting >= MOST_CODES or asked >= MOST_ASKED:
        raise TooManyCodes
    if held >= MOST:
        raise TooManyAlerts(most=MOST, fields={"price": say(TooManyAlerts.message, most=MOST)})
    row = PriceFollower(
        market_id=area.id, commodity_id=item.id, rising=rising, price=price, wrapped_key=sealed.wrapped_key,
        key_id=sealed.key_id, sealed=sealed.sealed, phone_hash=sealed.phone_hash, asked_from=origin,
        nonce=secrets.token_hex(16), created_at=moment,
    )  # fmt: skip
    session.add(row)
    session.flush()
    send(session, f"follower:{row.id}", "price_follow_code", {}, key=f"follow:{row.id}")
    return row


def reference(row: PriceFollower, purpose: str) -> str:
    """`12-3f9c…`: the row and a proof that we named it, for one purpose."""
    return f"{row.id}-{_mac(row, purpose)[:24]}"


def by_reference(session: Session, ref: str, purpose: str) -> PriceFollower:
    """The row a reference names. Raises NotFound for every other text, also for one of another purpose."""
    match = re.fullmatch(r"([0-9]{1,15})-([0-9a-f]{24})", ref)
    row = session.get(PriceFollower, int(match[1])) if match else None
    if row is None or match is None or not hmac.compare_digest(reference(row, purpose), ref):
        raise NotFound
    return row


def confirm(session: Session, row: PriceFollower, code: str) -> bool:
    """Whether this is the code that was sent; a wrong one counts, and that must be kept: nothing is raised.

    The same wish confirmed before takes the new figure.
    """
    # Guesses side by side come one after the other, each counted. A row that went meanwhile raises NotFound.
    taken = select(PriceFollower).where(col(PriceFollower.id) == row.id).with_for_update()
    if session.scalars(taken.execution_options(populate_existing=True)).first() is None:
        raise NotFound
    if row.confirmed_at is not None:
        return True
    digits = "".join(c for c in code if c in "0123456789")
    row.tries += 1
    session.flush()
    if row.tries > MOST_TRIES or clock.now() > row.created_at + LIFE:
        return False
    if not hmac.compare_digest(_code(row), digits):
        return False
    session.execute(
        delete(PriceFollower).where(
            col(PriceFollower.phone_hash) == row.phone_hash, col(PriceFollower.market_id) == row.market_id,
            col(PriceFollower.commodity_id) == row.commodity_id, col(PriceFollower.confirmed_at).is_not(None),
        )
    )  # fmt: skip
    row.confirmed_at = clock.now()
    session.flush()
    return True


@dataclass(frozen=True)
class Followed:
    """One word that goes to a phone."""

    id: int
    market: str
    commodity_id: str
    name: str
    name_en: str
    rising: bool
    price: int


_OF_PHONE = text(
    "SELECT f.id, a.name, f.commodity_id, c.name, c.name_en, f.rising, f.price FROM price_follower f "
    "JOIN commodity c ON c.id = f.commodity_id JOIN area a ON a.id = f.market_id "
    "WHERE f.phone_hash = :phone AND f.confirmed_at IS NOT NULL ORDER BY a.sort, c.sort"
)


def followed(session: Session, row: PriceFollower) -> list[Followed]:
    """Everything that goes to the same phone."""
    rows = session.execute(_OF_PHONE, {"phone": row.phone_hash})
    return [Followed(r[0], r[1], r[2], r[3], r[4], bool(r[5]), r[6]) for r in rows]


def stop(session: Session, row: PriceFollower, wish: int | None) -> PriceFollower | None:
    """End one word (its id) or all to this phone: rows and number are gone. Returns one that is left, to go on from."""
    phone = col(PriceFollower.phone_hash) == row.phone_hash
    gone = delete(PriceFollower).where(phone)
    session.execute(gone if wish is None else gone.where(col(PriceFollower.id) == wish))
    session.expire_all()
    return session.scalars(
        select(PriceFollower).where(phone, col(PriceFollower.confirmed_at).is_not(None)).limit(1)
    ).first()


def announce(session: Session, market_id: str, day: date) -> int:
    """After a publication, in its transaction: one message per figure crossed that day."""
    rows = crossed(session, market_id, day, "price_follower", "id", "AND a.confirmed_at IS NOT NULL")
    for number, commodity_id, args in rows:
        key = f"price:f{number}:{market_id}:{commodity_id}:{day.isoformat()}"
        send(session, f"follower:{number}", "price_crossed_follower", args, key=key)
    return len(rows)


@addressee("follower")
def _address(session: Session, number: int) -> str | None:
    row = session.get(PriceFollower, number)
    return personal.unseal(row.wrapped_key, row.key_id, row.sealed)["phone"] if row else None


@template("price_follow_code")
def _code_worded(session: Session, number: int, _args: dict[str, Any]) -> str | None:
    row = session.get(PriceFollower, number)
    if row is None or row.confirmed_at is not None or clock.now() > row.created_at + LIFE:
        return None
    said = gettext("Kode kabar harga: %(code)s. Berlaku 15 menit. Kalau bukan Anda yang meminta, abaikan saja.")
    return said % {"code": _code(row)}


@template("price_crossed_follower")
def _worded(session: Session, number: int, args: dict[str, Any]) -> str | None:
    row = session.get(PriceFollower, number)
    said = worded(session, args) if row else None
    if row is None or said is None:
        return None
    link = f"{get_settings().base_url}/alerts/{reference(row, 'stop')}"
    return said + " " + gettext("Berhenti: %(link)s") % {"link": link}


def last_digits(row: PriceFollower) -> str:
    """The end of the number, so that its owner sees a slip of the finger."""
    return (personal.unseal(row.wrapped_key, row.key_id, row.sealed)["phone"] or "")[-3:]


def _code(row: PriceFollower) -> str:
    return f"{int(_mac(row, 'code'), 16) % 1_000_000:06}"


def _mac(row: PriceFollower, purpose: str) -> str:
    return _keyed(f"{purpose}|{row.id}|{row.nonce}")


def _keyed(text: str) -> str:
    secret = get_settings().secret_key.get_secret_value().encode()
    return hmac.new(secret, f"price-follower|{text}".encode(), sha256).hexdigest()
