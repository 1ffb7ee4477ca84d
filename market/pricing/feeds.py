"""Atom: a market's publications and corrections, for whoever follows them."""

from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Request
from fastapi.responses import Response

from market.auth.access import Anyone
from market.pricing import caching, catalogue, wording
from market.pricing import service as pricing
from market.pricing.catalogue import AreaRow
from market.pricing.reading import Correction, Issue
from market.settings import get_settings
from market.web import words
from market.web.i18n import gettext

router = APIRouter(include_in_schema=False)
ATOM = "http://www.w3.org/2005/Atom"


@router.get("/feeds/{market}.atom")
def feed(request: Request, session: caching.PublicDep, by: Anyone, market: str) -> Response:
    """The last thirty publications and the corrections among them."""
    area = catalogue.get_market(session, market)
    issues = pricing.issues(session, area.id)
    body = atom(area, issues, pricing.corrections(session, area.id, limit=30), base_url=get_settings().base_url)
    changed = issues[0].published_at if issues else None
    return caching.conditional(
        request, body, "application/atom+xml", changed_at=changed,
        headers={"vary": "Accept-Encoding, Accept-Language, Cookie"},
    )  # fmt: skip


def atom(area: AreaRow, issues: Sequence[Issue], corrections: Sequence[Correction], *, base_url: str) -> bytes:
    """An Atom 1.0 document."""
    ET.register_namespace("", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed")
    page = f"{base_url}/prices/{area.id}"
    _add(root, "id", page)
    _add(root, "title", gettext("Harga %(market)s") % {"market": area.name})
    _add(root, "updated", _instant(issues[0].published_at if issues else caching.STARTED))
    _add(root, "link", rel="self", href=f"{base_url}/feeds/{area.id}.atom", type="application/atom+xml")
    _add(root, "link", rel="alternate", href=page, type="text/html")
    author = _add(root, "author")
    _add(author, "name", area.name)
    for issue in issues:
        entry = _add(root, "entry")
        _add(entry, "id", f"{page}?date={issue.day}#r{issue.revision}")
        title = gettext("Harga {day}") if issue.revision == 0 else gettext("Koreksi harga {day}")
        _add(entry, "title", title.format(day=words.day(issue.day)))
        _add(entry, "updated", _instant(issue.published_at))
        _add(entry, "link", rel="alternate", href=f"{page}?date={issue.day}", type="text/html")
        text = gettext("{priced} dari {listed} bahan tercatat.").format(priced=issue.priced, listed=issue.listed)
        changed = [c for c in corrections if c.day == issue.day and issue.revision > 0]
        _add(entry, "content", " ".join([text, *(_sentence(c) for c in changed)]), type="text")
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _sentence(c: Correction) -> str:
    short = gettext("data kurang")
    old = words.money(c.old_price) if c.old_price is not None else short
    new = words.money(c.new_price) if c.new_price is not None else short
    said = gettext("{name}: semula {old}, menjadi {new}. Alasan: {reason}.")
    return said.format(name=wording.name(c), old=old, new=new, reason=c.reason)


def _add(parent: ET.Element, tag: str, content: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
    child.text = content
    return child


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
