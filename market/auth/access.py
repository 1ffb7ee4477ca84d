"""How a route says who may call it: `by: Clerk`. A public one says `by: Anyone`. A test refuses a route that says nothing."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from market.auth.models import ApiToken, LoginSession, Role
from market.auth.principal import SYSTEM, Grant, Principal
from market.auth.service import principal_of
from market.database import get_engine, session_scope
from market.errors import Forbidden, Unauthenticated

COOKIE = "market_session"
OFFICE = tuple(r for r in Role if r is not Role.vendor)

__all__ = ["COOKIE", "SYSTEM", "Grant", "Principal", "Role", "allow"]


def identify(request: Request) -> Principal:
    """Who sent this request. Looked up in a short transaction of its own, so that none stays open meanwhile."""
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    found = _look_up(request) or Principal.nobody()
    request.state.principal = found
    return found


def _look_up(request: Request) -> Principal | None:
    authorization = request.headers.get("authorization", "")
    kind: type[LoginSession] | type[ApiToken]
    if authorization[:7].lower() == "bearer ":
        token, kind = authorization[7:].strip(), ApiToken
    elif COOKIE in request.cookies:
        token, kind = request.cookies[COOKIE], LoginSession
    else:
        return None
    with session_scope(get_engine(request), write=False) as session:
        return principal_of(session, token, kind)


def allow(*roles: Role) -> Callable[[Request], Principal]:
    """A dependency that admits holders of `roles`; an auditor may read whatever the office may."""

    def admitted(request: Request) -> Principal:
        by = identify(request)
        if by.has(*roles) or (request.method in ("GET", "HEAD") and roles != (Role.vendor,) and by.has(Role.auditor)):
            return by
        raise Forbidden if by.signed_in else Unauthenticated

    admitted.allowed = roles  # type: ignore[attr-defined]
    return admitted


async def anyone(request: Request) -> Principal:
    """No sign-in needed; known if signed in. A stranger's request, the usual one, costs no thread and no query."""
    if request.url.path.startswith("/snap/"):
        return (
            Principal.nobody()
        )  # a bank's bearer token is the rail's own: no look-up, and no refusal in a form it cannot read
    if COOKIE in request.cookies or "authorization" in request.headers:
        return await run_in_threadpool(identify, request)
    request.state.principal = Principal.nobody()
    return Principal.nobody()


anyone.allowed = ()  # type: ignore[attr-defined]

Anyone = Annotated[Principal, Depends(anyone)]
Vendor = Annotated[Principal, Depends(allow(Role.vendor))]
Surveyor = Annotated[Principal, Depends(allow(Role.surveyor))]
Collector = Annotated[Principal, Depends(allow(Role.collector))]
Clerk = Annotated[Principal, Depends(allow(Role.clerk))]
MarketHead = Annotated[Principal, Depends(allow(Role.market_head))]
Treasurer = Annotated[Principal, Depends(allow(Role.treasurer))]
Director = Annotated[Principal, Depends(allow(Role.director))]
Auditor = Annotated[Principal, Depends(allow(Role.auditor))]
CityViewer = Annotated[Principal, Depends(allow(Role.city_viewer))]
Admin = Annotated[Principal, Depends(allow(Role.admin))]
Officer = Annotated[Principal, Depends(allow(*OFFICE))]
