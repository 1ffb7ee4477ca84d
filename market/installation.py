"""Facts about this installation that are neither settings nor business: whether it holds sample data, its version."""

from sqlmodel import Field, Session, SQLModel

SAMPLE_DATA = "sample_data"


class InstallationFact(SQLModel, table=True):
    """A name and its value."""

    __tablename__ = "installation_fact"

    name: str = Field(primary_key=True, max_length=40)
    value: str = Field(max_length=400)


def get(session: Session, name: str) -> str | None:
    """The fact, or None where it was never set."""
    row = session.get(InstallationFact, name)
    return row.value if row else None


def put(session: Session, name: str, value: str) -> None:
    """Set the fact."""
    session.merge(InstallationFact(name=name, value=value))
    session.flush()
