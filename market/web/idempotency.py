"""Idempotency-Key: the same key with the same body gets the first answer, with another body 409.

Scope: (user, method, path, key). Kept 24 hours, in the transaction of the work itself; a refusal is not kept. A
duplicate in flight waits for nothing: it gets 409 and asks again.

    @router.post("/payments", status_code=201)
    def take(session: SessionDep, by: Clerk, once: Once, body: CashIn) -> Response:
        return once.answer(session, by, lambda: service.take_cash(…), ReceiptOut, status=201)
"""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import CheckConstraint, Text, delete, text
from sqlmodel import Field, Session, SQLModel, col

from market import clock
from market.auth.principal import Principal
from market.database import BigKey, UTCDateTime
from market.errors import Conflict, Invalid
from market.words import N_, say

LIFE = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,120}")


class KeyUsedDifferently(Conflict):
    message = N_("Idempotency-Key ini sudah dipakai untuk kiriman lain.")


class StillWorking(Conflict):
    message = N_("Kiriman yang sama sedang dikerjakan. Tunggu sebentar, lalu kirim lagi.")


class BadKey(Invalid):
    message = N_("Idempotency-Key harus 1 sampai 120 huruf atau angka, tanpa spasi.")


class IdempotentAnswer(SQLModel, table=True):
    """The first answer to a key, as it was sent."""

    __tablename__ = "idempotent_answer"
    __table_args__ = (CheckConstraint("status BETWEEN 200 AND 399", name="status"),)

    user_id: int = Field(primary_key=True, sa_type=BigKey)
    method: str = Field(primary_key=True, max_length=8)
    path: str = Field(primary_key=True, max_length=200)
    key: str = Field(primary_key=True, max_length=120)
    digest: str = Field(max_length=64)
    status: int
    body: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UTCDateTime, index=True)


class Idempotency:
    """One request's key; without one, work is simply done."""

    def __init__(self, method: str, path: str, key: str | None, digest: str) -> None:
        self.method = method
        self.path = path[:200]
        self.key = key
        self.digest = digest

    def answer(
        self, session: Session, by: Principal, work: Callable[[], Any], schema: type[BaseModel], *, status: int = 200
    ) -> Response:
        """Do the work, or repeat the first answer. Raises KeyUsedDifferently, StillWorking and what the work raises."""
        if self.key is None:
            return _response(schema.model_validate(work(), from_attributes=True).model_dump_json(), status)
        self._claim(session, by)
        owner = (by.user_id or 0, self.method, self.path, self.key)
        known = session.get(IdempotentAnswer, owner)
        if known is not None and known.at > clock.now() - LIFE:
            if known.digest != self.digest:
                raise KeyUsedDifferently
            return _response(known.body, known.status, repeated=True)
        body = schema.model_validate(work(), from_attributes=True).model_dump_json()
        if known is not None:
            session.delete(known)
            session.flush()
        session.add(
            IdempotentAnswer(
                user_id=owner[0], method=owner[1], path=owner[2], key=owner[3], digest=self.digest, status=status,
                body=body, at=clock.now(),
            )
        )  # fmt: skip
        session.flush()
        return _response(body, status)

    def _claim(self, session: Session, by: Principal) -> None:
        """Nobody else may be working on this key. SQLite has one writer at a time; PostgreSQL takes a lock by name."""
        if session.get_bind().dialect.name != "postgresql":
            return
        name = f"{by.user_id}|{self.method}|{self.path}|{self.key}".encode()
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        if not session.execute(text("SELECT pg_try_advisory_xact_lock(:n)"), {"n": number}).scalar():
            raise StillWorking


def _response(body: str, status: int, *, repeated: bool = False) -> Response:
    headers = {"idempotent-replayed": "true"} if repeated else {}
    return Response(body, status, headers, media_type="application/json")


async def read_key(
    request: Request,
    idempotency_key: Annotated[str | None, Header(description="Makes a repeated request the same request")] = None,
) -> Idempotency:
    """The key of a request and the digest of its body. Raises BadKey."""
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        raise BadKey(fields={"Idempotency-Key": say(N_("Bentuknya belum benar."))})
    digest = hashlib.sha256(await request.body()).hexdigest()
    return Idempotency(request.method, request.url.path, idempotency_key, digest)


Once = Annotated[Idempotency, Depends(read_key)]


def forget_old(session: Session) -> None:
    """Answers older than a day are not kept."""
    session.execute(delete(IdempotentAnswer).where(col(IdempotentAnswer.at) < clock.now() - LIFE))
