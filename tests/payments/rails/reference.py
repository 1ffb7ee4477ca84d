"""The shared test vectors; a clone without them tests on a few of our own making, in the same shape."""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


@lru_cache
def reference_data(name: str) -> dict[str, Any]:
    folder = Path(os.environ.get("MARKET_TEST_DATA", ROOT.parent / "shared" / "data"))
    path = folder / name
    if not path.is_file():
        path = Path(__file__).with_name("vectors") / name
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
