"""Deputies (Plh): an officer's role lent to a colleague for dated days, named and audited. It gives no more than the officer has."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from market import audit, clock
from market.auth import service
from market.auth.models import Role, RoleGrant, UserAccount
from market.auth.principal import Principal
from market.errors import Conflict, Invalid, NotFound
from market.words import N_, say

LONGEST = timedelta(days=366)


class NoSuchGrant(NotFound):
    message = N_("Peran ini tidak berlaku lagi.")


class BadDeputy(Invalid):
    message = N_("Plh belum bisa dicatat.")


class OwnRole(Conflict):
    message = N_("Peran admin Anda sendiri hanya dapat dicabut admin lain.")


@dataclass(frozen=True)
class Held:
    """One role of a person, now or to come. `last_day` is inclusive; `whose` is the officer a deputy stands in for."""

    id: int
    user_id: int
    name: str
    role: Role
    market_id: str | None
    operator_id: str | None
    valid_from: date
    last_day: date | None
    whose: str
    whose_id: int | None


def administers(by: Principal, market_id: str | None, operator_id: str | None) -> bool:
    """Whether `by` may give and take roles there; the whole city's belong to the city's admin."""
    if market_id is None and operator_id is None:
        return by.market_ids(Role.admin) is None
    return by.has(Role.admin, market_id=market_id, operator_id=operator_id)


def appoint(
    session: Session, deputy: UserAccount, grant_id: int, *, first_day: date, last_day: date, by: Principal
) -> RoleGrant:
    """Lend the role of a grant to `deputy` for `[first_day, last_day]`. Raises NoSuchGrant, BadDeputy."""
    lent = find(session, grant_id)
    if not administers(by, lent.market_id, lent.operator_id):
        raise NoSuchGrant
    today = clock.today()
    if lent.deputy_for is not None:
        raise BadDeputy(fields={"grant": say(N_("Seorang Plh tidak dapat menunjuk Plh lagi."))})
    if lent.user_id == deputy.id:
        raise BadDeputy(fields={"grant": say(N_("Pilih peran orang lain."))})
    if first_day < today:
        raise BadDeputy(fields={"valid_from": say(N_("Plh tidak dapat berlaku mundur."))})
    if last_day < first_day or last_day - first_day > LONGEST:
        raise BadDeputy(fields={"valid_until": say(N_("Hari terakhir sesudah hari pertama, paling lama setahun."))})
    if lent.valid_until is not None and last_day >= lent.valid_until:
        raise BadDeputy(fields={"valid_until": say(N_("Peran yang diwakili sudah berakhir lebih dulu."))})
    return service.grant(
        session, deputy.username, Role(lent.role), by=by, operator_id=lent.operator_id, market_id=lent.market_id,
        valid_from=first_day, valid_until=last_day + timedelta(days=1), deputy_for=lent.user_id,
    )  # fmt: skip


def find(session: Session, grant_id: int) -> RoleGrant:
    """A role that holds or will hold. Raises NoSuchGrant."""
    row = session.get(RoleGrant, grant_id) if 0 <= grant_id < 2**63 else None
    over = row is None or row.revoked_at is not None or (row.valid_until and row.valid_until <= clock.today())
    if row is None or over:
        raise NoSuchGrant
    return row


def take_away(session: Session, grant_id: int, *, by: Principal) -> RoleGrant:
    """End a role at once, and what its holder lent of it. Raises NoSuchGrant, OwnRole."""
    row = find(session, grant_id)
    if not administers(by, row.market_id, row.operator_id):
        raise NoSuchGrant
    if row.user_id == by.user_id and row.role == Role.admin:
        raise OwnRole
    moment = clock.now()
    row.revoked_at = moment
    if row.deputy_for is None:
        session.execute(
            update(RoleGrant)
            .where(
                col(RoleGrant.deputy_for) == row.user_id, col(RoleGrant.role) == row.role,
                col(RoleGrant.market_id).is_not_distinct_from(row.market_id),
                col(RoleGrant.operator_id).is_not_distinct_from(row.operator_id), col(RoleGrant.revoked_at).is_(None),
            )
            .values(revoked_at=moment)
        )  # fmt: skip
    session.flush()
    before = {"role": str(row.role), "operator": row.operator_id, "market": row.market_id, "deputy_for": row.deputy_for}
    audit.record(session, by, "role.end", "user", str(row.user_id), market_id=row.market_id, before=before)
    return row


def held(session: Session, *, user_id: int | None = None, deputy_of: int | None = None) -> list[Held]:
    """Roles that hold today or begin later, of one person or of everyone; `deputy_of`: those lent from this officer."""
    whose = aliased(UserAccount)
    day = clock.today()
    query = (
        select(RoleGrant, col(UserAccount.name), col(whose.name))
        .join(UserAccount, col(UserAccount.id) == col(RoleGrant.user_id))
        .outerjoin(whose, col(whose.id) == col(RoleGrant.deputy_for))
        .where(
            col(RoleGrant.revoked_at).is_(None),
            col(RoleGrant.valid_until).is_(None) | (col(RoleGrant.valid_until) > day),
        )
        .order_by(col(RoleGrant.deputy_for).is_not(None), col(RoleGrant.role), col(RoleGrant.id))
    )
    if user_id is not None:
        query = query.where(col(RoleGrant.user_id) == user_id)
    if deputy_of is not None:
        query = query.where(col(RoleGrant.deputy_for) == deputy_of)
    return [
        Held(
            g.id or 0, g.user_id, name, Role(g.role), g.market_id, g.operator_id, g.valid_from,
            g.valid_until - timedelta(days=1) if g.valid_until else None, other or "", g.deputy_for,
        )
        for g, name, other in session.execute(query)
    ]  # fmt: skip
