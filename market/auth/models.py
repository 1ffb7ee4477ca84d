"""Operator-wide tables: people who sign in, what they may do and where, and the sessions and tokens they hold."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, LargeBinary, String
from sqlmodel import Field, SQLModel

from market.clock import now
from market.database import BigKey, UTCDateTime


class Role(StrEnum):
    """Roles of decisions.md, "Who may do what"."""

    vendor = "vendor"
    surveyor = "surveyor"
    collector = "collector"
    clerk = "clerk"
    market_head = "market_head"
    treasurer = "treasurer"
    director = "director"
    auditor = "auditor"
    city_viewer = "city_viewer"
    admin = "admin"


def _in(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


class UserAccount(SQLModel, table=True):
    """A person who signs in. An officer has a password; a vendor's account points at the vendor."""

    __tablename__ = "user_account"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    username: str = Field(max_length=60, unique=True)
    name: str = Field(max_length=120)
    password_hash: str | None = Field(default=None, max_length=255)
    vendor_id: int | None = Field(default=None, sa_type=BigKey, index=True)
    active: bool = True
    totp_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    totp_last: int | None = Field(default=None, sa_type=BigKey)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class RoleGrant(SQLModel, table=True):
    """A role at an operator, at a market, or (both empty) in the whole city, for `[valid_from, valid_until)`.

    `deputy_for` names the officer a dated deputy (Plh) stands in for. A role taken away keeps its row, with when.
    """

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint(_in("role", Role), name="role"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="dates"),
        CheckConstraint("operator_id IS NULL OR market_id IS NULL", name="one_scope"),
        Index("ix_role_grant_user", "user_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    user_id: int = Field(foreign_key="user_account.id", sa_type=BigKey)
    role: Role = Field(sa_type=String(20))
    operator_id: str | None = Field(default=None, max_length=16)
    market_id: str | None = Field(default=None, max_length=8)
    valid_from: date
    valid_until: date | None = None
    deputy_for: int | None = Field(default=None, sa_type=BigKey)
    granted_by: int | None = Field(default=None, sa_type=BigKey)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class LoginSession(SQLModel, table=True):
    """A browser that is signed in. The cookie holds the token, we hold its hash."""

    __tablename__ = "login_session"

    token_hash: str = Field(primary_key=True, max_length=64)
    user_id: int = Field(sa_type=BigKey, index=True)
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    agent: str = Field(default="", max_length=200)


class ApiToken(SQLModel, table=True):
    """A program's token: the person's rights, or those of the roles named; hashed at rest, expiring, revocable."""

    __tablename__ = "api_token"

    token_hash: str = Field(primary_key=True, max_length=64)
    user_id: int = Field(sa_type=BigKey, index=True)
    name: str = Field(max_length=80)
    roles: str = Field(default="", max_length=120, sa_column_kwargs={"server_default": ""})
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class SignInFailure(SQLModel, table=True):
    """Failed sign-ins per user name and address, so that guessing slows down but nobody can lock out another."""

    __tablename__ = "sign_in_failure"

    key: str = Field(primary_key=True, max_length=64)
    failures: int
    retry_at: datetime = Field(sa_type=UTCDateTime)


class RecoveryCode(SQLModel, table=True):
    """A spare second factor for a lost phone, hashed; each opens once."""

    __tablename__ = "recovery_code"

    code_hash: str = Field(primary_key=True, max_length=64)
    user_id: int = Field(foreign_key="user_account.id", sa_type=BigKey, index=True)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class LoginCode(SQLModel, table=True):
    """A vendor's single-use log-in code, sent to their phone or printed at the desk. Never the card's pay code."""

    __tablename__ = "login_code"

    code_hash: str = Field(primary_key=True, max_length=64)
    vendor_id: int = Field(sa_type=BigKey, index=True)
    issued_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    issued_by: int | None = Field(default=None, sa_type=BigKey)
