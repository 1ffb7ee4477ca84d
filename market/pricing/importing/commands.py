"""`market prices import FILE --market CODE`."""

from pathlib import Path

from market.auth.access import SYSTEM
from market.console import Commands, Namespace, Out
from market.pricing.importing.service import run_import
from market.web.i18n import gettext
from market.words import N_

CELLS_SAID = 20


def add_import(prices: Commands) -> None:
    """The verb, added to the `prices` group."""
    verb = prices.verb("import", run, "Read a price file of another source into its reference series")
    verb.add_argument("file", type=Path)
    verb.add_argument(
        "--market",
        metavar="CODE",
        help="a market's code or a region's (ID, ID-BA); files that name their regions need none",
    )
    verb.add_argument("--dry-run", action="store_true", help="show what would change and leave nothing behind")
    verb.add_argument(
        "--dates", choices=("dmy", "mdy"), help="order of day and month, where the file itself does not settle it"
    )


def run(args: Namespace, out: Out) -> None:
    with out.session() as session:
        result = run_import(session, args.file, market=args.market, by=SYSTEM, dry_run=args.dry_run, order=args.dates)
    if out.as_json:
        out.result(result)
        return
    if args.dry_run:
        out.say(gettext(DRY_RUN))
    out.say(gettext(RECOGNISED).format(title=result["title"]))
    out.say(gettext(COUNTED).format(**result))
    for flag in result["flags"]:
        out.say(f"! {flag['text']}")
    for code, count in result["reasons"].items():
        out.say(f"- {code}: {count}")
    for cell in result["refused_cells"][:CELLS_SAID]:
        out.say(f"  {cell['sheet']} {cell['row']}:{cell['column']} “{cell['raw']}” {cell['text']}")
    if len(result["refused_cells"]) > CELLS_SAID:
        out.say(gettext(MORE).format(count=len(result["refused_cells"]) - CELLS_SAID))


DRY_RUN = N_("Percobaan: tidak ada yang disimpan.")
RECOGNISED = N_("Dikenali: {title}.")
COUNTED = N_("{read} dibaca, {taken} baru, {unchanged} sama, {revised} berubah, {refused} ditolak.")
MORE = N_("… dan {count} sel lagi; semuanya ada di --json.")
