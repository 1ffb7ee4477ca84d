"""The Jinja environment and `render`: a template and one frozen, typed page."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from market import installation
from market.auth.principal import Principal
from market.database import get_engine, session_scope
from market.settings import get_settings
from market.web import words
from market.web.guides import help_for, slug
from market.web.i18n import gettext, language, ngettext, translate
from market.web.menu import menu

ROOT = Path(__file__).resolve().parents[2]
FLASH = "flash"


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(_=_said, gettext=_said)
    env.filters.update(
        rp=words.money,
        number=words.number,
        day=words.day,
        day_short=words.day_short,
        weekday=words.weekday,
        month=words.month,
        time=words.time_of,
        ago=words.ago,
        say=translate,
        slug=slug,
        translated=gettext,  # of a value: `_()` would take it for markup and for a format
    )
    env.globals.update(static=static, menu=menu, development=not get_settings().production)
    return env


def _said(msgid: str, /, **values: Any) -> Markup:
    """`_()` of templates as Jinja's newstyle gettext has it: the sentence is ours, the values are escaped. Sentences without
    values are most of a page, and are made once a language."""
    return _sentence(msgid, language()) % values if values else _whole(msgid, language())


@lru_cache(maxsize=8_192)  # templates say literals only
def _sentence(msgid: str, _lang: str) -> Markup:
    return Markup(gettext(msgid))  # noqa: S704 - our own


@lru_cache(maxsize=8_192)
def _whole(msgid: str, lang: str) -> Markup:
    return _sentence(msgid, lang) % {}


@lru_cache
def environment() -> Environment:
    """The one environment; also used to render without a request (print jobs, the static site)."""
    return _environment()


@lru_cache
def static(path: str) -> str:
    """The address of a file under static/, with a version so that it can be cached for ever."""
    content = (ROOT / "static" / path).read_bytes()
    return f"/static/{path}?v={hashlib.sha256(content).hexdigest()[:10]}"


def render(request: Request, template: str, page: Any, status: int = 200, **headers: str) -> HTMLResponse:
    """Answer with a page. `page` is a frozen dataclass; a name the template misses fails, here and in a test."""
    flash = request.cookies.get(FLASH)
    html = environment().get_template(template).render(page=page, **surroundings(request, template, flash))
    response = HTMLResponse(html, status, headers={k.replace("_", "-"): v for k, v in headers.items()})
    if flash:
        response.delete_cookie(FLASH)
    return response


def surroundings(request: Request, template: str, flash: str | None = None) -> dict[str, Any]:
    """What every template sees beside its page."""
    return {
        "request": request,
        "by": getattr(request.state, "principal", None) or Principal.nobody(),
        "lang": language(),
        "help": help_for(template, language()),
        "flash": _unwrap(flash),
        "sample_data": sample_data(request),
        "url_with": lambda **changes: url_with(request, **changes),
    }


def sample_data(request: Request) -> bool:
    """Whether this installation holds the demo city; asked of the database once."""
    state = request.app.state
    if not hasattr(state, "sample_data"):
        try:
            with session_scope(get_engine(request), write=False) as session:
                state.sample_data = installation.get(session, installation.SAMPLE_DATA) == "yes"
        except SQLAlchemyError:  # the page that says so must not fail on the same; asked again next time
            return False
    return bool(state.sample_data)


def url_with(request: Request, **changes: Any) -> str:
    """This page's address with some of its query changed; None removes a name."""
    query = {k: v for k, v in request.query_params.multi_items() if k not in changes}
    query |= {k: str(v) for k, v in changes.items() if v is not None}
    return f"{request.url.path}?{urlencode(query)}" if query else request.url.path


def wrap(sentence: str) -> str:
    """A flash message as a cookie value (cookies are ASCII)."""
    return json.dumps(sentence).encode().hex()


def _unwrap(value: str | None) -> str | None:
    try:
        sentence = json.loads(bytes.fromhex(value)) if value else None
    except ValueError:
        return None
    return sentence if isinstance(sentence, str) else None
