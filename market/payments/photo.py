"""A photo of a receipt: the QR in it, read here for a device that cannot read one itself. Nothing of the photo is kept."""

import io
import re
import threading
import warnings
from dataclasses import dataclass

from market.errors import Invalid, TooMany
from market.payments.models import receipt_number
from market.payments.proof import LONGEST_TOKEN, read_token
from market.payments.receipts import parse_number
from market.words import N_

LARGEST_FILE = 10 * 1024 * 1024
MOST_PIXELS = 60_000_000  # a phone's largest ordinary photo has 50 million; it is unpacked once, in grey
SIDES = (1_600, 3_200)  # soft edges are found in the small one, small codes in the large one
FORMATS = ("PNG", "JPEG", "WEBP")
AT_ONCE = threading.BoundedSemaphore(2)  # each costs a part of a second of one core
PATIENCE = 5.0  # seconds


class NotAPhoto(Invalid):
    message = N_("Berkas ini bukan foto yang utuh. Pakai foto PNG, JPEG, atau WebP.")


class PhotoTooBig(Invalid):
    message = N_("Foto terlalu besar. Paling besar 10 MB dan 60 juta titik.")


class NoProofInPhoto(Invalid):
    message = N_("Tidak ada QR bukti bayar yang terbaca di foto ini. Foto lebih dekat, lurus, dan terang.")


class SeveralProofs(Invalid):
    message = N_("Ada lebih dari satu bukti di foto ini. Foto satu bukti saja.")


class Crowded(TooMany):
    message = N_("Banyak yang sedang memeriksa foto. Coba lagi sebentar.")


@dataclass(frozen=True)
class Claim:
    """What a QR says it is: a receipt's number, and the proof beside it ("" where there is none). Not yet believed."""

    number: str
    token: str = ""


def claim_in(content: bytes) -> Claim:
    """The one receipt in a photo. Raises NotAPhoto, PhotoTooBig, NoProofInPhoto, SeveralProofs, Crowded."""
    if not AT_ONCE.acquire(timeout=PATIENCE):
        raise Crowded
    try:
        texts = _codes(content)
    finally:
        AT_ONCE.release()
    claims = {claim for text in texts if (claim := claim_of(text)) is not None}
    if not claims:
        raise NoProofInPhoto
    if len(claims) > 1:
        raise SeveralProofs
    return claims.pop()


def claim_of(text: str) -> Claim | None:
    """From a QR's text: an address with a proof, a bare proof, or a number; the host does not matter, only we are asked."""
    text = text.strip()[:4096]
    token = re.search(r"[?&#]t=([A-Za-z0-9_-]+)", text) or re.fullmatch(r"([A-Za-z0-9_-]{100,})", text)
    number = re.search(r"(?:^|/)([A-Za-z0-9]{2,8}-[0-9]{4}-[0-9]{1,12})(?=[?#/\s]|$)", text)
    key = parse_number(number[1]) if number else None
    proof = token[1] if token and len(token[1]) <= LONGEST_TOKEN else ""
    if key:
        return Claim(receipt_number(*key), proof)
    said = read_token(proof) if proof else None
    return Claim(said.number, proof) if said else None


def _codes(content: bytes) -> set[str]:
    """Every QR in the picture. The size is judged by the header, before a pixel is unpacked."""
    import zxingcpp  # here: a photo comes now and then, and every start would wait for both
    from PIL import Image, ImageOps

    if len(content) > LARGEST_FILE:
        raise PhotoTooBig
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as found:
                if found.width * found.height > MOST_PIXELS:
                    raise PhotoTooBig
                found.draft("L", (SIDES[-1], SIDES[-1]))
                grey = ImageOps.exif_transpose(found.convert("L"))  # grey first: a turned copy in colours is 240 MB
    except Image.DecompressionBombError as error:
        raise PhotoTooBig from error
    except Invalid:
        raise
    except Exception as error:  # a damaged file ends in whatever its decoder ran into
        raise NotAPhoto from error
    texts, kinds = set[str](), zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    for side in SIDES:
        seen = grey.copy()
        seen.thumbnail((side, side))
        texts |= {code.text for code in zxingcpp.read_barcodes(seen, formats=kinds) if code.valid}
        if max(grey.size) <= side:
            break
    return texts
