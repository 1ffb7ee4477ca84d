"""An uploaded drawing becomes a grey PNG of our own: nothing of the file sent is ever served to anybody."""

import io
import warnings
from typing import TYPE_CHECKING

from market.errors import Invalid
from market.words import N_

if TYPE_CHECKING:
    from PIL import Image

LARGEST_FILE = 8 * 1024 * 1024
LARGEST_SIDE = 12_000
MOST_PIXELS = 30_000_000  # 30 MB in grey while it is read; a scan of an A2 sheet at 150 dots an inch has 9 million
SHOWN_SIDE = 1_800
SMALLEST_SIDE = 100
FORMATS = ("PNG", "JPEG")


class NotADrawing(Invalid):
    message = N_("Berkas ini bukan gambar PNG atau JPEG yang utuh.")


class DrawingTooBig(Invalid):
    message = N_("Gambar terlalu besar. Paling besar 8 MB dan 30 juta titik.")


class DrawingTooSmall(Invalid):
    message = N_("Gambar terlalu kecil untuk denah. Paling kecil 100 titik tiap sisi.")


def redrawn(content: bytes) -> tuple[bytes, int, int]:
    """The drawing as PNG with its width and height in pixels. Raises NotADrawing, DrawingTooBig, DrawingTooSmall.

    The size is judged by the header, before a pixel is unpacked. Text, position and colour data of the file are gone.
    """
    from PIL import ExifTags, Image, ImageOps  # here: a drawing comes once a year, and every start would wait for it

    if len(content) > LARGEST_FILE:
        raise DrawingTooBig
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as found:
                width, height = found.size
                if max(width, height) > LARGEST_SIDE or width * height > MOST_PIXELS:
                    raise DrawingTooBig
                if min(width, height) < SMALLEST_SIDE:
                    raise DrawingTooSmall
                found.draft("L", (SHOWN_SIDE, SHOWN_SIDE))
                turned = found.getexif().get(ExifTags.Base.Orientation, 1)
                grey = _on_paper(found) if found.has_transparency_data else found.convert("L")
                grey.thumbnail(
                    (SHOWN_SIDE, SHOWN_SIDE)
                )  # before it is turned: each step on the whole costs its size again
                grey.getexif()[ExifTags.Base.Orientation] = turned
                ImageOps.exif_transpose(grey, in_place=True)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DrawingTooBig from error
    except Invalid:
        raise
    except Exception as error:  # a damaged file ends in whatever its decoder ran into
        raise NotADrawing from error
    target = io.BytesIO()
    Image.frombytes("L", grey.size, grey.tobytes()).save(target, "PNG", optimize=True)
    return target.getvalue(), grey.width, grey.height


def _on_paper(found: "Image.Image") -> "Image.Image":
    """What is seen through lies on white, in grey: in colour a small file would take half a gigabyte."""
    from PIL import Image

    whole = found if found.mode in ("RGBA", "LA") else found.convert("RGBA")
    paper = Image.new("L", whole.size, 255)
    paper.paste(whole.convert("L"), mask=whole.getchannel("A"))
    return paper
