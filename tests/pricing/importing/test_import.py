"""Into the database and back, on both: once, twice, changed, dry, misnamed, by the command."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from market import cli
from market.auth.access import SYSTEM
from market.pricing.catalogue import UnknownArea
from market.pricing.importing.reasons import RegionNeeded
from market.pricing.importing.service import run_import
from tests.pricing.importing import samples


@pytest.fixture
def national(tmp_path: Path) -> Path:
    """The real national export of 2023, or one of our own."""
    real = samples.real_folder()
    if real is not None:
        return real / "pihps_national_xlsx" / "2023.xlsx"
    path = tmp_path / "2023.xlsx"
    path.write_bytes(samples.xlsx(samples.wide_rows(200)))
    return path


def figures(session: Session) -> int:
    return int(session.execute(text("SELECT count(*) FROM price")).scalar_one())


def outcome(result: dict[str, object]) -> tuple[object, ...]:
    assert result["read"] == sum(int(str(result[k])) for k in ("taken", "unchanged", "revised", "refused"))
    return tuple(result[k] for k in ("taken", "unchanged", "revised", "refused"))


def test_read_twice_nothing_changes(session: Session, national: Path) -> None:
    first = run_import(session, national, market="ID", by=SYSTEM)
    taken, _, _, refused = outcome(first)
    assert (first["format"], first["series"]) == ("pihps_wide", ["ID"])
    assert figures(session) == taken
    assert outcome(run_import(session, national, market="id", by=SYSTEM)) == (0, taken, 0, refused)
    assert figures(session) == taken


def test_a_changed_value_becomes_a_revision(session: Session) -> None:
    rows = samples.wide_rows(20)
    run_import(session, samples.table(rows), name="a.csv", market="ID", by=SYSTEM)
    rows[1][2] = "99,999"
    rows[3][4] = "15,000"
    result = run_import(session, samples.table(rows), name="a.csv", market="ID", by=SYSTEM)
    assert outcome(result) == (1, 98, 1, 0)
    assert [flag["code"] for flag in result["flags"]] == ["revised"]
    old, new = session.execute(text("SELECT old_price, new_price FROM price_correction")).one()
    assert (old, new) == (12_000, 99_999)


def test_a_dry_run_says_the_same_and_leaves_nothing(session: Session) -> None:
    content = samples.panel_city()
    dry = run_import(session, content, name="a.csv", market="ID-JB-BANDUNG", by=SYSTEM, dry_run=True)
    for table in ("price", "price_series", "audit_entry"):
        assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
    assert session.execute(text("SELECT count(*) FROM area WHERE id = 'ID-JB-BANDUNG'")).scalar_one() == 0
    wet = run_import(session, content, name="a.csv", market="ID-JB-BANDUNG", by=SYSTEM)
    assert outcome(dry) == outcome(wet) == (4, 0, 0, 2)


def test_many_regions_go_to_their_own_series(session: Session) -> None:
    result = run_import(session, samples.province(), name="beras.csv", market=None, by=SYSTEM)
    assert result["series"] == ["ID-BA", "ID-JI"]
    rows = session.execute(text("SELECT DISTINCT p.area_id, p.status, p.n FROM price p ORDER BY 1")).all()
    assert [tuple(r) for r in rows] == [("ID-BA", "reference", None), ("ID-JI", "reference", None)]


def test_what_our_basket_lacks_gets_a_key_of_its_own(session: Session) -> None:
    run_import(session, samples.table(samples.wide_rows()), name="a.csv", market="ID", by=SYSTEM)
    row = session.execute(text("SELECT name, surveyed, group_code FROM commodity WHERE id = 'pihps-cabai-unik'")).one()
    assert (row.name, bool(row.surveyed), row.group_code) == ("Cabai Unik", False, "reference")


def test_a_file_under_another_regions_name_is_flagged(session: Session) -> None:
    content = samples.table(samples.wide_rows())
    run_import(session, content, name="a.csv", market="ID", by=SYSTEM)
    result = run_import(session, content, name="a.csv", market="ID-BA", by=SYSTEM)
    assert [flag["code"] for flag in result["flags"]] == ["repeats_region"]
    other = run_import(session, samples.table(samples.wide_rows(20, 50)), name="b.csv", market="ID-JI", by=SYSTEM)
    assert other["flags"] == []


def test_a_file_of_one_region_needs_a_known_region(session: Session) -> None:
    content = samples.table(samples.wide_rows())
    with pytest.raises(RegionNeeded):
        run_import(session, content, name="a.csv", market=None, by=SYSTEM)
    for code in ("XYZ", "ID-ZZ", "ID-BA-" + "A" * 11, "'; --"):
        with pytest.raises(UnknownArea):
            run_import(session, content, name="a.csv", market=code, by=SYSTEM)


def test_the_command(database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(samples.table(samples.wide_rows()))
    assert cli.main(["prices", "import", str(path), "--market", "ID", "--dry-run", "--json"], database) == 0
    assert json.loads(capsys.readouterr().out)["taken"] == 99
    assert cli.main(["prices", "import", str(path), "--market", "ID"], database) == 0
    assert "100 dibaca, 99 baru" in capsys.readouterr().out
    assert cli.main(["prices", "import", str(path), "--market", "ID", "--json"], database) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 99
    path.write_bytes(b"<html>")
    assert cli.main(["prices", "import", str(path), "--market", "ID"], database) == 1
    assert "halaman web" in capsys.readouterr().err
