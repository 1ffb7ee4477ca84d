"""Conditional answers for public pages and data: ETag, Last-Modified, Cache-Control, 304. Never a cookie's business."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response
from sqlmodel import Session

from market import clock
from market.auth.principal import Principal
from market.database import get_engine, session_scope
from market.pricing.freshness import Versions, current
from market.pricing.shell import within
from market.replica import reading
from market.web.render import FLASH, render

AREA_HEADER = "x-price-area"  # read and removed by hot.HotPages: which area's version the page depends on
MAX_AGE = 60
STARTED = clock.now().replace(microsecond=0)  # a new release may draw the same figures differently


def page(
    request: Request, template: str, context: Any, *, area: str, changed_at: datetime | None, cacheable: bool = True,
    shelled: bool = False,
) -> Response:  # fmt: skip
    """Render a public page as a stranger sees it, so that one cached copy serves everybody. `shelled`: see shell.py."""
    request.state.principal = Principal.nobody()
    request.cookies.pop(FLASH, None)
    html = within(request, template, context).encode() if shelled else bytes(render(request, template, context).body)
    headers = {"vary": "Accept-Encoding, Accept-Language, Cookie"}
    if cacheable:
        headers[AREA_HEADER] = area
    return conditional(request, html, "text/html; charset=utf-8", changed_at=changed_at, headers=headers)


@contextmanager
def reader(request: Request) -> Iterator[Session]:
    """A reading transaction opened where the work is done: as a dependency it would cost two more changes of thread.

    The replica gives it where it is near; a page that will be kept, only if the replica has every publication that the
    primary had when the page was asked for.
    """
    wanted: Versions | None = getattr(request.state, "versions", None)
    with reading(request.app) as (session, replicated):
        if not (replicated and wanted) or current(session).reaches(wanted):
            yield session
            return
    with session_scope(get_engine(request), write=False) as session:
        yield session


def _public(request: Request) -> Iterator[Session]:
    with reader(request) as session:
        yield session


PublicDep = Annotated[Session, Depends(_public, scope="function")]


def conditional(
    request: Request, body: bytes, media: str, *, changed_at: datetime | None, headers: dict[str, str] | None = None
) -> Response:
    """The body with its validators, or 304 where the client has it already."""
    changed = max(changed_at or STARTED, STARTED).astimezone(UTC).replace(microsecond=0)
    answer = {
        "etag": f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"',
        "last-modified": format_datetime(changed, usegmt=True),
        "cache-control": f"public, max-age={MAX_AGE}, stale-while-revalidate=60",
    } | (headers or {})
    if not_modified(
        answer["etag"], changed, request.headers.get("if-none-match"), request.headers.get("if-modified-since")
    ):
        return Response(status_code=304, headers=answer)
    return Response(body, media_type=media, headers=answer)


def validators(request: Request, versions: Versions, area: str) -> tuple[dict[str, str], bool]:
    """Headers for an answer too long to hash: the tag is the area's version and the question; and whether it is known."""
    facts = (versions.of(area), request.url.path, sorted(request.query_params.multi_items()), STARTED)
    changed = max(versions.changed_at(area), STARTED)
    etag = f'W/"{hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest()}"'
    headers = {
        "etag": etag,
        "last-modified": format_datetime(changed.astimezone(UTC).replace(microsecond=0), usegmt=True),
        "cache-control": f"public, max-age={MAX_AGE}",
        "vary": "Accept-Encoding",
    }
    asked = request.headers.get("if-none-match"), request.headers.get("if-modified-since")
    return headers, not_modified(etag.removeprefix("W/"), changed, *asked)


def not_modified(etag: str, changed: datetime, if_none_match: str | None, if_modified_since: str | None) -> bool:
    """RFC 9110, 13.2.2: If-None-Match decides where it is sent; the date only where it is not."""
    if if_none_match is not None:
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return etag in tags or tags == ["*"]
    if if_modified_since is None:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since)
    except (ValueError, TypeError):
        return False
    return since.tzinfo is not None and changed <= since
