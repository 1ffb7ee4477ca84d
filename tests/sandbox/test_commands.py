"""`market sandbox`: the settings it prints, a taken port, production; and keys that two processes make at once."""

import json
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from market.cli import main
from market.payments.rails.snap import SnapClient
from market.sandbox.credentials import prepare
from market.settings import Settings, get_settings


def test_the_printed_settings_make_a_client(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "settings", "--folder", str(tmp_path), "--port", "8765", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert main(["sandbox", "settings", "--folder", str(tmp_path), "--port", "8765"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert dict(line.split("=", 1) for line in lines) == values
    assert values["MARKET_SNAP_BASE_URL"] == "http://127.0.0.1:8765"
    assert SnapClient(Settings(_env_file=None, **{k.removeprefix("MARKET_").lower(): v for k, v in values.items()}))


def test_a_taken_port_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["sandbox", "serve", "--folder", str(tmp_path), "--port", str(port)]) == 1
    assert capsys.readouterr().err == f"Porta {port} sudah dipakai program lain. Pilih yang lain dengan --port.\n"


def test_production_has_no_example_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("RECEIPT_KEY_FILE", "PERSONAL_KEYS_FILE"):
        (tmp_path / name).touch()
        monkeypatch.setenv(f"MARKET_{name}", str(tmp_path / name))
    monkeypatch.setenv("MARKET_ENVIRONMENT", "production")
    monkeypatch.setenv("MARKET_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("MARKET_BASE_URL", "https://market.example")
    get_settings.cache_clear()
    try:
        assert main(["sandbox", "serve", "--folder", str(tmp_path)]) == 1
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert "produksi" in capsys.readouterr().err


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: prepare(tmp_path), range(4)))
    assert len({each.inbound_secret for each in made}) == 1
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bank-private.pem",
        "bank-public.pem",
        "credentials.json",
        "market-private.pem",
        "market-public.pem",
    ]
