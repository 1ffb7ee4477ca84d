"""QRIS payloads: the EMVCo merchant-presented TLV with Indonesia's rules (payments.md 3.1). Pure functions over text.

    parse(text) -> [(tag, value), …]           dumps([(tag, value), …]) -> text with a fresh checksum
    validate(text) -> [Message, …]             empty when it is a QRIS a bank may take
    with_amount(text, 5000, reference="…")     static (or dynamic) → dynamic for that amount
    kind(text) · amount(text) · merchant(text) · check(text)

A payload is two digits of tag, two digits of length, that many characters, again and again; `00` first, `63` (the
checksum) last. Values may hold anything, `6304` and `5802ID` included, so nothing here searches the text: it walks.
Digits are ASCII digits: `str.isdigit` also takes Arabic and full-width ones. Lengths count characters, which only
ASCII makes the same as bytes, so anything else is refused.
"""

import binascii
from dataclasses import dataclass

from market.payments.rails.qris_rules import problems_of
from market.words import N_, Message, say

Nodes = list[tuple[str, str]]
LONGEST = 512
REPLACED_BY_AMOUNT = ("01", "54", "55", "56", "57")  # tip and surcharge belong to the old amount


class BadQris(ValueError):
    """The text is not a QRIS payload; `problem` says why."""

    def __init__(self, problem: Message) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(frozen=True)
class Merchant:
    """Who is paid. `nmid` is the national merchant id, `pan` the acquirer's number for it; "" where absent."""

    name: str
    city: str
    nmid: str
    pan: str
    mcc: str


@dataclass(frozen=True)
class Checked:
    """What `market qris check` prints."""

    valid: bool
    kind: str | None
    amount: int | None
    merchant: str | None
    problems: tuple[Message, ...]


def crc(text: str) -> str:
    """CRC-16/CCITT-FALSE of the text (which ends in `6304`), as four capital hex digits. `123456789` → `29B1`."""
    return f"{binascii.crc_hqx(text.encode('ascii'), 0xFFFF):04X}"


def parse(text: str) -> Nodes:
    """Walk the TLV. Raises BadQris where the structure breaks; checks no other rule."""
    if not text.isascii() or not text.isprintable():
        raise BadQris(say(N_("Isi QR memuat huruf yang bukan huruf Latin biasa.")))
    if len(text) > LONGEST:
        raise BadQris(
            say(N_("Isi QR terlalu panjang: {length} huruf, paling banyak {most}."), length=len(text), most=LONGEST)
        )
    if not text:
        raise BadQris(say(N_("Isi QR kosong.")))
    return _walk(text)


def _walk(text: str) -> Nodes:
    nodes: Nodes = []
    at = 0
    while at < len(text):
        tag, size = text[at : at + 2], text[at + 2 : at + 4]
        if len(size) < 2 or not (tag + size).isdigit():
            raise BadQris(
                say(N_("Isi QR rusak pada huruf ke-{at}: di sini mestinya nomor dan panjang isian."), at=at + 1)
            )
        end = at + 4 + int(size)
        if end > len(text):
            raise BadQris(
                say(N_("Isi QR terpotong: isian {tag} kurang {missing} huruf."), tag=tag, missing=end - len(text))
            )
        nodes.append((tag, text[at + 4 : end]))
        at = end
    return nodes


def join(nodes: Nodes) -> str:
    """Nodes as text, without a checksum: the inside of a template (26–51, 62)."""
    for tag, value in nodes:
        if len(tag) != 2 or not (tag.isascii() and tag.isdigit()) or len(value) > 99 or not value.isascii():
            raise BadQris(say(N_("Isian {tag} tidak bisa ditulis ke QR: paling banyak 99 huruf Latin biasa."), tag=tag))
    return "".join(f"{tag}{len(value):02d}{value}" for tag, value in nodes)


