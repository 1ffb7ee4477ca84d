"""Who is asking, and what they may do where."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from sqlalchemy import bindparam, text
from sqlmodel import Session

from market.auth.models import Role
from market.errors import Forbidden, NotFound


@dataclass(frozen=True)
class Grant:
    """A role at an operator, at a market, or everywhere when both are None; `deputy_for` names whose it is on loan."""

    role: Role
    operator_id: str | None = None
    market_id: str | None = None
    deputy_for: str = ""


@dataclass(frozen=True)
class Principal:
    """A person, a program or the system. `user_id` is None for strangers and for the system itself.

    `_lent` collects for whom this person stood in when a check of this request passed only by a deputy's role, so that
    the act's signature names both.
    """

    user_id: int | None
    name: str
    grants: frozenset[Grant] = frozenset()
    vendor_id: int | None = None
    is_system: bool = False
    _lent: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def nobody(cls) -> Self:
        """A stranger."""
        return cls(None, "")

    @classmethod
    def of(
        cls, session: Session, user_id: int, name: str, grants: Iterable[Grant], *, vendor_id: int | None = None
    ) -> Self:
        """Spell out an operator's grants market by market, so that a check needs only the market."""
        grants = set(grants)
        operators = {g.operator_id for g in grants if g.operator_id}
        if operators:
            query = text("SELECT id, operator_id FROM market WHERE operator_id IN :operators")
            markets = session.execute(
                query.bindparams(bindparam("operators", expanding=True)), {"operators": list(operators)}
            ).all()
            grants |= {
                replace(g, operator_id=None, market_id=m)
                for g in grants
                if g.operator_id
                for m, o in markets
                if o == g.operator_id
            }
        return cls(user_id, name, frozenset(grants), vendor_id)

    @property
    def signed_in(self) -> bool:
        return self.user_id is not None

    @property
    def signature(self) -> str:
        """The name an act is written down under, at most 120 letters: a deputy's names also whose role it was."""
        if not self._lent:
            return self.name
        return f"{self.name[:54]} (Plh {', '.join(sorted(self._lent))[:54]})"

    @property
    def deputy(self) -> bool:
        """Whether a role is held today in somebody's place."""
        return any(g.deputy_for for g in self.grants)

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(g.role for g in self.grants)

    @property
    def is_officer(self) -> bool:
        return bool(self.roles - {Role.vendor})

    def has(self, *roles: Role, market_id: str | None = None, operator_id: str | None = None) -> bool:
        """Whether one of `roles` is held for this market or operator (for neither: held anywhere)."""
        if self.is_system:
            return True
        lent: set[str] = set()
        for g in self.grants:
            if g.role in roles and _covers(g, market_id, operator_id):
                if not g.deputy_for:
                    return True
                lent.add(g.deputy_for)
        self._lent.update(lent)
        return bool(lent)

    def require(self, *roles: Role, market_id: str | None = None, operator_id: str | None = None) -> None:
        """Refuse: Forbidden where the person works there in another role, NotFound where they do not work at all."""
        if self.has(*roles, market_id=market_id, operator_id=operator_id):
            return
        if market_id is None and operator_id is None:
            raise Forbidden
        raise Forbidden if self.has(*Role, market_id=market_id, operator_id=operator_id) else NotFound

    def market_ids(self, *roles: Role) -> frozenset[str] | None:
        """Markets where one of `roles` (any, when none is named) is held; None means every market."""
        wanted = [g for g in self.grants if not roles or g.role in roles]
        if self.is_system or any(g.operator_id is None and g.market_id is None for g in wanted):
            return None
        return frozenset(g.market_id for g in wanted if g.market_id)


def _covers(g: Grant, market_id: str | None, operator_id: str | None) -> bool:
    everywhere = g.operator_id is None and g.market_id is None
    unscoped = market_id is None and operator_id is None
    at_market = bool(market_id) and g.market_id == market_id
    return everywhere or unscoped or at_market or (bool(operator_id) and g.operator_id == operator_id)


SYSTEM = Principal(None, "sistem", is_system=True)
