import httpx
import pytest

from tests.sandbox.running import Running, sandbox


@pytest.fixture(scope="module")
def running_once(tmp_path_factory: pytest.TempPathFactory):
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def running(running_once: Running) -> Running:
    """A sandbox without faults, and an ear that has heard nothing yet."""
    running_once.ear.heard.clear()
    running_once.ear.refused.clear()
    running_once.ear.stripe.clear()
    running_once.ear.fail_next = 0
    httpx.post(f"{running_once.url}/acquirer/control/faults", json={}).raise_for_status()
    return running_once
