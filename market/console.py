"""The command line's frame: groups and verbs, `--json`, progress, exit codes (0 done, 1 refused, 2 misused)."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlmodel import Session

from market.database import make_engine, session_scope
from market.errors import MarketError
from market.settings import get_settings

Item = TypeVar("Item")


class Out:
    """What a verb works with: transactions, and where its words and results go."""

    def __init__(self, *, as_json: bool, engine: Engine | None = None) -> None:
        self.as_json = as_json
        self._engine = engine
        self.failed = False

    @property
    def engine(self) -> Engine:
        """The engine of MARKET_DATABASE_URL, made at first use."""
        if self._engine is None:
            self._engine = make_engine(get_settings().database_url)
        return self._engine

    def session(self, *, write: bool = True) -> AbstractContextManager[Session]:
        """One transaction."""
        return session_scope(self.engine, write=write)

    def say(self, text: object) -> None:
        """A sentence for a person; with --json it goes to stderr, so that stdout stays one object."""
        sys.stderr.write(f"{text}\n") if self.as_json else sys.stdout.write(f"{text}\n")

    def result(self, values: dict[str, Any], *, ok: bool = True) -> None:
        """The verb's result; `ok=False` makes the exit code 1."""
        self.failed = self.failed or not ok
        if self.as_json:
            sys.stdout.write(json.dumps(values, ensure_ascii=False, default=str) + "\n")
            return
        for name, value in values.items():
            sys.stdout.write(f"{name}: {_readable(value)}\n")

    def progress(self, items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
        """Pass items on, drawing progress on a terminal only."""
        shown = sys.stderr.isatty()
        for n, item in enumerate(items, 1):
            yield item
            if shown:
                sys.stderr.write(f"\r{label}: {n}/{total}")
        if shown:
            sys.stderr.write("\n")


def _readable(value: Any) -> str:
    if isinstance(value, list):
        return "".join(f"\n  - {_readable(item)}" for item in value) if value else "-"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items()) if value else "-"
    return str(value)


Run = Callable[[Namespace, Out], None]


class Commands:
    """Verbs at one level of the command line."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._choices = parser.add_subparsers(required=True, metavar="VERB")
        self._groups: dict[str, Commands] = {}

    def group(self, name: str, help: str) -> "Commands":
        """A noun with verbs of its own; asking for the same noun again gives the same group."""
        if name not in self._groups:
            self._groups[name] = Commands(self._choices.add_parser(name, help=help, description=help))
        return self._groups[name]

    def verb(self, name: str, run: Run, help: str) -> ArgumentParser:
        """One verb; add its arguments to what is returned."""
        parser = self._choices.add_parser(name, help=help, description=help)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")
        parser.set_defaults(run=run)
        return parser


def execute(parser: ArgumentParser, argv: list[str] | None, engine: Engine | None = None) -> int:
    """Parse and run one verb; returns the exit code."""
    arguments = parser.parse_args(argv)
    out = Out(as_json=arguments.as_json, engine=engine)
    try:
        arguments.run(arguments, out)
    except MarketError as error:
        sys.stderr.write(f"{error}\n")
        for name, reason in error.fields.items():
            sys.stderr.write(f"  {name}: {reason}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return 1 if out.failed else 0


__all__ = ["Commands", "Namespace", "Out", "execute"]
