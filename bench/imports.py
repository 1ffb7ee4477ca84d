"""Reading a price file: every cell judged, every refusal named, in the same transaction as the rows it becomes.

The limit is the same file through the bare csv module into the same table with its key and its triggers, nothing judged:
`executemany … ON CONFLICT DO NOTHING` on SQLite, COPY into a staging table and one upsert on PostgreSQL.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from bench.harness import Row, compare, postgres
from market import guards, tables
from market.auth.access import SYSTEM
from market.database import make_engine, session_scope
from market.pricing import catalogue
from market.pricing.basket import ALIASES, alias_name
from market.pricing.codes import CodeKind, Codes
from market.pricing.importing.regions import PROVINCES, region_named
from market.pricing.importing.service import run_import

GOODS = (
    "Beras", "Beras Kualitas Medium I", "Beras Kualitas Super I", "Daging Ayam", "Daging Sapi", "Telur Ayam", "Bawang Merah",
    "Bawang Putih", "Cabai Merah", "Cabai Rawit", "Cabai Rawit Merah", "Minyak Goreng", "Gula Pasir",
)  # fmt: skip
COLUMNS = "area_id, series_id, day, revision, price, low, high, mode, mean, n, status"


def province_file(rows: int) -> bytes:
    """A long PIHPS file: goods × provinces × days, prices that move in steps of Rp 50."""
    places = list(PROVINCES.values())[:34]
    days = -(-rows // (len(GOODS) * len(places)))
    theirs = Codes.shipped("pihps")
    number = {place: theirs.number_of(CodeKind.area, region_named(place).id) for place in places}  # type: ignore[union-attr]
    goods = {good: theirs.number_of(CodeKind.commodity, ALIASES["pihps", alias_name(good)]) for good in GOODS}
    out = io.StringIO()
    out.write("Date_Scraped,Date_Param,Commodity_ID,Commodity_Name,Province_ID,Province_Name,Price,Price_Type\n")
    written = 0
    for i in range(days):
        day = (date(2019, 1, 1) + timedelta(days=i)).isoformat()
        for g, good in enumerate(GOODS):
            for p, place in enumerate(places):
                if written < rows:
                    written += 1
                    out.write(
                        f"2026-02-12,{day},{goods[good]},{good},{number[place]},{place},{12_000 + 4_000 * g + 50 * ((i * 7 + p * 13) % 97)}.0,1\n"
                    )
    return out.getvalue().encode()


def _fresh(engine: Engine) -> None:
    with engine.begin() as connection:
        tables.metadata.drop_all(connection)
        tables.metadata.create_all(connection)
        guards.install(connection)
    with session_scope(engine) as session:
        catalogue.seed(session)


def _keys(session: Any) -> dict[tuple[str, str], tuple[str, int]]:
    """(province, good) as the file says them → (area, series): made beforehand, so that the limit only looks them up."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for name in list(PROVINCES.values())[:34]:
        region = region_named(name)
        assert region is not None
        catalogue.add_area(session, region.id, region.name, kind=region.kind)
        ids, _ = catalogue.series_ids(session, region.id, "pihps", {ALIASES["pihps", alias_name(g)] for g in GOODS})
        found |= {(name, g): (region.id, ids[ALIASES["pihps", alias_name(g)]]) for g in GOODS}
    return found


def _bare_rows(path: Path, keys: dict[tuple[str, str], tuple[str, int]]) -> Iterator[tuple[Any, ...]]:
    with path.open(newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for row in reader:
            area, series = keys[row[5], row[3]]
            yield (area, series, row[1], 0, int(float(row[6])), None, None, None, None, None, "reference")


def ours(engine: Engine, path: Path, rows: int) -> None:
    with session_scope(engine) as session:
        result = run_import(session, path, market=None, by=SYSTEM)
    assert (result["taken"], result["refused"]) == (rows, 0), result["reasons"]


def bare_sqlite(engine: Engine, path: Path) -> None:
    with session_scope(engine) as session:
        statement = f"INSERT INTO price ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
        cursor = session.connection().connection.driver_connection.cursor()  # type: ignore[union-attr]
        cursor.executemany(statement, _bare_rows(path, _keys(session)))


def bare_postgresql(engine: Engine, path: Path) -> None:
    with session_scope(engine) as session:
        keys = _keys(session)
        session.execute(text("CREATE TEMP TABLE staged (LIKE price) ON COMMIT DROP"))
        driver: Any = session.connection().connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY staged ({COLUMNS}) FROM STDIN") as copy:
            for row in _bare_rows(path, keys):
                copy.write_row(row)
        session.execute(text(f"INSERT INTO price ({COLUMNS}) SELECT {COLUMNS} FROM staged ON CONFLICT DO NOTHING"))


def _row(
    name: str,
    engine: Engine,
    path: Path,
    rows: int,
    bare: Callable[[Engine, Path], None],
    limit: str,
    target: float,
    rounds: int,
) -> Row:
    return compare(
        f"import of {rows:,} price rows, {name}",
        "rows/s",
        ours=lambda: ours(engine, path, rows),
        limit=lambda: bare(engine, path),
        limit_name=limit,
        target=target,
        rounds=rounds,
        warmup=0,
        amount=rows,
        before=lambda: _fresh(engine),
    )


def rows(*, full: bool) -> Iterator[Row]:
    """Two rows: SQLite and PostgreSQL; a million rows with FULL=1, else two hundred thousand."""
    size, rounds = (1_000_000, 3) if full else (200_000, 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.csv"
        path.write_bytes(province_file(size))
        yield _row(
            "SQLite",
            make_engine(f"sqlite:///{folder}/import.db"),
            path,
            size,
            bare_sqlite,
            "csv + executemany upsert",
            0.5,
            rounds,
        )
        with postgres() as server:
            engine = make_engine(server.create("imports"))
            yield _row("PostgreSQL", engine, path, size, bare_postgresql, "csv + COPY + upsert", 0.7, rounds)
            engine.dispose()
