"""What a provider does wrong, on demand or from a seed. The same seed and the same requests give the same faults."""

import random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from market.sandbox.store import Store

Fault = Literal["duplicate", "reorder", "delay", "drop", "fail_after_commit", "hang", "lie_amount", "lie_qr", "forge"]
Rate = Field(default=0.0, ge=0, le=1)
NAMES: tuple[Fault, ...] = (
    "duplicate",
    "reorder",
    "delay",
    "drop",
    "fail_after_commit",
    "hang",
    "lie_amount",
    "lie_qr",
    "forge",
)


class Faults(BaseModel):
    """A chance from 0 to 1 for each fault; `once` names faults that strike the next time and then no more."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 0
    duplicate: float = Rate
    reorder: float = Rate
    delay: float = Rate
    delay_seconds: float = Field(default=5.0, ge=0, le=600)
    drop: float = Rate
    fail_after_commit: float = Rate
    hang: float = Rate
    hang_seconds: float = Field(default=15.0, ge=0, le=120)
    lie_amount: float = Rate
    lie_qr: float = Rate
    forge: float = Rate
    refuse_repeats: bool = False  # a refund's number again is a conflict, where others give the first answer again
    once: list[Fault] = []

    @property
    def any(self) -> bool:
        """Whether anything can go wrong at all."""
        return bool(self.once) or max(getattr(self, name) for name in NAMES) > 0


class Dice:
    """One provider's faults, kept in its store."""

    def __init__(self, store: Store, provider: str) -> None:
        self._store, self._provider = store, provider

    @property
    def faults(self) -> Faults:
        return Faults.model_validate(self._store.get("faults", self._provider) or {})

    def set(self, faults: Faults) -> None:
        """New chances; the draws begin again, so that a seed means one sequence."""
        with self._store.change():
            self._store.put("faults", self._provider, faults.model_dump())
            self._store.restart(f"draw:{self._provider}:")

    def strikes(self, fault: Fault) -> bool:
        """Whether this fault happens now. Each fault has a sequence of its own."""
        with self._store.change():
            faults = self.faults
            if fault in faults.once:
                left = list(faults.once)
                left.remove(fault)
                self._store.put("faults", self._provider, faults.model_copy(update={"once": left}).model_dump())
                return True
            chance: float = getattr(faults, fault)
            if chance == 0:
                return False
            n = self._store.next(f"draw:{self._provider}:{fault}")
            return random.Random(f"{faults.seed}:{fault}:{n}").random() < chance
