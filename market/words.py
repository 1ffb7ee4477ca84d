"""Sentences that are translated late: a message carries its Indonesian original and its arguments."""

from dataclasses import dataclass, field
from typing import Any


def N_(msgid: str) -> str:
    """Mark `msgid` for extraction; translation happens when somebody reads it."""
    return msgid


@dataclass(frozen=True)
class Message:
    """An Indonesian sentence with `{named}` places, and what goes in them."""

    msgid: str
    args: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.msgid.format(**self.args) if self.args else self.msgid


def say(msgid: str, **args: Any) -> Message:
    """Build a message; `msgid` is written as `N_("…")` where it stands, so that it is extracted."""
    return Message(msgid, args)
