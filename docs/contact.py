"""Contact sheets: what a journey of tests/browser/test_eight_journeys.py looked like, page by page, on one picture.

`python docs/contact.py` walks the journeys and writes docs/contact-sheets; with `--check` it writes into var/ and compares with
the committed ones: the share of pixels that differ clearly. A date or a number differs a little; a broken layout a lot.
"""

import argparse
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COMMITTED = HERE / "contact-sheets"
HEIGHT = 520  # of a frame on the sheet
TALL = 2  # a frame shows at most this many times its width
COLUMNS = {390: 6, 1280: 3}
CLEAR = 48  # of 255: how far two grey values are apart before they count as different
MOST = 6.0  # percent of a sheet that may differ


def sheet(frames: list[BytesIO], width: int, target: Path) -> None:
    """The frames of a journey in reading order, numbered, as a WebP."""
    pictures = []
    for frame in frames:
        with Image.open(frame) as opened:
            cut = opened.convert("RGB").crop((0, 0, opened.width, min(opened.height, TALL * opened.width)))
            pictures.append(cut.resize((round(cut.width * HEIGHT / max(cut.height, 1)), HEIGHT)))
    columns = COLUMNS[width]
    cell = max(p.width for p in pictures) + 12
    rows = -(-len(pictures) // columns)
    made = Image.new("RGB", (cell * min(columns, len(pictures)), (HEIGHT + 30) * rows), "#777")
    pen = ImageDraw.Draw(made)
    for n, picture in enumerate(pictures):
        x, y = n % columns * cell + 6, n // columns * (HEIGHT + 30) + 24
        made.paste(picture, (x, y))
        pen.text((x, y - 18), str(n + 1), fill="white")
    target.parent.mkdir(parents=True, exist_ok=True)
    made.save(target, "WEBP", quality=60, method=6)


def difference(one: Path, other: Path) -> float:
    """Percent of pixels that differ clearly, at a quarter of the size; 100 where the sheets have another shape."""
    with Image.open(one) as a, Image.open(other) as b:
        if abs(a.width - b.width) > 12 or a.height != b.height:
            return 100.0
        size = (a.width // 4, a.height // 4)
        apart = ImageChops.difference(a.convert("L").resize(size), b.convert("L").resize(size)).histogram()
    return 100.0 * sum(apart[CLEAR:]) / (size[0] * size[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare a new run with the committed sheets")
    check = parser.parse_args().check
    folder = ROOT / "var" / "contact-sheets" if check else COMMITTED
    walked = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "hand", "tests/browser/test_eight_journeys.py"],
        cwd=ROOT, env=os.environ | {"MARKET_CONTACT_SHEETS": str(folder)}, check=False,
    )  # fmt: skip
    if not check or walked.returncode:
        return walked.returncode
    wrong = 0
    for committed in sorted(COMMITTED.glob("*.webp")):
        new = folder / committed.name
        share = difference(committed, new) if new.exists() else 100.0
        wrong += share > MOST
        print(f"{'!' if share > MOST else ' '} {share:5.1f} %  {committed.name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
