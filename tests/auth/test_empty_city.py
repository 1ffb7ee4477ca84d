"""An empty city of one's own in three commands: the admin, then operator, market and places by file or page."""

import json
import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlmodel import Session

from market.auth.models import RoleGrant
from market.vendors.models import Place
from market.web.render import ROOT
from tests.conftest import PASSWORD
from tests.vendors.test_import import good


def run(database: Engine, folder: Path, *words: str) -> dict[str, object]:
    env = os.environ | {
        "MARKET_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "PYTHONPATH": str(ROOT),
        "SANDI": PASSWORD,
    }
    done = subprocess.run(
        [sys.executable, "-m", "market", *words, "--json"], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_three_commands_make_a_city(database: Engine, tmp_path: Path) -> None:
    (tmp_path / "pasar.xlsx").write_bytes(good())
    run(database, tmp_path, "user", "add", "kepala", "--role", "admin", "--password-env", "SANDI")
    run(database, tmp_path, "registry", "operator", "PERUMDA", "--name", "Perumda Contoh")
    market = ("registry", "market", "KRN", "--name", "Pasar Kereneng", "--operator", "PERUMDA", "--regime", "PERUMDA")
    run(database, tmp_path, *market, "--session", "pagi=06:00-15:00")
    taken = run(database, tmp_path, "registry", "import", "pasar.xlsx", "--market", "KRN")
    assert taken["written"] is True
    with Session(database) as session:
        assert session.execute(select(func.count()).select_from(Place)).scalar_one() == 1
        assert session.execute(select(RoleGrant.role)).scalars().all() == ["admin"]
