"""The page of the round, its modules, worker and manifest: of one version, and of nobody, because the phone keeps them."""

import re
from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlmodel import Session

from market.auth.access import Role
from tests.dues import city


def test_what_the_phone_keeps_is_of_one_version_and_of_nobody(client: TestClient, sign_in: Callable[..., str]) -> None:
    with Session(client.app.state.engine) as session:  # type: ignore[attr-defined]
        city.market(session)
        city.market(session, "BDG")
        session.commit()
    assert client.get("/collect/offline").headers["location"].startswith("/login")
    sign_in(client, Role.collector, market_id="KRN")
    page = client.get("/collect/offline").text
    assert "Petugas collector" not in page and "BDG" not in page
    assert 'data-market="KRN"' in page
    modules = re.findall(r'"(/collect/app/\w+/[\w-]+\.js)"', page)
    assert len(modules) == len(set(modules)) > 5
    for address in modules:
        answer = client.get(address)
        assert answer.status_code == 200 and "javascript" in answer.headers["content-type"]
        assert "immutable" in answer.headers["cache-control"]
        version = address.split("/")[3]
        for name in re.findall(r'from "\./([\w-]+\.js)"', answer.text):
            assert f"/collect/app/{version}/{name}" in modules, "what a module imports is kept with it"
    other = modules[0].replace(version, "0" * len(version))
    for address in (other, f"/collect/app/{version}/offline-worker.js", f"/collect/app/{version}/..%2Fpage.js"):
        assert client.get(address).status_code == 404
    worker = client.get("/collect/worker.js")
    assert worker.text.startswith('const VERSION = "') and worker.headers["service-worker-allowed"] == "/collect"
    for address in ("/collect/app.webmanifest", "/office/prices/app.webmanifest"):
        said = client.get(address).json()
        assert said["start_url"].startswith(said["scope"])
        for icon in said["icons"]:
            assert client.get(icon["src"]).status_code == 200
    assert client.get("/office/prices/worker.js").headers["service-worker-allowed"] == "/office/prices"
