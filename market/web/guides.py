"""The guides (docs/guide/*.md) as the application shows them, and which section each page's *Bantuan* opens.

One source: the same files are read on a git host, in the documentation site and here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it.token import Token

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "guide"
GUIDES = ("pedagang", "pembeli", "petugas", "kantor", "bendahara", "auditor", "kota", "admin")

# Template → guide#section: its own line, else that of its folder. A page without one is no page of the application.
TARGETS = {
    "home.html": "pembeli#melihat-harga",
    "login.html": "kantor#kode-masuk-dan-data-pribadi",
    "auth/": "kantor#kode-masuk-dan-data-pribadi",
    "auth/person.html": "admin#orang-dan-perannya",
    "auth/users.html": "admin#orang-dan-perannya",
    "collection/": "bendahara#satu-hari",
    "collection/display.html": "kantor#layar-di-pasar",
    "collection/slip.html": "pedagang#bukti-bayar",
    "collection/offline.html": "petugas#juru-pungut",
    "collection/devices.html": "kantor#perangkat-petugas",
    "collection/device.html": "kantor#perangkat-petugas",
    "collection/walk.html": "petugas#juru-pungut",
    "collection/handover.html": "petugas#juru-pungut",
    "collection/reconciliation.html": "bendahara#rekonsiliasi",
    "collection/statement.html": "bendahara#rekonsiliasi",
    "collection/bank_line.html": "bendahara#rekonsiliasi",
    "collection/counter.html": "kantor#loket",
    "collection/tickets.html": "kantor#buku-karcis",
    "collection/own_tickets.html": "petugas#karcis-kertas",
    "collection/voids.html": "kantor#pembatalan-dan-koreksi",
    "desk/": "kantor#pagi-hari",
    "desk/own_qr.html": "pedagang#membayar",
    "desk/own_pay.html": "pedagang#membayar",
    "desk/pay.html": "pedagang#membayar",
    "desk/card.html": "pedagang#membayar",
    "desk/channel.html": "pedagang#kabar-dari-pasar",
    "desk/desk_channel.html": "kantor#loket",
    "desk/messages.html": "kantor#loket",
    "desk/vendor.html": "pedagang#membayar",
    "desk/own_trace.html": "pedagang#bukti-bayar",
    "desk/trace.html": "auditor",
    "desk/tracing.html": "auditor",
    "desk/transfer.html": "kantor#sesudah-izin-berlaku",
    "dues/": "kantor#tarif-dan-tagihan-harian",
    "dues/arrears.html": "kantor#tunggakan",
    "dues/late.html": "kantor#tunggakan",
    "monitor/": "kota",
    "monitor/evidence.html": "auditor",
    "payments/": "kantor#loket",
    "payments/check.html": "pedagang#bukti-bayar",
    "payments/receipt.html": "pedagang#bukti-bayar",
    "payments/verify.html": "pedagang#bukti-bayar",
    "payments/own_titipan.html": "pedagang#titipan",
    "payments/own_pin.html": "pedagang#titipan",
    "payments/refunds.html": "bendahara#mengembalikan-uang",
    "payments/titipan.html": "bendahara#mengembalikan-uang",
    "payments/reviews.html": "bendahara#satu-hari",
    "payments/static.html": "bendahara#uang-dari-stiker-qris",
    "payments/stickers.html": "kantor#stiker-qris-tempat",
    "pricing/": "pembeli#melihat-harga",
    "pricing/data.html": "pembeli#mengambil-datanya",
    "pricing/alerts.html": "pedagang#masuk-dan-meminta-tempat",
    "pricing/sheet.html": "petugas#petugas-harga",
    "pricing/blank.html": "petugas#petugas-harga",
    "pricing/import.html": "kantor#pantauan-dan-sumber-harga",
    "pricing/sources.html": "kantor#pantauan-dan-sumber-harga",
    "pricing/watch.html": "kantor#pantauan-dan-sumber-harga",
    "vendors/": "kantor#tempat-pedagang-izin",
    "vendors/application.html": "kantor#permohonan-sampai-izin",
    "vendors/applications.html": "kantor#permohonan-sampai-izin",
    "vendors/lotteries.html": "kantor#permohonan-sampai-izin",
    "vendors/lottery.html": "kantor#permohonan-sampai-izin",
    "vendors/waiting.html": "kantor#permohonan-sampai-izin",
    "vendors/city.html": "pembeli#mencari-barang-dan-pedagang",
    "vendors/directory.html": "pembeli#mencari-barang-dan-pedagang",
    "vendors/enter.html": "pedagang#masuk-dan-meminta-tempat",
    "vendors/erase.html": "kantor#kode-masuk-dan-data-pribadi",
    "vendors/login_code.html": "kantor#kode-masuk-dan-data-pribadi",
    "vendors/permit.html": "kantor#sesudah-izin-berlaku",
    "vendors/relocations.html": "kantor#sesudah-izin-berlaku",
    "vendors/terms.html": "kantor#sesudah-izin-berlaku",
}


@dataclass(frozen=True)
class Guide:
    """A guide as HTML, its title, and its sections as (slug, title)."""

    name: str
    title: str
    html: str
    sections: tuple[tuple[str, str], ...]


def help_for(template: str, lang: str = "id") -> str | None:
    """The address of the help of a page, or None. The guides are Indonesian; each ends with a summary in English."""
    target = TARGETS.get(template) or TARGETS.get(template.rpartition("/")[0] + "/")
    if target is None:
        return None
    return f"/help/{target.partition('#')[0]}#in-english" if lang == "en" else f"/help/{target}"


def slug(title: str) -> str:
    """A heading's name in an address, as git hosts and the documentation site make it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@lru_cache
def guide(name: str) -> Guide | None:
    """A guide, read once; None where there is no such guide."""
    if name not in GUIDES:
        return None
    from markdown_it import MarkdownIt  # sixty modules that only a reader of a guide needs

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = [t for t in parser.parse((FOLDER / f"{name}.md").read_text()) if t.type != "html_block"]
    title, sections = "", []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            text = "".join(t.content for t in inline.children or ())
            token.attrSet("id", slug(text))
            if token.tag == "h1":
                title = text
            elif token.tag == "h2":
                sections.append((slug(text), text))
        if token.type == "table_open":
            token.attrSet("class", "table")
        _lead(inline)
    body = tokens[3:] if tokens and tokens[0].tag == "h1" else tokens  # the page has its own title
    html: Any = parser.renderer.render(body, parser.options, {})
    return Guide(name, title, str(html), tuple(sections))


def _lead(inline: "Token") -> None:
    """Links between guides lead to help pages; an address in code letters, such as `/office/cash`, becomes a link; pictures stay out."""
    from markdown_it.token import Token

    children: list[Token] = []
    for token in inline.children or ():
        if token.type in ("image", "html_inline"):
            continue
        if token.type == "link_open" and (found := re.fullmatch(r"(\w+)\.md(#[\w-]+)?", str(token.attrGet("href")))):
            token.attrSet("href", f"/help/{found[1]}{found[2] or ''}")
        if token.type == "code_inline" and re.fullmatch(r"/[a-z][a-z/-]*", token.content):
            opened = Token("link_open", "a", 1)
            opened.attrSet("href", token.content)
            text = Token("text", "", 0, content=token.content)
            children += [opened, text, Token("link_close", "a", -1)]
            continue
        children.append(token)
    if inline.children is not None:
        inline.children = children
