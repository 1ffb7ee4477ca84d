"""The QRIS codec against real stickers (names replaced), an independent implementation, and damage."""

import os
import random
import string

import pytest
import qriskit
from hypothesis import given, settings
from hypothesis import strategies as st

from market.payments.rails import qris
from tests.payments.rails.reference import reference_data

STICKER = qris.dumps(
    [
        ("00", "01"),
        ("01", "11"),
        ("26", qris.join([("00", "ID.CO.BPDBALI.WWW"), ("01", "936001290000000017"), ("02", "010211"), ("03", "UMI")])),
        ("51", qris.join([("00", "ID.CO.QRIS.WWW"), ("02", "ID1020000000017"), ("03", "UMI")])),
        ("52", "9399"),
        ("53", "360"),
        ("58", "ID"),
        ("59", "KIOS 5802ID 6304 010211"),
        ("60", "DENPASAR"),
        ("61", "80232"),
        ("62", qris.join([("07", "B12")])),
    ]
)
LATIN = st.text(string.ascii_letters + string.digits + " .,-/&'", min_size=1, max_size=25)


@pytest.mark.parametrize("row", reference_data("qris.json")["valid"])
def test_payloads_seen_on_stalls_are_read(row: dict) -> None:
    payload = row["payload"]
    checked = qris.check(payload)
    assert checked.valid, [str(p) for p in checked.problems]
    assert checked.kind == {"11": "static", "12": "dynamic"}[row["poi"]]
    assert checked.amount == (int(row["amount"].partition(".")[0]) if row["amount"] else None)
    assert qris.merchant(payload).mcc == row["mcc"]
    assert qris.dumps(qris.parse(payload)) == payload


@pytest.mark.parametrize("row", reference_data("qris.json")["invalid"])
def test_broken_payloads_are_refused_with_a_sentence(row: dict) -> None:
    checked = qris.check(row["payload"])
    assert not checked.valid
    assert all(str(problem) for problem in checked.problems)


def test_the_checksum_is_ccitt_false() -> None:
    assert qris.crc("123456789") == "29B1"


def test_an_amount_makes_a_dynamic_code_and_touches_nothing_else() -> None:
    """Searching the text instead of walking it would change this name, this merchant id, or stop at this 6304."""
    paid = qris.with_amount(STICKER, 83_250, reference="KRN-1042")
    assert (qris.kind(paid), qris.amount(paid)) == ("dynamic", 83_250)
    assert qris.merchant(paid) == qris.merchant(STICKER)
    assert qris.merchant(paid).name == "KIOS 5802ID 6304 010211"
    assert dict(qris.inside(dict(qris.parse(paid))["62"]) or [])["05"] == "KRN-1042"
    again = qris.with_amount(paid, 5_000)
    assert qris.amount(again) == 5_000


def test_tip_and_surcharge_go_with_the_old_amount() -> None:
    asked = qris.dumps([n for n in qris.parse(STICKER) if n[0] != "63"] + [("55", "02"), ("56", "500")])
    assert qris.validate(asked) == []
    assert not {"55", "56"} & {tag for tag, _ in qris.parse(qris.with_amount(asked, 5_000))}


@pytest.mark.parametrize("amount", [0, -1, True, 5000.0, "5000", 10**13, None])
def test_only_a_positive_whole_amount_goes_in(amount: object) -> None:
    with pytest.raises(qris.BadQris):
        qris.with_amount(STICKER, amount)  # type: ignore[arg-type]


def test_a_wrong_checksum_is_not_made_right() -> None:
    with pytest.raises(qris.BadQris):
        qris.with_amount(STICKER[:-4] + "0000", 5_000)


@pytest.mark.parametrize(
    "text", ["", "0", "00", "0002", "000201", "٠٠٠٢٠١", "００0201", "\x00" * 8, "0002" + "9" * 600, "é" * 9]
)
def test_nonsense_is_refused_not_crashed_on(text: str) -> None:
    assert not qris.check(text).valid


@pytest.mark.parametrize("text", ["5000", "5000.00", "5000.0", "05000"])
def test_amounts_are_read_as_whole_rupiah(text: str) -> None:
    assert qris.amount(_asking(text)) == 5_000
    assert qris.check(_asking(text)).valid


@pytest.mark.parametrize(
    "text", ["5000,00", "1.000.000", "5.000", "-5000", "+5000", "5e3", "0", "0.00", "5000.", ".50", "Rp5000"]
)
def test_amounts_that_are_not_rupiah_are_refused(text: str) -> None:
    assert not qris.check(_asking(text)).valid


def test_cents_are_not_rounded_away() -> None:
    assert qris.amount(_asking("5000.50")) is None


