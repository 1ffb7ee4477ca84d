"""An uploaded plan: only pictures of a sane size, re-drawn; places put on it by numbers; the plan falls back to its grid."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from market.audit import AuditEntry
from market.auth.access import SYSTEM, Role
from market.database import session_scope
from market.vendors import plans
from market.vendors import service as vendors
from market.vendors.models import PlaceKind
from market.vendors.plan_image import DrawingTooBig, DrawingTooSmall, NotADrawing, redrawn
from market.vendors.plan_models import WHOLE, PlaceBox
from market.vendors.plan_pages import hundredths
from market.vendors.registry import NewPlace
from tests.vendors.test_pages import fill
from tests.vendors.test_permits import small_market

SignIn = Callable[..., str]
SECRET = "catatan rahasia pemotret"


def png(width: int = 400, height: int = 300, mode: str = "RGB", kind: str = "PNG") -> bytes:
    target = io.BytesIO()
    note = PngInfo()
    note.add_text("Comment", SECRET)
    more = {"pnginfo": note} if kind == "PNG" else {"comment": SECRET.encode()}
    Image.new(mode, (width, height), "white").save(target, kind, **more)
    return target.getvalue()


def header_only(width: int, height: int) -> bytes:
    """A PNG that promises `width` × `height` points in a few bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    start = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_only_whole_pictures_of_a_sane_size_are_redrawn() -> None:
    for kind, mode in (("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1"), ("JPEG", "RGB"), ("JPEG", "CMYK")):
        made, width, height = redrawn(png(mode=mode, kind=kind))
        assert (width, height) == (400, 300) and made.startswith(b"\x89PNG") and SECRET.encode() not in made
    assert redrawn(png(4000, 1000))[1:] == (1800, 450)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for wrong in (
        b"",
        b"%PDF-1.7",
        svg,
        png()[:200],
        b"GIF89a" + b"\0" * 500,
        png(kind="BMP"),
        b"\xff\xd8\xff\xe0" * 99,
    ):
        with pytest.raises(NotADrawing):
            redrawn(wrong)
    for bomb in (header_only(50_000, 50_000), header_only(12_001, 200), header_only(9_000, 9_000)):
        with pytest.raises(DrawingTooBig):
            redrawn(bomb)
    with pytest.raises(DrawingTooBig):
        redrawn(png() + b"\0" * 9_000_000)
    with pytest.raises(DrawingTooSmall):
        redrawn(png(90, 400))


def test_a_turned_photo_stands_upright() -> None:
    target = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), "white").save(target, "JPEG", exif=exif)
    assert redrawn(target.getvalue())[1:] == (200, 400)


