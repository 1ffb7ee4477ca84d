"""Ask a server for a file, and trust nothing about the answer: its size, its time, its kind, where it sends us."""

import ipaddress
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from market.errors import Invalid, Upstream
from market.settings import get_settings
from market.words import N_, say

LARGEST = 16 * 2**20
LONGEST = 60.0  # seconds for the whole answer: a server that drips for ever is not waited for
PATIENCE = httpx.Timeout(15.0, connect=10.0)


class BadAddress(Invalid):
    message = N_("Alamat harus dimulai dengan https:// atau http:// dan menuju server umum.")


class SourceSilent(Upstream):
    message = N_("Server tidak menjawab dengan file: {why}.")


class SourceTooLarge(Upstream):
    message = N_("Jawaban server terlalu besar; berhenti sesudah {mib} MiB.")


class SourceEndless(Upstream):
    message = N_("Jawaban server belum selesai sesudah {seconds} detik; dihentikan.")


class SourceIsPage(Upstream):
    message = N_("Server menjawab dengan halaman web, bukan file harga.")


@dataclass(frozen=True)
class Fetched:
    """What came. `body` is None where the server says that nothing has changed."""

    body: bytes | None
    etag: str
    modified: str
    name: str


def check_address(url: str) -> None:
    """Raises BadAddress for what is no web address, and in production for one inside our own network."""
    split = urlsplit(url) if url.isprintable() else urlsplit("")
    if split.scheme not in ("http", "https") or not split.hostname or split.username is not None:
        raise BadAddress(fields={"url": say(BadAddress.message)})
    if not get_settings().production:
        return
    try:
        found = socket.getaddrinfo(split.hostname, None, proto=socket.IPPROTO_TCP)
    except OSError as error:
        raise SourceSilent(why=type(error).__name__) from error
    if not all(ipaddress.ip_address(str(entry[4][0])).is_global for entry in found):
        raise BadAddress(fields={"url": say(BadAddress.message)})


def fetch(
    url: str, *, etag: str = "", modified: str = "", transport: httpx.BaseTransport | None = None,
    largest: int = LARGEST, longest: float = LONGEST,
) -> Fetched:  # fmt: skip
    """One conditional GET. Raises SourceSilent, SourceTooLarge, SourceEndless, SourceIsPage, BadAddress.

    A redirect is not followed: the address on record is the one an officer has read and confirmed.
    """
    check_address(url)
    headers = {
        "accept": "text/csv, application/json, application/octet-stream, */*;q=0.5",
        "user-agent": "smart-ekonomi",
    }
    headers |= {"if-none-match": etag} if etag else {}
    headers |= {"if-modified-since": modified} if modified else {}
    ends = time.monotonic() + longest
    try:
        with (
            httpx.Client(timeout=PATIENCE, transport=transport) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            if answer.status_code == 304:
                return Fetched(None, etag, modified, "")
            if answer.status_code != 200:
                raise SourceSilent(why=f"HTTP {answer.status_code}")
            body = _body(answer, ends, largest, longest)
            kind = answer.headers.get("content-type", "")
            new = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    except httpx.HTTPError as error:
        raise SourceSilent(why=type(error).__name__) from error
    if "html" in kind.lower() or body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise SourceIsPage
    return Fetched(body, new[0][:200], new[1][:60], urlsplit(url).path.rpartition("/")[2][:120] or "file")


def _body(answer: httpx.Response, ends: float, largest: int, longest: float) -> bytes:
    """The decoded body, counted while it grows: a small gzip may hold a large file."""
    pieces: list[bytes] = []
    size = 0
    for piece in answer.iter_bytes(64 * 1024):
        size += len(piece)
        if size > largest:
            raise SourceTooLarge(mib=largest // 2**20)
        if time.monotonic() > ends:
            raise SourceEndless(seconds=int(longest))
        pieces.append(piece)
    return b"".join(pieces)
