"""Reading a registry workbook of 10,000 places, vendors and permits: every cell judged, every refusal named, all or nothing.

The limit is raw inserts of the same rows into the same tables with their keys and triggers, from values made beforehand:
nothing read, judged, encrypted or audited. The memory row is the most that a process of its own held more while the file was
read: in this one, which made the file and may have run other benchmarks, an earlier peak would hide it.
"""

import io
import multiprocessing
import tempfile
import time as timer
from collections.abc import Iterator
from datetime import date, time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rustpy_xlsxwriter import FastExcel
from sqlalchemy import Engine, insert, select

from bench.harness import Row, compare, postgres, report
from market import guards, tables
from market.auth.access import SYSTEM
from market.database import make_engine, session_scope
from market.vendors import service as vendors
from market.vendors.importing import import_registry
from market.vendors.models import FeeRegime, Permit, Personal, Place, Vendor

PLACES = 10_000
DAY = date(2026, 1, 1)


def workbook(n: int) -> bytes:
    """A file of n places, vendors with NIK and phone (invented), and permits."""
    target = io.BytesIO()
    made = FastExcel(target)
    made.sheet(
        "Tempat",
        [
            {"Kode": f"A{i:05d}", "Jenis": "los", "Blok": f"B{i // 100}", "Nomor": i % 100 + 1, "Luas m²": "4,00"}
            for i in range(n)
        ],
    )
    made.sheet(
        "Pedagang",
        [
            {
                "Nomor pedagang": f"V{i:05d}", "Nama dagang": f"Warung Contoh {i}", "Jenis": "orang",
                "NIK": f"997101{10 + i % 18:02d}{1 + i % 12:02d}90{i % 10_000:04d}", "HP": f"0812{i:08d}",
            }
            for i in range(n)
        ],
    )  # fmt: skip
    made.sheet(
        "Izin",
        [
            {"Kode tempat": f"A{i:05d}", "Sesi": "pagi", "Nomor pedagang": f"V{i:05d}", "Mulai": "2026-01-01"}
            for i in range(n)
        ],
    )
    made.save()
    return target.getvalue()


def fresh(engine: Engine) -> None:
    """An empty market."""
    with engine.begin() as connection:
        tables.metadata.drop_all(connection)
        tables.metadata.create_all(connection)
        guards.install(connection)
    with session_scope(engine) as session:
        vendors.add_operator(session, "PERUMDA", name="Perumda Contoh", by=SYSTEM)
        hours = [("pagi", "Pagi", time(6), time(15))]
        vendors.add_market(
            session, "KRN", operator_id="PERUMDA", name="Pasar Contoh", fee_regime=FeeRegime.PERUMDA, sessions=hours,
            by=SYSTEM,
        )  # fmt: skip


def ours(engine: Engine, content: bytes, n: int) -> None:
    with session_scope(engine) as session:
        done = import_registry(session, vendors.get_market(session, "KRN"), content, by=SYSTEM, name="pasar.xlsx")
    assert done.written and not done.problems, done.problems[:3]
    assert done.taken == {"Tempat": n, "Pedagang": n, "Izin": n}


def kept(engine: Engine) -> list[tuple[Any, list[dict[str, Any]]]]:
    """The rows an import leaves, table by table, as values."""
    found = []
    with session_scope(engine, write=False) as session:
        for table in (Place, Vendor, Personal, Permit):
            rows = session.execute(select(*table.__table__.c)).mappings()  # type: ignore[union-attr]
            found.append((table, [dict(r) for r in rows]))
    return found


def raw(engine: Engine, rows: list[tuple[Any, list[dict[str, Any]]]]) -> None:
    with session_scope(engine) as session:
        for table, values in rows:
            session.execute(insert(table.__table__), values)


def memory_of_reading(url: str, content: bytes) -> tuple[float, float]:
    """MiB that one reading of the file adds to a fresh process at its peak, and its seconds."""
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=_read_alone, args=(there, url, content))
    child.start()
    there.close()
    before, most, seconds = here.recv()  # EOFError where it failed; what failed stands on stderr
    child.join()
    return (most - before) / 1024, seconds


def _read_alone(answer: Connection, url: str, content: bytes) -> None:
    engine = make_engine(url)
    fresh(engine)
    before, begun = _peak(), timer.perf_counter()
    ours(engine, content, PLACES)
    answer.send((before, _peak(), timer.perf_counter() - begun))


def _peak() -> int:
    """KiB this process held at most. Not `ru_maxrss`: a started program inherits its parent's peak in it."""
    return next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )


def rows(*, full: bool) -> Iterator[Row]:
    """SQLite and PostgreSQL, 3 × 10,000 rows of one file; then the memory the reading took."""
    content = workbook(PLACES)
    with tempfile.TemporaryDirectory() as folder:
        local = make_engine(f"sqlite:///{Path(folder) / 'registry.db'}")
        held, seconds = memory_of_reading(str(local.url), content)
        yield from _compared("SQLite", local, content)
        yield report(
            "memory of a workbook of 10,000 places",
            "MiB",
            [held],
            f"{seconds:.1f} s, {len(content) / 1024:.0f} KiB file",
        )
        local.dispose()
    with postgres() as server:
        engine = make_engine(server.create("registry"))
        fresh(engine)
        ours(engine, content, PLACES)
        yield from _compared("PostgreSQL", engine, content)
        engine.dispose()


def _compared(name: str, engine: Engine, content: bytes) -> Iterator[Row]:
    values = kept(engine)
    yield compare(
        f"registry workbook of {PLACES:,} places, {name}",
        "rows/s",
        ours=lambda: ours(engine, content, PLACES),
        limit=lambda: raw(engine, values),
        limit_name="raw inserts of the same rows",
        target=0.1,  # a guard against getting slower; the issue names no figure
        rounds=2,
        warmup=0,
        amount=3 * PLACES,
        before=lambda: fresh(engine),
    )
