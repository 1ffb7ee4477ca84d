"""Public reads go to a replica that keeps up, and to the primary where it does not: a real streaming replica, paused and stopped."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlmodel import Session

from market import clock
from market.app import create_app
from market.database import make_engine, session_scope
from market.pricing.hot import HotPages
from market.replica import Replica
from tests.pricing.conftest import NOON, city
from tests.pricing.test_hot import correct
from tests.scale.cluster import Server, pair

__all__ = ["city"]
Asked = dict[str, int]


@pytest.fixture
def cluster(shared: Engine, city: Callable[[Session], None]) -> Iterator[tuple[Server, Server]]:
    with clock.freeze(NOON), session_scope(shared) as session:
        city(session)
    with pair(shared.url.set(drivername="postgresql").render_as_string(hide_password=False)) as servers:
        yield servers


def counting(engine: Engine, asked: Asked, name: str) -> None:
    def count(_connection: object, _cursor: object, statement: str, *rest: object) -> None:
        own = ("pg_", "SELECT area_id, version", "FROM installation", "alembic_version")  # versions, states: no page
        if statement.startswith("SELECT") and not any(part in statement for part in own):
            asked[name] = 1

    event.listen(engine, "before_cursor_execute", count)


@pytest.mark.fault
def test_a_replica_answers_while_it_is_near(cluster: tuple[Server, Server]) -> None:
    primary, follower = cluster
    engine = make_engine(primary.url())
    replica = Replica(follower.url(), engine, most_lag=10)
    app = create_app(engine=engine)
    app.state.replica = replica
    asked: Asked = {"primary": 0, "replica": 0}
    counting(engine, asked, "primary")
    counting(replica.engine, asked, "replica")

    def page(client: TestClient, url: str) -> tuple[str, Asked]:
        asked.update(primary=0, replica=0)
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        return answer.text, dict(asked)

    with clock.freeze(NOON), TestClient(HotPages(app)) as client:
        replica.look()
        assert (replica.state, replica.usable) == ("near", True)
        _, who = page(client, "/prices/BDG")
        assert who == {"primary": 0, "replica": 1}
        assert "replica near" in client.get("/readyz").text

        follower.ask("SELECT pg_wal_replay_pause()")  # the replica falls behind
        correct(engine, 58_100)
        text, who = page(client, "/prices/BDG")
        assert "58.100" in text and who["primary"] == 1, "a page is never drawn from before the publication it follows"
        for _ in range(2):
            replica.look()
        assert replica.state == "near", "ten seconds have not passed"
        replica._marks[0] = (replica._marks[0][0] - 30, replica._marks[0][1])
        replica.look()
        assert replica.state == "behind" and replica.lag is not None and replica.lag > 10
        assert page(client, "/prices/KRN")[1] == {"primary": 1, "replica": 0}
        assert "replica behind" in client.get("/readyz").text

        follower.ask("SELECT pg_wal_replay_resume()")
        for _ in range(100):
            replica.look()
            if replica.state == "near":
                break
        assert (replica.state, replica.lag) == ("near", 0.0)

        follower.stop()  # gone between two looks: the reader notices by itself
        text, who = page(client, "/board/BDG")
        assert "58.100" in text and who == {"primary": 1, "replica": 0} and replica.state == "gone"
        replica.look()
        assert client.get("/readyz").status_code == 200, "the primary suffices"

        follower.start()
        replica.look()
        primary.stop()
        replica.look()
        assert replica.state == "alone"
        text, who = page(client, "/commodities/cabai-rawit-merah")
        assert "58.100" in text and who["primary"] == 0, "public prices outlive the primary"
        assert client.get("/readyz").status_code == 503

        follower.promote()
        replica.look()
        assert replica.state == "promoted" and not replica.usable
    engine.dispose()
