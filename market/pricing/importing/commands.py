"""`market prices import FILE --market CODE`."""

from pathlib import Path

from market import clock
from market.auth.access import SYSTEM
from market.console import Commands, Namespace, Out
from market.pricing.importing.mappings import shape_of
from market.pricing.importing.outliers import outliers
from market.pricing.importing.service import run_import
from market.pricing.importing.shapes import read, recognise
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
    verb.add_argument("--mapping", metavar="NAME", help="a saved mapping, for a sheet that is not known by sight")
    check = prices.verb("outliers", run_outliers, "Hold a file's series against the entry rule; nothing is imported")
    check.add_argument("file", type=Path)


def run(args: Namespace, out: Out) -> None:
    with out.session() as session:
        result = run_import(
            session, args.file, market=args.market, by=SYSTEM, dry_run=args.dry_run, order=args.dates,
            mapping=shape_of(session, args.mapping) if args.mapping else None,
        )  # fmt: skip
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


def run_outliers(args: Namespace, out: Out) -> None:
    """Nothing is imported: the file's own series are held against the rule."""
    found = read(recognise(args.file), today=clock.today())
    judged, hits = outliers(found)
    if not out.as_json:
        for hit in hits:
            out.say(f"{hit.region}  {hit.commodity}  {hit.day}  {hit.last} → {hit.price}  {hit.doubt}")
    listed = [{"region": h.region, "commodity": h.commodity, "day": h.day, "last": h.last, "price": h.price,
               "doubt": str(h.doubt)} for h in hits]  # fmt: skip
    result: dict[str, object] = {"read": found.read, "judged": judged, "hits": len(hits)}
    out.result(result | ({"list": listed} if out.as_json else {}))
