"""Logs: one JSON object a line in production, words in development; to stderr, with the request's id and without personal values.

No caller logs a NIK or a telephone number; should one stand inside another text (an exception's message, say), it is blotted
out here. Addresses are logged as their route, never as they were typed: they hold pay codes.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Sixteen digits with a birthday inside (women's days count from 41): a bank's reference of that length stays readable.
_NIK = r"(?<!\d)[1-9]\d{5}(?:0[1-9]|[12456]\d|3[01]|7[01])(?:0[1-9]|1[0-2])\d{6}(?!\d)"
_PHONE = r"(?<![\w.])(?:\+?62|0)[\s-]?8\d{1,3}(?:[\s-]?\d{2,5}){2,3}(?![\w])"
_PERSONAL = re.compile(f"{_NIK}|{_PHONE}")
BLOT = "[…]"
Event = MutableMapping[str, Any]


def without_personal_values(text: str) -> str:
    """`text` with what looks like a NIK or an Indonesian mobile number blotted out."""
    return _PERSONAL.sub(BLOT, text)


def _blot(_logger: Any, _method: str, event: Event) -> Event:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = without_personal_values(value)
    return event


def configure(*, production: bool) -> None:
    """For the programs of an office, once per process: our own events and what libraries say leave by one door."""
    renderer: Any = structlog.processors.JSONRenderer() if production else structlog.dev.ConsoleRenderer(colors=False)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ends: list[Any] = [structlog.processors.format_exc_info, _blot, renderer]
    structlog.configure(
        processors=[*shared, *ends],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ends]
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