@given(st.integers(1, WHOLE), st.integers(1, WHOLE), st.integers(1, 200), st.integers(1, 60))
def test_a_block_shares_its_box_without_gap_or_overlap(w: int, h: int, count: int, columns: int) -> None:
    box = plans.Box(0, 0, w, h)
    columns = min(columns, count)
    rows = -(-count // columns)
    if w < columns or h < rows:
        with pytest.raises(plans.BadBox):
            box.cells(count, columns)
        return
    cells = box.cells(count, columns)
    assert len(cells) == count and all(c.w > 0 and c.h > 0 for c in cells)
    for n, c in enumerate(cells):
        if n % columns:
            assert cells[n - 1].x + cells[n - 1].w == c.x
        if n >= columns:
            assert cells[n - columns].y + cells[n - columns].h == c.y
    assert max(c.x + c.w for c in cells[:columns]) == w or count < columns
    assert all(c.x + c.w <= w and c.y + c.h <= h for c in cells)


@pytest.mark.parametrize(
    ("typed", "held"), [("0", 0), ("12.5", 1250), ("12.05", 1205), ("100.00", 10_000), ("7.", 700), ("7.9", 790)]
)
def test_percent_to_ten_thousandths(typed: str, held: int) -> None:
    assert hundredths(typed) == held


def test_a_plan_is_drawn_placed_and_taken_off_again(client: TestClient, sign_in: SignIn, database: Engine) -> None:
    fill(client)
    with session_scope(database) as session:
        vendors.add_places(session, "KRN", [NewPlace(f"C-{n}", PlaceKind.LOS, "C", n) for n in range(1, 7)], by=SYSTEM)
    sign_in(client, Role.collector, market_id="KRN")
    assert client.get("/office/plan/KRN/edit").status_code == 403
    sign_in(client, Role.clerk, market_id="SND")
    assert client.get("/office/plan/KRN/edit").status_code == 404
    sign_in(client, Role.clerk, market_id="KRN")
    assert "Pasang gambar denah" in client.get("/office/plan/KRN").text
    page = client.get("/office/plan/KRN/edit").text
    assert "Belum ada gambar denah" in page and "plan.js" not in page
    image = "/office/plan/KRN/image"
    for sent, code in (
        ({}, 422),
        ({"file": ("a.svg", b"<svg/>")}, 422),
        ({"file": ("a.png", header_only(9**5, 9**5))}, 422),
    ):
        refused = client.post(image, data={"floor": "1"}, files=sent or None)
        assert refused.status_code == code and "<svg/>" not in refused.text
    assert client.post(image, data={"floor": "99"}, files={"file": ("a.png", png())}).status_code == 404
    boxes = "/office/plan/KRN/boxes"
    one = {"floor": "1", "target": "place:B-12", "x": "10", "y": "12,5", "w": "20", "h": "10"}
    assert client.post(image, data={"floor": "1"}, files={"file": ("a.png", png())}).status_code == 303
    for wrong, field in (
        ({"w": "95"}, "Melewati tepi kanan"), ({"h": "90"}, "Melewati tepi bawah"), ({"x": "kiri"}, "Tulis persen"),
        ({"w": "0"}, "Terlalu kecil"), ({"target": "place:Z-9"}, "Pilih tempat"), ({"columns": "0"}, ""), ({"x": "-1"}, "Tulis persen"),
        ({"x": "1e3"}, "Tulis persen"), ({"y": ""}, ""), ({"x": "١٢"}, "Tulis persen"),
    ):  # fmt: skip
        refused = client.post(boxes, data=one | wrong)
        assert refused.status_code == 422 and field in refused.text, wrong
        assert 'value="12,5"' in refused.text or "y" in wrong
    done = client.post(boxes, data=one)
    assert done.headers["location"].endswith("target=place%3AB-13"), "the next place waits"
    block = {"floor": "1", "target": "block:C", "x": "40", "y": "50", "w": "60", "h": "50", "columns": "3"}
    assert client.post(boxes, data=block).status_code == 303
    edited = client.get("/office/plan/KRN/edit").text
    assert "7 dari 8 tempat ada di gambar" in edited and "plan.js" in edited
    client.cookies.clear()
    shown = client.get("/markets/KRN/plan").text
    assert '<rect x="100" y="93" width="200" height="75"' in shown and shown.count(">C-6</text>") == 1
    assert "Belum ada di gambar" in shown and shown.count(">B-13</text>") == 1
    at = shown[shown.index("/markets/KRN/plan/image/") :].split('"')[0]
    picture = client.get(at)
    assert picture.content.startswith(b"\x89PNG") and SECRET.encode() not in picture.content
    assert picture.headers["content-type"] == "image/png" and "immutable" in picture.headers["cache-control"]
    assert "default-src 'none'" in picture.headers["content-security-policy"]
    assert client.get(at.replace("KRN", "SND")).status_code == 404
    sign_in(client, Role.market_head, market_id="KRN")
    assert 'href="/office/places/KRN/B-12"' in client.get("/office/plan/KRN?warna=arrears").text
    assert client.post(boxes, data={"floor": "1", "target": "block:C", "act": "lift"}).status_code == 303
    assert client.post(image, data={"floor": "1", "act": "drop"}).status_code == 303
    assert client.post(image, data={"floor": "1", "act": "drop"}).status_code == 404
    grid = client.get("/markets/KRN/plan").text
    assert "<image" not in grid and grid.count(">B-12</text>") == 1
    with session_scope(database, write=False) as session:
        assert session.execute(select(col(PlaceBox.x))).scalars().all() == [1000], "kept for the next drawing"
        acts = session.execute(
            select(col(AuditEntry.action)).where(col(AuditEntry.action).like("plan.%")).order_by(col(AuditEntry.id))
        ).scalars()
        assert list(acts) == ["plan.draw", "plan.place", "plan.place", "plan.lift", "plan.drop"]


def test_the_database_refuses_a_box_beyond_the_edge(session: Session) -> None:
    (place, _), _ = small_market(session)
    session.add(PlaceBox(market_id="KRN", place_id=place, x=9_000, y=0, w=1_001, h=1))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.flush()


def test_a_small_file_does_not_take_half_a_gigabyte() -> None:
    """Thirty million transparent points pack into 120 KB; a clerk's slip must not end a small server."""
    packed = io.BytesIO()
    Image.new("RGBA", (6_000, 5_000), (0, 0, 0, 0)).save(packed, "PNG", compress_level=1)
    code = (
        "import re, sys; from market.vendors.plan_image import redrawn\n"
        "hwm = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024\n"
        "before = hwm(); redrawn(sys.stdin.buffer.read()); print(hwm() - before)"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=packed.getvalue(), capture_output=True, check=True)
    assert int(ran.stdout) < 300


def test_what_is_seen_through_is_white_and_a_turned_scan_stands() -> None:
    drawn = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    drawn.paste((0, 0, 0, 255), (0, 0, 100, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    file = io.BytesIO()
    drawn.save(file, "PNG", exif=exif)
    image, width, height = redrawn(file.getvalue())
    with Image.open(io.BytesIO(image)) as shown:
        assert (width, height) == (200, 400) == shown.size
        assert (shown.getpixel((100, 20)), shown.getpixel((100, 300))) == (0, 255)
        assert not shown.getexif()
