"""Carries a stand-in's notifications to the product, later and from a thread, as unreliably as its faults say."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from market.sandbox.faults import Dice
from market.sandbox.store import Document, Store

log = structlog.get_logger()
PAUSES: tuple[float, ...] = (1, 2, 4, 8, 16, 32, 60, 120)  # seconds between attempts, after which it gives up
LONGEST_HOLD = 3.0  # seconds a reordered message waits for another to overtake it


@dataclass(frozen=True)
class Attempt:
    """What came of one delivery: an HTTP status, or None when nobody answered."""

    status: int | None
    answer: str

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


Send = Callable[[Document], Attempt]


class Courier:
    """A queue in the store: what waits apart from what is done, so that a long day stays quick.

    `send` signs one message afresh and posts it. Times are real seconds, under MARKET_NOW too.
    """

    def __init__(self, store: Store, provider: str, dice: Dice, send: Send, pauses: tuple[float, ...] = PAUSES) -> None:
        self._store, self._dice, self._send, self._pauses = store, dice, send, pauses
        self._waiting, self._done, self._name = f"waiting:{provider}", f"delivered:{provider}", f"courier:{provider}"
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True, name=self._name)
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopping.set()
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def deliveries(self, subject: str | None = None) -> list[Document]:
        """Newest first; of one subject, or all."""
        found = [*self._store.every(self._waiting), *self._store.every(self._done)]
        return sorted((d for d in found if subject in (None, d["subject"])), key=lambda d: str(d["id"]), reverse=True)

    def post(self, subject: str, message_id: str, body: str, *, faultless: bool = False) -> None:
        """Queue one message about `subject`; unless `faultless`, it may be dropped, doubled, delayed, held or forged."""

        def strikes(fault: str) -> bool:
            return not faultless and self._dice.strikes(fault)  # type: ignore[arg-type]

        dropped, delayed = strikes("drop"), strikes("delay")
        held = not delayed and strikes("reorder")
        wait = self._dice.faults.delay_seconds if delayed else LONGEST_HOLD if held else 0.0
        document: Document = {
            "subject": subject,
            "message_id": message_id,
            "body": body,
            "state": "dropped" if dropped else "waiting",
            "due": time.time() + wait,
            "held": held,
            "forge": strikes("forge"),
            "tries": [],
        }
        with self._store.change():
            for _ in range(2 if strikes("duplicate") else 1):
                number = f"{self._store.next(self._name):08d}"
                self._store.put(self._done if dropped else self._waiting, number, {**document, "id": number})
        with self._wake:
            self._wake.notify_all()

    def _run(self) -> None:
        while not self._stopping.is_set():
            waiting = sorted(self._store.every(self._waiting), key=lambda d: (float(d["due"]), str(d["id"])))
            due = [d for d in waiting if d["due"] <= time.time()]
            for document in due:
                if self._stopping.is_set():
                    return
                self._deliver(document)
            if due:
                continue
            next_due = float(waiting[0]["due"]) if waiting else time.time() + 5
            with self._wake:
                if not self._stopping.is_set():
                    self._wake.wait(timeout=max(0.01, min(next_due - time.time(), 0.5)))

    def _deliver(self, document: Document) -> None:
        try:
            attempt = self._send(document)
        except Exception as error:  # the thread must outlive one bad message
            log.exception("sandbox delivery failed")
            attempt = Attempt(None, repr(error))
        document["tries"].append({"at": time.time(), "status": attempt.status, "answer": attempt.answer[:300]})
        document["held"] = False
        tried = len(document["tries"])
        over = attempt.taken or tried > len(self._pauses)
        document["state"] = "taken" if attempt.taken else "given up" if over else "waiting"
        if not over:
            document["due"] = time.time() + self._pauses[tried - 1]
        with self._store.change():
            self._store.put(self._done if over else self._waiting, document["id"], document)
            if over:
                self._store.drop(self._waiting, document["id"])
            for other in self._store.every(self._waiting):
                if other["held"]:
                    self._store.put(self._waiting, other["id"], {**other, "held": False, "due": time.time()})
