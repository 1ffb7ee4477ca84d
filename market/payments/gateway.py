"""The acquirer's client: one per process and settings. Routes take it as `bank: Acquirer` and call it with nothing open."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

from fastapi import Depends

from market.payments.rails.snap import SnapClient
from market.settings import Settings, get_settings


@lru_cache(maxsize=2)
def client_of(settings: Settings) -> SnapClient:
    """Keeps connections and the token between requests. Raises SnapNotConfigured."""
    return SnapClient(settings)


def acquirer() -> Callable[[], SnapClient]:
    """A maker, so that a page without QRIS settings still opens; asking for the client then says what is missing."""
    return lambda: client_of(get_settings())


Acquirer = Annotated[Callable[[], SnapClient], Depends(acquirer)]
