"""What the stand-ins remember: JSON documents in one SQLite file, so that a restart keeps them."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Store:
    """Documents by kind and id, in the order they were first put. One connection, one lock, many threads."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._lock = threading.RLock()
        self._depth = 0
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS document (n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "
            "id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, id))"
        )

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing, and nobody in between. May be nested; the outermost commits."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def get(self, kind: str, id: str) -> Document | None:
        with self._lock:
            row = self._db.execute("SELECT body FROM document WHERE kind = ? AND id = ?", (kind, id)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, id: str, document: Document) -> None:
        with self._lock:
            self._db.execute(
                "INSERT INTO document (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, id, json.dumps(document)),
            )

    def drop(self, kind: str, id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, id))

    def every(self, kind: str) -> list[Document]:
        """Newest first."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM document WHERE kind = ? ORDER BY n DESC", (kind,)).fetchall()
        return [json.loads(body) for (body,) in rows]

    def next(self, counter: str) -> int:
        """1, 2, 3, … for each name."""
        with self.change():
            n = int((self.get("counter", counter) or {"n": 0})["n"]) + 1
            self.put("counter", counter, {"n": n})
        return n

    def restart(self, prefix: str) -> None:
        """Begin again every counter whose name starts with `prefix`."""
        with self._lock:
            self._db.execute("DELETE FROM document WHERE kind = 'counter' AND id LIKE ? || '%'", (prefix,))
