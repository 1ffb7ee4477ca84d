"""PostgreSQL only: what several processes and hosts do with one database."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from tests.conftest import _create_database


@pytest.fixture
def shared(templates: Callable[[str], Engine]) -> Iterator[Engine]:
    """A fresh migrated PostgreSQL database that programs of their own can reach."""
    source = templates("postgresql")
    source.dispose()
    engine = _create_database("s_" + uuid.uuid4().hex[:12], str(source.url.database))
    yield engine
    engine.dispose()
