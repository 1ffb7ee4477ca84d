"""Lists by cursor: `?limit=&cursor=`, answered `{"items": […], "next": "cursor or null"}`."""

import base64
import binascii
import json
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from market.errors import Invalid
from market.words import N_

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=500, description="How many items, 1 to 500")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next` of the page before")]


class BadCursor(Invalid):
    message = N_("Penanda halaman (cursor) tidak dikenal.")


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None = None


def encode_cursor(*key: Any) -> str:
    """The key of the last row, opaque to clients."""
    return base64.urlsafe_b64encode(json.dumps(key, default=str).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The key behind a cursor; `kinds` are the types it must have. Raises BadCursor."""
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if (
        not isinstance(key, list)
        or len(key) != len(kinds)
        or any(type(v) is not k for v, k in zip(key, kinds, strict=True))
    ):
        raise BadCursor
    return tuple(key)