def test_a_transfer_code_is_not_a_merchant() -> None:
    nodes = [n for n in qris.parse(STICKER) if n[0] not in ("62", "63")]
    transfer = qris.dumps([*nodes, ("62", qris.join([("08", "DMCT01")]))])
    assert not qris.check(transfer).valid


def _asking(text: str) -> str:
    nodes = [n for n in qris.parse(STICKER) if n[0] not in ("01", "63")]
    return qris.dumps([nodes[0], ("01", "12"), *nodes[1:], ("54", text)])


def _oracle(payload: str) -> bool:
    """qriskit's verdict; it only warns of a lower-case checksum, which we refuse as damage."""
    try:
        issues = qriskit.validate(payload)
    except qriskit.QRISParseError:
        return False
    return not any(issue.severity == "error" or issue.code == "crc.lowercase" for issue in issues)


@given(name=LATIN, city=LATIN, amount=st.integers(1, 10**13 - 1), mcc=st.integers(0, 9999), tag=st.integers(26, 51))
@settings(max_examples=300, deadline=None)
def test_what_we_write_an_independent_reader_reads_the_same(
    name: str, city: str, amount: int, mcc: int, tag: int
) -> None:
    payload = qris.dumps(
        [
            ("00", "01"),
            ("01", "12"),
            (f"{tag}", qris.join([("00", "ID.CO.BPDBALI.WWW"), ("01", "936001290000000017"), ("03", "UMI")])),
            ("52", f"{mcc:04d}"),
            ("53", "360"),
            ("54", str(amount)),
            ("58", "ID"),
            ("59", name),
            ("60", city),
        ]
    )
    assert qris.check(payload).valid == _oracle(payload)
    theirs = qriskit.parse(payload)
    assert theirs.get("59") == qris.merchant(payload).name
    assert int(theirs.get("54")) == qris.amount(payload) == amount
    assert qris.parse(payload) == [(node.tag, node.value) for node in theirs.nodes]


@given(amount=st.integers(1, 10**10), reference=st.text(string.ascii_uppercase + string.digits + "-", max_size=25))
@settings(max_examples=200, deadline=None)
def test_static_to_dynamic_agrees_with_the_oracle(amount: int, reference: str) -> None:
    ours = qris.with_amount(STICKER, amount, reference)
    assert _oracle(ours)
    theirs = qriskit.parse(ours)
    assert (theirs.get("54"), theirs.get("01")) == (str(amount), "12")


@given(st.text(max_size=120))
@settings(max_examples=500, deadline=None)
def test_no_text_crashes_it(text: str) -> None:
    assert isinstance(qris.check(text).valid, bool)


def test_damaged_codes_none_accepted() -> None:
    """One character changed, dropped, added or two swapped, or the end lost: as a scanner or a forger would.

    5,000 of them; `MARKET_DAMAGED=100000 MARKET_SEED=…` for a soak.
    """
    rng = random.Random(int(os.environ.get("MARKET_SEED", "20261124")))
    wanted = int(os.environ.get("MARKET_DAMAGED", "5000"))
    good = [row["payload"] for row in reference_data("qris.json")["valid"]] + [
        STICKER,
        qris.with_amount(STICKER, 5_000),
    ]
    alphabet = string.ascii_letters + string.digits + " .-"
    damaged = 0
    while damaged < wanted:
        payload = rng.choice(good)
        at = rng.randrange(len(payload))
        other = rng.choice(alphabet)
        bad = rng.choice(
            (
                payload[:at] + other + payload[at + 1 :],
                payload[:at] + payload[at + 1 :],
                payload[:at] + other + payload[at:],
                payload[:at],
                payload[:at] + payload[at + 1 : at + 2] + payload[at : at + 1] + payload[at + 2 :],
            )
        )
        if bad.strip() == payload:  # space around it is the scanner's, and forgiven
            continue
        damaged += 1
        assert not qris.check(bad).valid, bad
        assert not _oracle(bad)


def test_random_payloads_agree_with_the_oracle() -> None:
    """Well-formed TLV with random tags and values and a right checksum: the same verdict from both readers."""
    rng = random.Random(7)
    base = qris.parse(STICKER)[:-1]
    values = [
        "",
        "1",
        "01",
        "11",
        "12",
        "360",
        "ID",
        "9399",
        "5000",
        "0",
        "5000.50",
        "abc",
        "0002AB",
        "A" * 26,
        "9" * 14,
        "02",
        "03",
    ]
    verdicts = set()
    for _ in range(2_000):
        nodes = list(base)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(nodes))
            nodes[at] = (rng.choice([nodes[at][0], f"{rng.randrange(100):02d}"]), rng.choice(values))
        payload = qris.dumps(nodes)
        verdict = qris.check(payload).valid
        verdicts.add(verdict)
        assert verdict == _oracle(payload), payload
    assert verdicts == {True, False}
