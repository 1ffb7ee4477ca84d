"""The office's menu: what a person does in the day, in groups; each sees what their roles may open.

`tests/test_menu.py` holds the roles here equal to the roles of the routes.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from market.auth.models import Role
from market.auth.principal import Principal
from market.words import N_

OFFICERS = tuple(r for r in Role if r is not Role.vendor)
REGISTRY = (Role.clerk, Role.market_head, Role.treasurer, Role.director, Role.collector, Role.admin, Role.auditor)
CLERK, HEAD, TREASURER, DIRECTOR, AUDITOR = Role.clerk, Role.market_head, Role.treasurer, Role.director, Role.auditor


@dataclass(frozen=True)
class Entry:
    """A page of the menu; `more` are addresses of pages one reaches from it."""

    href: str
    text: str
    roles: tuple[Role, ...]
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """A part of the day."""

    text: str
    entries: tuple[Entry, ...]


MENU = (
    Group(N_("Hari ini"), (Entry("/office", N_("Hari ini"), OFFICERS),)),
    Group(
        N_("Menagih"),
        (
            Entry("/collect", N_("Putaran"), (Role.collector,)),
            Entry("/collect/offline", N_("Menagih tanpa sinyal"), (Role.collector,)),
            Entry("/collect/handover", N_("Penyerahan kas"), (Role.collector,)),
            Entry("/collect/tickets", N_("Karcis"), (Role.collector,)),
        ),
    ),
    Group(
        N_("Kas"),
        (
            Entry("/office/cash", N_("Loket"), (CLERK, HEAD, TREASURER)),
            Entry("/office/counter", N_("Serahkan kas loket"), (CLERK,)),
            Entry("/office/tickets", N_("Karcis"), (CLERK, HEAD, TREASURER, DIRECTOR, AUDITOR)),
            Entry("/office/closing", N_("Tutup hari"), (HEAD, TREASURER, DIRECTOR, AUDITOR)),
            Entry("/office/devices", N_("Perangkat petugas"), (HEAD, Role.admin, TREASURER, CLERK, AUDITOR)),
            Entry("/office/deposits", N_("Setoran"), (TREASURER, HEAD, DIRECTOR, AUDITOR)),
            Entry("/office/reconciliation", N_("Rekonsiliasi"), (TREASURER, DIRECTOR, AUDITOR)),
            Entry("/office/payments/reviews", N_("Perlu diperiksa"), (TREASURER, AUDITOR)),
            Entry("/office/voids", N_("Pembatalan"), (CLERK, HEAD, TREASURER, AUDITOR)),
            Entry("/office/payments/refunds", N_("Pengembalian"), (CLERK, HEAD, TREASURER, AUDITOR)),
            Entry("/office/payments/titipan", N_("Titipan"), (CLERK, HEAD, TREASURER, AUDITOR)),
            Entry("/office/static-qr", N_("Stiker QRIS"), (TREASURER, AUDITOR)),
        ),
    ),
    Group(
        N_("Tagihan"),
        (
            Entry(
                "/office/charges",
                N_("Belum dibayar"),
                (CLERK, HEAD, TREASURER, DIRECTOR, AUDITOR),
                ("/office/statements",),
            ),
            Entry("/office/arrears", N_("Tunggakan"), (CLERK, HEAD, TREASURER, DIRECTOR, AUDITOR)),
            Entry("/office/tariffs", N_("Tarif"), (CLERK, HEAD, TREASURER, DIRECTOR, AUDITOR)),
            Entry("/office/meters", N_("Meter"), (CLERK, AUDITOR)),
            Entry("/office/reports", N_("Laporan"), (CLERK, HEAD, TREASURER, DIRECTOR, AUDITOR)),
        ),
    ),
    Group(
        N_("Tempat dan pedagang"),
        (
            Entry("/office/places", N_("Tempat"), REGISTRY, ("/office/cards", "/office/permits", "/office/plan")),
            Entry("/office/vendors", N_("Pedagang"), REGISTRY),
            Entry("/office/messages", N_("Pesan kepada pedagang"), (CLERK, HEAD, Role.admin, AUDITOR)),
            Entry(
                "/office/applications",
                N_("Permohonan"),
                (CLERK, HEAD, DIRECTOR, AUDITOR),
                ("/office/lotteries", "/office/relocations", "/office/terms", "/office/letters", "/office/transfers"),
            ),
            Entry("/office/import", N_("Masukkan lembar"), (CLERK,)),
        ),
    ),
    Group(
        N_("Harga"),
        (
            Entry("/office/prices", N_("Catat harga"), (Role.surveyor, CLERK, HEAD, AUDITOR)),
            Entry("/office/prices/watch", N_("Pantauan harga"), (CLERK, HEAD, DIRECTOR, AUDITOR)),
            Entry("/office/prices/blank", N_("Lembar kosong"), (Role.surveyor, CLERK, HEAD)),
            Entry("/office/prices/walk", N_("Urutan jalan"), (Role.surveyor, CLERK, HEAD, DIRECTOR, AUDITOR)),
            Entry("/office/prices/list", N_("Bahan dan acuan"), (CLERK, HEAD, DIRECTOR, AUDITOR, Role.admin)),
            Entry("/office/prices/import", N_("Impor harga"), (CLERK,)),
            Entry("/office/prices/sources", N_("Sumber harga"), (Role.admin, CLERK, HEAD, AUDITOR)),
        ),
    ),
    Group(
        N_("Periksa"),
        (
            Entry("/office/trace", N_("Jejak"), (CLERK, HEAD, TREASURER, DIRECTOR, AUDITOR)),
            Entry("/office/evidence", N_("Berkas bukti"), (AUDITOR, DIRECTOR, TREASURER)),
            Entry("/monitor", N_("Pantauan kota"), (DIRECTOR, AUDITOR, Role.city_viewer)),
        ),
    ),
    Group(
        N_("Pengaturan"),
        (
            Entry("/office/markets", N_("Pasar"), (Role.admin, AUDITOR)),
            Entry("/office/users", N_("Pengguna"), (Role.admin, AUDITOR)),
        ),
    ),
)


@dataclass(frozen=True)
class Shown:
    """A link of the menu as a template shows it; a group's own link is its first page."""

    text: str
    href: str
    here: bool
    entries: tuple["Shown", ...] = ()


def menu(by: Principal, path: str, market: str | None = None) -> list[Shown]:
    """What `by` may open, grouped; `here` is the page whose address `path` continues. A market in the address is taken along."""
    here = current(path)
    tail = f"?{urlencode({'market': market})}" if market else ""
    groups = []
    for group in MENU:
        entries = tuple(
            Shown(e.text, e.href + tail, e is here) for e in group.entries if by.has(*e.roles)
        )  # fmt: skip
        if entries:
            name = group.text if len(entries) > 1 else entries[0].text
            groups.append(Shown(name, entries[0].href, any(e.here for e in entries), entries))
    return groups


def current(path: str) -> Entry | None:
    """The entry a page belongs to: the longest address that `path` is or continues; `/office` is only itself."""
    starts = [(start, e) for g in MENU for e in g.entries for start in (e.href, *e.more)]
    fits = [(s, e) for s, e in starts if path == s or (s != "/office" and path.startswith(s + "/"))]
    return max(fits, key=lambda fit: len(fit[0]))[1] if fits else None
