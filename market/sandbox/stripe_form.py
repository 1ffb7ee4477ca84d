"""Stripe's form encoding: `line_items[0][price_data][unit_amount]=100` as nested objects and lists."""

import re
from typing import Any
from urllib.parse import parse_qsl

_KEY = re.compile(r"([a-z0-9_]+)((?:\[[A-Za-z0-9_.-]*\])*)")
_PART = re.compile(r"\[([A-Za-z0-9_.-]*)\]")
MOST = 1_000


class BadForm(ValueError):
    """A key that is no path, or two keys that contradict each other."""


def decode(text: str) -> dict[str, Any]:
    """Names to strings, objects and lists; lists come as `x[]` or `x[0]`. Raises BadForm."""
    found: dict[str, Any] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except ValueError as error:
        raise BadForm(str(error)) from None
    for key, value in pairs:
        whole = _KEY.fullmatch(key)
        if whole is None:
            raise BadForm(key)
        path = [whole[1], *_PART.findall(whole[2])]
        at: dict[str, Any] = found
        for part in path[:-1]:
            at = at.setdefault(_name(at, part), {})
            if not isinstance(at, dict):
                raise BadForm(key)
        if isinstance(at.get(path[-1]), dict):
            raise BadForm(key)
        at[_name(at, path[-1])] = value
    return {name: _lists(value) for name, value in found.items()}


def _name(at: dict[str, Any], part: str) -> str:
    return part or str(len(at))


def _lists(value: Any) -> Any:
    """Objects whose names are 0, 1, 2, … are lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
