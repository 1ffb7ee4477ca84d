"""Pay codes: what the QR on a place, a vendor's card or a bill opens. Random, hashed, revocable.

80 random bits in Crockford's base32, written `K7PM-4Q7X-9T2B-C0DE`. The hash finds the row; a copy sealed with the
house's key lets the office print a sheet again. Reissuing kills the old code and keeps everything else.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from market import audit, clock
from market.auth.access import SYSTEM, Principal
from market.settings import get_settings
from market.vendors.models import CodeKind, PayCode
from market.vendors.personal import decrypt, encrypt

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16
_CONFUSED = str.maketrans({"O": "0", "I": "1", "L": "1"})


def issue_code(
    session: Session, *, kind: CodeKind | str, market_id: str, ref: int, by: Principal = SYSTEM, replace: bool = True
) -> str:
    """Make a code and return it in clear. `replace` revokes earlier ones of the same thing: a lost card dies."""
    if replace:
        revoke_codes(session, kind=kind, market_id=market_id, ref=ref, by=by)
    return issue_codes(session, [(CodeKind(kind), market_id, ref)])[0]


def issue_codes(session: Session, wanted: Iterable[tuple[CodeKind, str, int]]) -> list[str]:
    """Codes for many things at once, one statement; answers in the order asked."""
    moment = clock.now()
    codes: list[str] = []
    rows = []
    for kind, market_id, ref in wanted:
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        codes.append(grouped(code))
        rows.append(
            {
                "code_hash": hash_of(code),
                "kind": str(kind),
                "market_id": market_id,
                "ref": ref,
                "sealed": encrypt(_sealing_key(), code.encode()),
                "issued_at": moment,
            }
        )
    if rows:
        session.execute(insert(PayCode), rows)
    return codes


def resolve_code(session: Session, code: str) -> PayCode | None:
    """The live code as a person or a scanner gave it: with or without dashes, in either case, O for 0."""
    cleaned = normalise(code)
    if len(cleaned) != LENGTH or any(c not in ALPHABET for c in cleaned):
        return None
    row = session.get(PayCode, hash_of(cleaned))
    return row if row is not None and row.revoked_at is None else None


def replaced_at(session: Session, code: str) -> datetime | None:
    """When this code died because another was issued; None for one that lives or never was."""
    row = session.get(PayCode, hash_of(normalise(code)))
    return row.revoked_at if row is not None else None


def replaced_cards(session: Session, market_ids: Iterable[str], vendor_id: int) -> list[tuple[str, datetime]]:
    """A vendor's dead cards: (market, when it died), the latest first."""
    rows = session.execute(
        select(col(PayCode.market_id), col(PayCode.revoked_at))
        .where(
            col(PayCode.kind) == str(CodeKind.vendor),
            col(PayCode.market_id).in_(list(market_ids)),
            col(PayCode.ref) == vendor_id,
            col(PayCode.revoked_at).is_not(None),
        )
        .order_by(col(PayCode.revoked_at).desc())
        .limit(20)
    )
    return [(market_id, dead) for market_id, dead in rows]


def revoke_codes(session: Session, *, kind: CodeKind | str, market_id: str, ref: int, by: Principal = SYSTEM) -> int:
    """End every live code of a thing; returns how many."""
    done = session.execute(
        update(PayCode)
        .where(
            col(PayCode.kind) == str(kind),
            col(PayCode.market_id) == market_id,
            col(PayCode.ref) == ref,
            col(PayCode.revoked_at).is_(None),
        )
        .values(revoked_at=clock.now())
    )
    count: int = done.rowcount  # type: ignore[attr-defined]
    if count:
        audit.record(session, by, "code.revoke", str(kind), str(ref), market_id=market_id)
    return count


def current_codes(session: Session, kind: CodeKind, market_id: str, refs: Iterable[int]) -> dict[int, str]:
    """Live codes in clear by ref, for printing cards; a thing without one is missing."""
    rows = session.execute(
        select(col(PayCode.ref), col(PayCode.sealed)).where(
            col(PayCode.kind) == str(kind),
            col(PayCode.market_id) == market_id,
            col(PayCode.ref).in_(list(refs)),
            col(PayCode.revoked_at).is_(None),
        )
    )
    return {ref: grouped(decrypt(_sealing_key(), sealed).decode()) for ref, sealed in rows}


def normalise(code: str) -> str:
    """Upper case, without spaces and dashes, look-alikes mended."""
    return code.upper().replace("-", "").replace(" ", "").translate(_CONFUSED)


def grouped(code: str) -> str:
    """`K7PM4Q7X9T2BC0DE` → `K7PM-4Q7X-9T2B-C0DE`."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))


def hash_of(code: str) -> str:
    """What is kept of a code: 80 random bits need no slow hash, but a key so that a stolen table is not enough."""
    secret = get_settings().secret_key.get_secret_value().encode()
    return hmac.new(secret, code.encode(), hashlib.sha256).hexdigest()


def _sealing_key() -> bytes:
    return hashlib.sha256(b"pay-code:" + get_settings().secret_key.get_secret_value().encode()).digest()
