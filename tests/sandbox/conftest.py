import httpx
import pytest

from tests.sandbox.running import Running, sandbox, wait_for


@pytest.fixture(scope="module")
def running_once(tmp_path_factory: pytest.TempPathFactory):
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def _waiting(address: str) -> list[dict]:
    return [d for d in httpx.get(address).json() if d["state"] == "waiting"]


@pytest.fixture
def running(running_once: Running) -> Running:
    """A sandbox without faults, and an ear that has heard nothing yet."""
    for provider in ("acquirer", "stripe"):
        httpx.post(f"{running_once.url}/{provider}/control/faults", json={}).raise_for_status()
        wait_for(lambda at=f"{running_once.url}/{provider}/control/deliveries": not _waiting(at))
    running_once.ear.heard.clear()
    running_once.ear.refused.clear()
    running_once.ear.stripe.clear()
    running_once.ear.fail_next = 0
    return running_once
