"""A photo of a receipt's QR sent to /verify/photo: the same answer as its address, and nothing that breaks on bad files."""

import io
import os
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageFilter, ImageOps
from sqlalchemy import Engine

from market.database import session_scope
from market.payments import photo
from market.payments import service as payments
from market.payments.proof import address_of, qr_png
from market.settings import get_settings
from tests.payments.city import CLERK, FEE, HEAD, TODAY, build, noon
from tests.payments.test_verify_page import forged

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # no query of its own


@pytest.fixture
def addresses(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the QRs of two receipts hold."""
    monkeypatch.setenv("MARKET_RECEIPT_KEY_FILE", str(tmp_path / "receipt.pem"))
    get_settings.cache_clear()
    found = []
    with noon(), session_scope(database) as session:
        town = build(session)
        for n in range(2):
            done = payments.take_cash(
                session, market_id="KRN", vendor_id=town.vendors[n], amount=FEE, by=CLERK, key=str(n)
            )  # fmt: skip
            view = payments.receipt(session, done.number)
            assert view
            found.append(address_of(view))
    yield found
    get_settings.cache_clear()


def qr(text: str) -> Image.Image:
    return Image.open(io.BytesIO(qr_png(text, scale=6))).convert("L")


def snapped(*codes: Image.Image, size: tuple[int, int] = (1500, 2000), turn: float = 7) -> Image.Image:
    """As a phone takes it: codes on a grey table, turned, soft, noisy."""
    picture = Image.new("L", size, 120)
    top = 200
    for code in codes:
        tilted = code.rotate(turn, expand=True, fillcolor=120)
        picture.paste(tilted, (200, top))
        top += tilted.height + 150
    dice = random.Random(5)
    for _ in range(2_000):
        picture.putpixel((dice.randrange(size[0]), dice.randrange(size[1])), dice.randrange(256))
    return picture.filter(ImageFilter.GaussianBlur(1.2))


def file_of(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def send(client: TestClient, content: bytes, name: str = "bukti.jpg") -> tuple[int, str, str]:
    """Status, where it leads, and its words."""
    answer = client.post("/verify/photo", files={"photo": (name, content, "image/jpeg")})
    return answer.status_code, answer.headers.get("location", ""), answer.text


def test_a_photo_leads_to_the_same_answer(client: TestClient, database: Engine, addresses: list[str]) -> None:
    first, second = addresses
    path = first[first.index("/receipts/") :]
    for content in (
        qr_png(first), file_of(snapped(qr(first))), file_of(snapped(qr(first), turn=90), quality=60),
        file_of(snapped(qr(first), size=(3000, 4000))),
        file_of(snapped(qr(first)), "WEBP"), file_of(snapped(qr(first), qr("https://example.org/menu"))),
        file_of(qr(first).convert("RGBA"), "PNG"), file_of(snapped(qr(first), qr(first))),
    ):  # fmt: skip
        assert send(client, content)[:2] == (303, path)
    shown = client.get(path)
    assert shown.status_code == 200 and "8.325" in shown.text
    number = path.split("/")[2].split("?")[0]
    assert send(client, qr_png(number))[1] == f"/receipts/{number}", "a number alone says only genuine or not"
    assert send(client, qr_png(first.split("?t=")[1]))[1] == path, "a bare proof"
    assert send(client, qr_png("https://evil.example" + path))[1] == path, "whoever printed it, we are asked"
    lied = forged(first, b"|8325|", b"|9325|")
    status, where, _ = send(client, qr_png(lied))
    assert status == 303 and client.get(where).status_code == 404 and "tidak cocok" in client.get(where).text
    two = send(client, file_of(snapped(qr(first), qr(second))))
    assert two[0] == 422 and "lebih dari satu bukti" in two[2]
    with session_scope(database) as session:
        payments.cancel(session, number, reason="salah", asked_by=7, by=HEAD, business_day=TODAY)
    assert "ibatalkan" in client.get(send(client, qr_png(first))[1]).text


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that unpacks to side × side points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(b"\0" * (side // 8 + 1)) for _ in range(side)) + rows.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_bad_files_are_a_sentence(client: TestClient, addresses: list[str]) -> None:
    good = file_of(snapped(qr(addresses[0])))
    for content, said in (
        (b"", "Pilih fotonya dulu"),
        (b"halo", "bukan foto"),
        (good[: len(good) // 2], "bukan foto"),
        (os.urandom(200_000), "bukan foto"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "bukan foto"),
        (file_of(qr(addresses[0]), "GIF"), "bukan foto"),
        (b"\xff\xd8\xff" + b"\0" * 10 * 1024 * 1024, "terlalu besar"),
        (bomb(30_000), "terlalu besar"),
        (bomb(7_736), "Tidak ada QR"),
        (file_of(Image.new("L", (1, 1))), "Tidak ada QR"),
        (file_of(snapped()), "Tidak ada QR"),
        (qr_png("halo"), "Tidak ada QR"),
        (qr_png("/receipts/KRN-2026-0000001?t=" + "A" * 700), ""),
        (qr_png("A" * 500), "Tidak ada QR"),
    ):
        status, where, text = send(client, content)
        assert (status == 422 and said in text) or (said == "" and status == 303 and "?t=" not in where), said
    assert "Pilih fotonya dulu" in client.post("/verify/photo", data={"photo": "halo"}).text
    assert client.post("/verify/photo", content=b"\xff", headers={"content-type": "image/jpeg"}).status_code in (
        400,
        422,
    )
    assert client.post("/verify/photo", content=b"x" * 17_000_000).status_code == 413


def test_too_many_at_once_are_asked_to_come_again(
    client: TestClient, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo, "PATIENCE", 0.05)
    with photo.AT_ONCE, photo.AT_ONCE:
        status, _, text = send(client, qr_png(addresses[0]))
    assert status == 429 and "Coba lagi sebentar" in text
    assert send(client, qr_png(addresses[0]))[0] == 303


def test_a_large_picture_is_turned_in_grey(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kB may unpack to 240 MB of colours: not twice, on a page that anybody reaches."""
    modes, turn = [], ImageOps.exif_transpose

    def watched(picture: Image.Image) -> Image.Image:
        modes.append(picture.mode)
        return turn(picture)

    monkeypatch.setattr(ImageOps, "exif_transpose", watched)
    sent, held = io.BytesIO(), Image.Exif()
    held[0x0112] = 6
    coloured = qr("KRN-2026-0000001").convert("RGB")
    coloured.save(sent, "PNG", exif=held)
    assert photo.claim_in(sent.getvalue()).number == "KRN-2026-0000001"
    assert modes == ["L"]
