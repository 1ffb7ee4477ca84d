"""`market prices …`: import, publish, export."""

from argparse import Namespace
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from pathlib import Path

from market.auth.access import SYSTEM
from market.console import Commands, Out
from market.errors import Invalid
from market.pricing import listing
from market.pricing import service as pricing
from market.pricing.codes import CODED, CodeKind, set_code
from market.pricing.importing.commands import add_import
from market.pricing.listing import PriceRow
from market.pricing.site import export_site
from market.settings import get_settings
from market.words import N_, say


class BadDate(Invalid):
    message = N_("Tanggal “{text}” tidak terbaca. Tulis seperti 2026-11-24.")


def add(commands: Commands) -> None:
    """Register the verbs."""
    group = commands.group("prices", help="daily prices: import, publish, export")
    add_import(group)
    publish = group.verb("publish", run_publish, help="publish a market's approved survey of one day")
    publish.add_argument("--market", required=True, help="market code, for example BDG")
    publish.add_argument("--date", required=True, help="YYYY-MM-DD")
    code = group.verb("code", run_code, help="say which code another source has for one of our commodities or areas")
    code.add_argument("source", choices=CODED)
    code.add_argument("kind", choices=[str(kind) for kind in CodeKind])
    code.add_argument("code", help="the source's code, for example 2829")
    code.add_argument("ours", help="our commodity's id or our area's code, for example BDG")
    export = group.verb("export", run_export, help="write prices as CSV or XLSX, or the public site as files")
    export.add_argument("file", type=Path, nargs="?", help="target; its ending, .csv or .xlsx, is the format")
    export.add_argument("--site", type=Path, metavar="DIR", help="write the whole public site into DIR instead")
    export.add_argument("--market", help="market code or region; all without it")
    export.add_argument("--commodity", help="one commodity's id")
    export.add_argument("--from", dest="since", help="YYYY-MM-DD, inclusive")
    export.add_argument("--to", dest="until", help="YYYY-MM-DD, inclusive")


def run_publish(args: Namespace, out: Out) -> None:
    """Publish as the system; the approval that went before was a person's."""
    day = _day(args.date)
    with out.session() as session:
        market = pricing.get_market(session, args.market)
        published = pricing.publish(session, market.id, day, by=SYSTEM)
    out.result(
        {"market": market.id, "day": day, "prices": published.prices - published.short, "short": published.short}
    )


def run_code(args: Namespace, out: Out) -> None:
    """Both ways from now on: imports read it, the WFP export writes it."""
    with out.session() as session:
        row = set_code(session, args.source, CodeKind(args.kind), args.code, args.ours, by=SYSTEM)
        out.result({"source": row.source, "kind": row.kind, "code": row.code, "ours": row.ours})


def run_export(args: Namespace, out: Out) -> None:
    """The same rows as the API's downloads; with --site every public page, its data and its pictures as files."""
    if args.site:
        _site(args.site, out)
        return
    if args.file is None:
        raise Invalid(fields={"file": say(N_("Tulis nama berkas, atau --site dan sebuah folder."))})
    if args.file.suffix not in (".csv", ".xlsx"):
        raise Invalid(fields={"file": say(N_("Nama berkas harus berakhir .csv atau .xlsx."))})
    since, until = (_day(text) if text else None for text in (args.since, args.until))
    rows = listing.every_price(
        lambda: out.session(write=False),
        market=args.market,
        commodity=args.commodity,
        since=since,
        until=until,
        source=None,
    )
    count = 0

    def counted() -> Iterator[PriceRow]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    if args.file.suffix == ".csv":
        with args.file.open("wb") as target:
            target.writelines(listing.as_csv(counted()))
    else:
        args.file.write_bytes(listing.as_xlsx(counted()))
    out.result({"file": str(args.file), "rows": count})


def _site(folder: Path, out: Out) -> None:
    # By name, as the server loads it: the site is the whole application's, which stands above every feature.
    create_app = import_module("market.app").create_app
    exported = export_site(create_app(engine=out.engine), folder, base_url=get_settings().base_url, say=out.say)
    out.result({"folder": str(folder), "pages": exported.pages, "files": exported.files, "bytes": exported.bytes})


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadDate(text=text[:40]) from error
