"""The registry's questions that others ask: markets, sessions, business days, pay codes."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlmodel import Session, col

from market import clock
from market.auth.access import Principal, Role
from market.errors import NotFound
from market.vendors.codes import current_codes, issue_code, issue_codes, resolve_code, revoke_codes
from market.vendors.models import Market, MarketSession
from market.vendors.permits import (
    add_permits,
    check_in,
    check_in_many,
    find_permit,
    holders_of,
    route,
    transfer,
)
from market.vendors.registry import add_market, add_operator, add_places, add_vendors
from market.words import N_

__all__ = [
    "add_market", "add_operator", "add_permits", "add_places", "add_vendors", "business_day", "check_in",
    "check_in_many", "current_codes", "every_market", "find_permit", "get_market", "holders_of", "issue_code", "issue_codes",
    "resolve_code", "revoke_codes", "route", "sessions_of", "transfer", "visible_markets",
]  # fmt: skip


class MarketUnknown(NotFound):
    message = N_("Pasar {code} tidak dikenal.")


class SessionUnknown(NotFound):
    message = N_("Pasar {market} tidak punya sesi {session}.")


def get_market(session: Session, code: str) -> Market:
    """A market by its code, in either case. Raises MarketUnknown."""
    market = session.get(Market, code.upper())
    if market is None:
        raise MarketUnknown(code=code[:16])
    return market


def visible_markets(session: Session, by: Principal, *roles: Role) -> list[Market]:
    """Markets where `by` holds one of `roles` (any role, when none is named), by name as on every page."""
    query = select(Market).order_by(col(Market.name))
    wanted = by.market_ids(*roles)
    if wanted is not None:
        query = query.where(col(Market.id).in_(wanted))
    return list(session.execute(query).scalars())


def every_market(session: Session) -> list[Market]:
    """All markets, for public pages."""
    return list(session.execute(select(Market).order_by(col(Market.name))).scalars())


def sessions_of(session: Session, market_id: str) -> Sequence[MarketSession]:
    """A market's sessions, in the order they open."""
    query = select(MarketSession).where(col(MarketSession.market_id) == market_id).order_by(col(MarketSession.opens))
    return list(session.execute(query).scalars())


def business_day(session: Session, market_id: str, session_code: str, moment: datetime | None = None) -> date:
    """The business day of a session at `moment` (now). Raises SessionUnknown."""
    market = get_market(session, market_id)
    opening = session.get(MarketSession, (market.id, session_code))
    if opening is None:
        raise SessionUnknown(market=market.id, session=session_code)
    return clock.business_day(moment or clock.now(), market.timezone, opening.opens, opening.closes)
