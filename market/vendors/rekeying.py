"""A new key for personal values: the file first, then every row under it. What was interrupted, the next run finishes.

Each person's own key is unwrapped and wrapped again, and the hashes by which a NIK or a phone number is found are made
anew. The values themselves are not touched, so chains that hash what is stored still verify. Old keys stay in the file
until no row needs them and someone says `--forget`.
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import bindparam, func, select, text, update
from sqlmodel import Session, SQLModel, col

from market.settings import get_settings
from market.vendors import personal
from market.vendors.models import Personal

# Other tables that seal a phone number as `personal` does (id, key_id, wrapped_key, sealed, phone_hash); their owners add them.
also: list[type[SQLModel]] = []


@dataclass(frozen=True)
class Rekeyed:
    """`rows` now under `current`; `left` that could not be (their vendor ids), still readable under their old key."""

    current: str
    rows: int
    left: list[int]


def waiting(session: Session) -> int:
    """Persons whose values are still wrapped by an earlier key."""
    count = select(func.count()).where(
        col(Personal.key_id) != personal.keys().current, col(Personal.wrapped_key).is_not(None)
    )
    return session.scalar(count) or 0


def add_key() -> str:
    """Put a new pair of keys in the file and make it the current one; answers its id."""
    path = get_settings().personal_keys_file
    personal.keys()  # makes the first file where there is none
    held = json.loads(path.read_text())
    new_id = f"k{max(int(k[1:]) for k in held['keys'] if k[1:].isdigit()) + 1}"
    held["keys"][new_id] = personal.fresh_pair()
    held["current"] = new_id
    _replace(path, held)
    return new_id


def catch_up(session: Session) -> Rekeyed:
    """Bring every row under the current key; a second run changes nothing. One transaction, writers wait."""
    held = personal.keys()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE personal IN SHARE ROW EXCLUSIVE MODE"))
    behind = session.execute(
        select(col(Personal.vendor_id), col(Personal.key_id), col(Personal.wrapped_key), col(Personal.sealed),
               col(Personal.operator_id))
        .where(col(Personal.key_id) != held.current, col(Personal.wrapped_key).is_not(None))
        .order_by(col(Personal.vendor_id))
    ).all()  # fmt: skip
    already = session.execute(
        select(col(Personal.operator_id), col(Personal.nik_hash)).where(
            col(Personal.key_id) == held.current, col(Personal.nik_hash).is_not(None)
        )
    )
    taken = {(operator_id, nik) for operator_id, nik in already}
    changes, left = [], []
    for vendor_id, key_id, wrapped, sealed, operator_id in behind:
        values = personal.unseal(wrapped, key_id, sealed)
        nik = personal.look_up("nik", values["nik"]) if values["nik"] else None
        if nik and (operator_id, nik) in taken:  # the same person was entered while the key changed
            left.append(vendor_id)
            continue
        taken.add((operator_id, nik))
        own = personal.decrypt(held.wrap[key_id], wrapped)
        changes.append(
            {
                "who": vendor_id,
                "new_wrapped": personal.encrypt(held.wrap[held.current], own),
                "new_key": held.current,
                "new_nik": nik,
                "new_phone": personal.look_up("phone", values["phone"]) if values["phone"] else None,
            }
        )
    if changes:
        session.connection().execute(_CHANGE, changes)
    others = sum(_rewrap(session, model, held) for model in also)
    session.expire_all()
    return Rekeyed(held.current, len(changes) + others, left)


def _rewrap(session: Session, model: type[SQLModel], held: personal.Keys) -> int:
    table = model.__table__  # type: ignore[attr-defined]
    behind = session.execute(
        select(table.c.id, table.c.key_id, table.c.wrapped_key, table.c.sealed).where(table.c.key_id != held.current)
    ).all()
    for number, key_id, wrapped, sealed in behind:
        phone = personal.unseal(wrapped, key_id, sealed)["phone"] or ""
        own = personal.decrypt(held.wrap[key_id], wrapped)
        values = {"wrapped_key": personal.encrypt(held.wrap[held.current], own), "key_id": held.current,
                  "phone_hash": personal.look_up("phone", phone)}  # fmt: skip
        session.execute(update(table).where(table.c.id == number).values(values))
    return len(behind)


_CHANGE = (
    update(Personal.__table__)  # type: ignore[attr-defined]
    .where(Personal.__table__.c.vendor_id == bindparam("who"))  # type: ignore[attr-defined]
    .values(
        wrapped_key=bindparam("new_wrapped"),
        key_id=bindparam("new_key"),
        nik_hash=bindparam("new_nik"),
        phone_hash=bindparam("new_phone"),
    )
)


def forget_old(session: Session) -> list[str]:
    """Take keys out of the file that no row needs; answers their ids. Erased persons need none."""
    path, held = get_settings().personal_keys_file, personal.keys()
    needed = set(session.scalars(select(col(Personal.key_id)).where(col(Personal.wrapped_key).is_not(None)).distinct()))
    for model in also:
        needed |= set(session.scalars(select(model.__table__.c.key_id).distinct()))  # type: ignore[attr-defined]
    dropped = sorted(set(held.wrap) - needed - {held.current})
    if dropped:
        kept = json.loads(path.read_text())
        for each in dropped:
            del kept["keys"][each]
        _replace(path, kept)
    return dropped


def _replace(path: Path, held: dict[str, object]) -> None:
    new = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(held, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
