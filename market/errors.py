"""What can go wrong, as a tree. Services raise these; the edge turns them into an answer.

MarketError
├── NotFound         404  it is not there, or not for this person to know
├── Unauthenticated  401  we do not know who is asking
├── Forbidden        403  we know who is asking, and they may not
├── Conflict         409  true in itself, but not beside what is already recorded
├── Invalid          422  wrong in itself; `fields` says where
├── TooMany          429  too often; try later
└── Upstream         502  a bank or provider answered badly or not at all
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from market.words import N_, Message


class MarketError(Exception):
    """Base of every refusal. A subclass is named for the fact and sets `message`, an Indonesian sentence."""

    status: ClassVar[int] = 500
    message: ClassVar[str] = N_("Terjadi kesalahan.")

    def __init__(self, *, fields: Mapping[str, Message] | None = None, **args: Any) -> None:
        self.args_by_name = args
        self.fields: dict[str, Message] = dict(fields or {})
        self.text = Message(type(self).message, args)
        super().__init__(str(self.text))

    @property
    def code(self) -> str:
        """The class's name in snake_case: `PlaceTaken` is `place_taken`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


class NotFound(MarketError):
    status = 404
    message = N_("Tidak ditemukan.")


class Unauthenticated(MarketError):
    status = 401
    message = N_("Silakan masuk dulu.")


class Forbidden(MarketError):
    status = 403
    message = N_("Anda tidak berwenang membuka atau melakukan ini.")


class Conflict(MarketError):
    status = 409
    message = N_("Bertentangan dengan yang sudah tercatat.")


class Invalid(MarketError):
    status = 422
    message = N_("Ada isian yang perlu diperbaiki.")


class TooMany(MarketError):
    status = 429
    message = N_("Terlalu sering. Coba lagi sebentar lagi.")


class Upstream(MarketError):
    status = 502
    message = N_("Bank atau penyedia belum menjawab. Belum ada yang berubah; coba lagi.")