def dumps(nodes: Nodes) -> str:
    """Nodes as a payload; whatever checksum they carry is replaced by the right one at the end."""
    text = join([node for node in nodes if node[0] != "63"]) + "6304"
    return text + crc(text)


def inside(value: str) -> Nodes | None:
    """The nodes of a template, or None when it does not hold TLV."""
    try:
        return _walk(value)
    except BadQris:
        return None


def validate(text: str) -> list[Message]:
    """Every rule this payload breaks, in the order of its tags; empty when it is good."""
    try:
        nodes = parse(text)
    except BadQris as bad:
        return [bad.problem]
    templates = {tag: inside(value) for tag, value in nodes}
    expected = crc(text[:-4]) if len(text) > 4 else ""
    return problems_of(nodes, templates, expected)


def with_amount(text: str, rupiah: int, reference: str = "") -> str:
    """The same merchant's QR asking for `rupiah`, dynamic, without tip or surcharge; `reference` becomes 62.05.

    Raises BadQris when the payload is not valid (a wrong checksum must not be made right), when the amount is not
    a positive whole number, or when the reference does not fit.
    """
    problems = validate(text)
    if problems:
        raise BadQris(problems[0])
    if type(rupiah) is not int or not 0 < rupiah < 10**13:
        raise BadQris(say(N_("Jumlah di QR harus rupiah bulat lebih dari nol.")))
    nodes = [node for node in parse(text) if node[0] not in REPLACED_BY_AMOUNT]
    nodes.insert(1, ("01", "12"))
    currency = next(at for at, (tag, _) in enumerate(nodes) if tag == "53")
    nodes.insert(currency + 1, ("54", str(rupiah)))
    if reference:
        nodes = _with_reference(nodes, reference)
    changed = dumps(nodes)
    if problems := validate(changed):
        raise BadQris(problems[0])
    return changed


def _with_reference(nodes: Nodes, reference: str) -> Nodes:
    extra = next((inside(value) or [] for tag, value in nodes if tag == "62"), [])
    extra = sorted([node for node in extra if node[0] != "05"] + [("05", reference)], key=lambda node: node[0])
    kept = [node for node in nodes if node[0] not in ("62", "63")]
    return [*kept, ("62", join(extra))]


def kind(text: str) -> str | None:
    """`static` (a sticker, the payer types the amount), `dynamic` (one bill), or None when it does not say."""
    return {"11": "static", "12": "dynamic"}.get(_value(text, "01"))


def amount(text: str) -> int | None:
    """Whole rupiah asked for, or None: absent, unreadable, or with cents that no rupiah has."""
    whole, _, cents = _value(text, "54").partition(".")
    if not whole or not (whole + cents).isdigit() or cents.strip("0"):
        return None
    return int(whole)


def merchant(text: str) -> Merchant:
    """Raises BadQris when the text cannot be walked."""
    nodes = parse(text)
    accounts = [dict(inside(value) or []) for tag, value in nodes if "26" <= tag <= "51"]
    nmid = next((a.get("02", "") for a in accounts if a.get("00", "").upper() in NATIONAL), "")
    pan = next((a["01"] for a in accounts if a.get("01")), "")
    first = dict(reversed(nodes))
    return Merchant(first.get("59", ""), first.get("60", ""), nmid, pan, first.get("52", ""))


NATIONAL = ("ID.CO.QRIS.WWW", "ID.OR.QRNPG.WWW", "ID.OR.GPNQR.WWW")


def check(text: str) -> Checked:
    """Everything `market qris check` says about a payload; spaces and line ends around it are a scanner's, not the QR's."""
    cleaned = text.strip(" \t\r\n\ufeff")
    problems = tuple(validate(cleaned))
    try:
        name = merchant(cleaned).name
        return Checked(not problems, kind(cleaned), amount(cleaned), name or None, problems)
    except BadQris:
        return Checked(False, None, None, None, problems)


def _value(text: str, tag: str) -> str:
    return next((value for each, value in parse(text) if each == tag), "")
