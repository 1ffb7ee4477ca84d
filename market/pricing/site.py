"""The public site as plain files: any web server or CDN can carry it, and it opens from a folder too.

Our own application is asked for each public page as a stranger would ask, and the links found are followed; standalone.py
makes each page one that needs no server, but for signing in and paying, which point at the live site.
"""

import asyncio
import html
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import relpath
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from starlette.types import ASGIApp

from market.errors import Invalid
from market.pricing.standalone import standalone
from market.words import N_

SEEDS = ("/prices", "/data", "/basket", "/galungan", "/markets", "/api/v1/commodities", "/api/v1/markets")
DESCRIPTION = "/api/v1/datapackage.json"
LANGUAGES = ("id", "en")  # the first stands at the top, the others in a folder of their own
_CODE = r"[A-Za-z0-9-]+"
_PUBLIC = re.compile(
    rf"/|/prices(/{_CODE}){{0,2}}|/board/{_CODE}|/help(/{_CODE})?|/commodities/{_CODE}|/galungan|/basket|/data|/markets(/{_CODE}){{0,2}}"
    rf"|/feeds/{_CODE}\.atom|/openapi\.json|/static/[A-Za-z0-9/._-]+|/\.well-known/receipt-key"
    r"|/api/v1/(commodities|markets|datapackage\.json|prices|prices/corrections|prices/latest)"
)
# Only these questions are worth a file each; every other address with a question goes to the live site.
_ASKED = {
    "days": {"7", "30", "365", "all"},
    "against": {"week", "month", "year"},
    "market": None,
    "commodity": None,
    "format": {"csv", "xlsx", "wfp", "pihps"},
    "from": None,
    "to": None,
}
_LINK = re.compile(r"""(\s(?:href|src|action)=)(?:"(/[^"]*)"|'(/[^']*)')""")
_ENDINGS = {"text/html": ".html", "application/json": ".json", "text/csv": ".csv", "image/svg+xml": ".svg"}


class FolderInUse(Invalid):
    message = N_("Folder {folder} sudah berisi berkas lain. Pilih folder kosong, atau hasil ekspor sebelumnya.")


@dataclass(frozen=True)
class Exported:
    """What was written."""

    pages: int
    files: int
    bytes: int


@dataclass(frozen=True)
class Address:
    """One file of the site: what is asked of the application, and in which language."""

    url: str
    lang: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


def is_public(link: str) -> bool:
    """Whether a link is to a page or a file of the kind that is exported."""
    split = urlsplit(html.unescape(link))
    return not split.netloc and bool(_PUBLIC.fullmatch(split.path)) and split.path != "/basket"


def address(link: str, lang: str) -> Address | None:
    """The file a link of a page leads to; None where only the live site can answer."""
    split = urlsplit(html.unescape(link))
    if split.netloc or ".." in split.path or not _PUBLIC.fullmatch(split.path):
        return None
    query = dict(parse_qsl(split.query))
    lang = query.pop("lang", lang)
    if lang not in LANGUAGES:
        return None
    if split.path.startswith(("/static/", "/feeds/", "/api/", "/openapi", "/.well-known")):
        lang = LANGUAGES[0]
    if split.path.startswith("/static/"):
        return Address(split.path, lang)  # its version is for caches
    if query.get("days") == "90":
        query.pop("days")  # the page as it opens
    wanted = all(
        name in _ASKED and (_ASKED[name] is None or value in (_ASKED[name] or ())) for name, value in query.items()
    )
    if (
        not wanted
        or (split.path == "/api/v1/prices" and "format" not in query)
        or (split.path in ("/basket", "/") and query)
    ):
        return None
    return Address(split.path + (f"?{urlencode(sorted(query.items()))}" if query else ""), lang)


def file_of(at: Address, media: str) -> PurePosixPath:
    """*prices/BDG/index.html*; a question becomes part of the name."""
    split = urlsplit(at.url)
    folder = PurePosixPath(*([] if at.lang == LANGUAGES[0] else [at.lang]), split.path.lstrip("/"))
    asked = "-".join(f"{name}-{value}" for name, value in parse_qsl(split.query))
    asked = re.sub(r"[^A-Za-z0-9-]", "_", asked)
    if media == "text/html":
        return folder / asked / "index.html" if asked else folder / "index.html"
    ending = _ENDINGS.get(media, ".xlsx" if "spreadsheet" in media else folder.suffix)
    stem = folder.name.removesuffix(ending)
    return folder.parent / (f"{stem}-{asked}{ending}" if asked else f"{stem}{ending}")


def export_site(app: ASGIApp, folder: Path, *, base_url: str, say: Callable[[str], None] = lambda _: None) -> Exported:
    """Write every public page into `folder`, which must be new, empty or an earlier export. Raises FolderInUse."""
    mark = folder / ".smart-ekonomi-site"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise FolderInUse(folder=folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("")
    found = asyncio.run(_collect(app, folder, say))
    size = 0
    pages = 0
    for at, file in found.items():
        target = folder / file
        if file.suffix == ".html":
            pages += 1
            target.write_text(_standing(target.read_text(), at, found, base_url))
        elif at.path == DESCRIPTION:
            target.write_text(_beside(target.read_text(), at, found))
        size += target.stat().st_size
    return Exported(pages, len(found) - pages, size)


async def _collect(app: ASGIApp, folder: Path, say: Callable[[str], None]) -> dict[Address, PurePosixPath]:
    """Ask for the seeds and everything they lead to; the answers are on disk as they came."""
    waiting = deque(Address(seed, lang) for lang in LANGUAGES for seed in SEEDS)
    seen, found = set(waiting), dict[Address, PurePosixPath]()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        while waiting:
            at = waiting.popleft()
            answer = await client.get(at.url, headers={"accept-language": at.lang})
            if answer.status_code != 200:
                continue
            media = answer.headers.get("content-type", "").partition(";")[0]
            file = found[at] = file_of(at, media)
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(answer.content)
            if len(found) % 100 == 0:
                say(str(len(found)))
            if media == "text/html":
                fresh = [a for a in links(answer.text, at.lang) if a not in seen]
                seen.update(fresh)
                waiting.extend(dict.fromkeys(fresh))
    return found


def links(page: str, lang: str) -> Iterable[Address]:
    """Every file a page leads to."""
    for _, double, single in _LINK.findall(page):
        if at := address(double or single, lang):
            yield at


def _beside(package: str, at: Address, found: Mapping[Address, PurePosixPath]) -> str:
    """The data package naming the files exported beside it, so that it can be checked where it lies."""
    described = json.loads(package)
    for resource in described["resources"]:
        split = urlsplit(resource["path"])
        there = address(f"{split.path}?{split.query}", at.lang)
        if there and (file := found.get(there)):
            resource["path"] = relpath(file.as_posix(), found[at].parent.as_posix())
            resource["scheme"] = "file"
    return json.dumps(described, ensure_ascii=False, indent=1)


def _standing(page: str, at: Address, found: Mapping[Address, PurePosixPath], base_url: str) -> str:
    here = found[at].parent.as_posix()

    def find(link: str) -> str | None:
        there = address(link, at.lang)
        file = found.get(there) if there else None
        return relpath(file.as_posix(), here) if file else None

    return standalone(page, find, is_public, base_url)
