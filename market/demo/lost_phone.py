"""A collector's phone that was lost with unsent slips, a ticket book with a torn leaf, and a deputy: for the visitor to see."""

import json
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from sqlmodel import Session

from market import clock, installation, tour
from market.auth import service as auth
from market.auth.access import SYSTEM, Principal, Role
from market.collection import devices, sync, tickets
from market.collection.signing import Jwk, b64, digest
from market.demo.mishaps import MARKET
from market.dues import service as dues
from market.tour import DEPUTY, PASSWORD
from market.vendors import service as vendors


def lost_phone(session: Session, *, collector: Principal, head: Principal, now: datetime) -> None:
    """Enrolled two days ago, revoked yesterday; two of its three slips turn up from the vendors' proofs and wait for the head."""
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()
    jwk = Jwk(kty="EC", crv="P-256", x=b64(point.x.to_bytes(32, "big")), y=b64(point.y.to_bytes(32, "big")))
    with clock.freeze(now - timedelta(days=2)):
        code = devices.issue_code(session, MARKET, collector.user_id or 0, by=head)
        phone = devices.enrol(session, code, jwk, name="HP pasar 1 (contoh)", by=collector)
    taken = now - timedelta(hours=26)
    day = clock.local(taken).date()
    stops = [s for s in vendors.route(session, MARKET, "pagi", day) if s.permit_id]
    owed = {line.key.permit_id: line.remaining for line in dues.unpaid(session, MARKET, until=day)}
    previous, slips = "", []
    for number, stop in enumerate([s for s in stops if s.permit_id in owed][:3], 1):
        said = {
            "v": 1, "device": phone.code, "number": number, "market": MARKET, "session": "pagi", "day": day.isoformat(),
            "permit": stop.permit_id, "place": stop.code, "amount": owed[stop.permit_id or 0], "scope": "all",
            "issued_at": (taken + timedelta(minutes=number)).isoformat(), "prev": previous,
        }  # fmt: skip
        body = json.dumps(said, separators=(",", ":"))
        r, s = decode_dss_signature(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
        slips.append(sync.Envelope(body, b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))))
        previous = digest(body)
    with clock.freeze(now - timedelta(hours=25)):
        devices.revoke(session, phone.code, reason="Hilang di angkutan, dilaporkan petugas (contoh)", by=head)
    with clock.freeze(now - timedelta(hours=2)):
        sync.receive(session, phone.code, [slips[n] for n in (0, 2) if n < len(slips)], by=head)
    installation.put(session, tour.PHONE, phone.code)


def ticket_book(session: Session, *, collector: Principal, clerk: Principal, head: Principal, now: datetime) -> None:
    """A book of a hundred at Rp 2.000 for stalls without a card; one leaf is torn and says so."""
    with clock.freeze(now - timedelta(days=5)):
        tickets.receive(session, MARKET, tickets.Range("A", 1, 500), nominal=2_000, by=clerk)
        tickets.issue(session, MARKET, tickets.Range("A", 1, 100), collector_id=collector.user_id or 0, by=clerk)
    with clock.freeze(now - timedelta(days=4)):
        tickets.spoil(session, MARKET, tickets.Range("A", 47, 47), reason="Sobek kena hujan (contoh)", by=head)


def deputy(session: Session, *, head: Principal, now: datetime) -> None:
    """Somebody acts for the head this week, by name and until a day."""
    today = clock.local(now).date()
    auth.add_user(session, DEPUTY.username, name=DEPUTY.name, password=PASSWORD, by=SYSTEM)
    auth.grant(
        session, DEPUTY.username, Role.market_head, by=SYSTEM, market_id=MARKET, valid_from=today,
        valid_until=today + timedelta(days=5), deputy_for=head.user_id,
    )  # fmt: skip
