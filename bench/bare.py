"""The smallest honest FastAPI + SQLModel + Jinja application: one table, one page from one query. A limit, not a rival."""

import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment
from sqlmodel import Field, Session, SQLModel, create_engine, select


class Price(SQLModel, table=True):
    """One row of the bare page."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    price: int


engine = create_engine(os.environ.get("BARE_DATABASE_URL", "sqlite://"), connect_args={"check_same_thread": False})
SQLModel.metadata.create_all(engine, tables=[Price.__table__])  # type: ignore[attr-defined]
templates = Environment(
    loader=DictLoader(
        {"prices.html": "<h1>Prices</h1>{% for p in prices %}<p>{{ p.name }} {{ p.price }}</p>{% endfor %}"}
    ),
    autoescape=True,
)
app = FastAPI()


def get_session() -> Iterator[Session]:
    """A session per request."""
    with Session(engine) as session:
        yield session


@app.get("/", response_class=HTMLResponse)
def page(session: Annotated[Session, Depends(get_session)]) -> str:
    """All rows, rendered."""
    return templates.get_template("prices.html").render(prices=session.exec(select(Price)).all())
