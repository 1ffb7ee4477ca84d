"""Languages. Indonesian is the source; English stands in `locale/en/*.po`, one catalogue a feature, read at first use."""

import gettext as stdlib_gettext
from contextvars import ContextVar
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.datastructures import MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market import words

LANGUAGES = ("id", "en")
COOKIE = "lang"
LOCALE = Path(__file__).resolve().parents[2] / "locale"
_language: ContextVar[str] = ContextVar("language", default="id")


def language() -> str:
    """The language of the request being answered: `id` or `en`."""
    return _language.get()


def speak(lang: str) -> None:
    """Set the language of this context (a message to a vendor, a test)."""
    _language.set(lang if lang in LANGUAGES else "id")


@lru_cache
def _translations(lang: str) -> stdlib_gettext.NullTranslations:
    merged = Catalog(locale=lang)
    files = sorted((LOCALE / lang).glob("*.po"))
    if not files:
        return stdlib_gettext.NullTranslations()
    for path in files:
        with path.open("rb") as file:
            for message in read_po(file, locale=lang):
                if message.id:
                    merged[message.id] = message
    binary = BytesIO()
    write_mo(binary, merged)
    binary.seek(0)
    return stdlib_gettext.GNUTranslations(binary)


def gettext(msgid: str) -> str:
    """`msgid` in the language of the request."""
    return msgid if language() == "id" else _translations(language()).gettext(msgid)


def ngettext(one: str, many: str, n: int) -> str:
    """The form for `n`; Indonesian has one form."""
    return many if language() == "id" else _translations(language()).ngettext(one, many, n)


def translate(message: words.Message | str) -> str:
    """A late message as a sentence in the language of the request; arguments that are messages are translated too."""
    if isinstance(message, str):
        return message
    args = {k: translate(v) if isinstance(v, words.Message) else v for k, v in message.args.items()}
    sentence = gettext(message.msgid)
    return sentence.format(**args) if args else sentence


def negotiate(query: str, cookie: str, accept: str) -> str:
    """`?lang=`, then the cookie, then Accept-Language, then Indonesian."""
    for wish in (query, cookie):
        if wish in LANGUAGES:
            return wish
    best, weight = "id", 0.0
    for part in accept.split(","):
        tag, _, parameter = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        primary = "id" if primary == "in" else primary  # old Android phones say "in"
        try:
            q = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            q = 0.0
        if primary in LANGUAGES and q > weight:
            best, weight = primary, q
    return best


class LanguageMiddleware:
    """Settle the language of each request, and remember an explicit choice in a cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k: v.decode("latin-1") for k, v in scope["headers"] if k in (b"cookie", b"accept-language")}
        wish = QueryParams(scope["query_string"].decode("latin-1")).get("lang", "")
        kept = cookie_parser(headers.get(b"cookie", "")).get(COOKIE, "")
        lang = negotiate(wish, kept, headers.get(b"accept-language", ""))
        speak(lang)

        async def remember(message: Message) -> None:
            if message["type"] == "http.response.start" and wish in LANGUAGES and wish != kept:
                MutableHeaders(scope=message).append(
                    "set-cookie", f"{COOKIE}={lang}; Path=/; Max-Age=31536000; SameSite=Lax"
                )
            await send(message)

        await self.app(scope, receive, remember)
