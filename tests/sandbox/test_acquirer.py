"""The real SNAP client against the example bank, over HTTP: signatures, outcomes, faults, a restart."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from market import clock
from market.payments.payout_files import Where, read_settlement
from market.payments.rails import qris
from market.payments.rails.snap import (
    SnapClient,
    SnapNotConfigured,
    SnapRefused,
    SnapUnclear,
    SnapUnreachable,
    SnapWrongQr,
    new_external_id,
)
from market.payments.rails.snap_status import PaymentState
from market.settings import Settings
from tests.sandbox.running import Running, sandbox, wait_for

_numbers = itertools.count(1)


@pytest.fixture
def bank(running: Running) -> Iterator[SnapClient]:
    client = SnapClient(running.settings)
    yield client
    client.close()


def _id() -> str:
    return new_external_id(clock.now())


def _reference() -> str:
    return f"KRN-1042-{next(_numbers)}"


def _ask(bank: SnapClient, reference: str, amount: int = 83_250, **more: Any) -> Any:
    return bank.generate(reference, amount, external_id=_id(), expires_at=clock.now() + timedelta(minutes=15), **more)


def _control(running: Running, what: str, body: dict[str, Any] | None = None) -> httpx.Response:
    return httpx.post(f"{running.url}/acquirer/control/{what}", json=body or {})


def _faults(running: Running, **faults: Any) -> None:
    _control(running, "faults", faults).raise_for_status()


def test_a_bill_is_asked_for_paid_and_told(running: Running, bank: SnapClient) -> None:
    reference = _reference()
    made = _ask(bank, reference, terminal_id="B-12")
    assert qris.check(made.qr_content).valid
    assert qris.merchant(made.qr_content).name == "PASAR SEWAKADARMA"
    assert qris.merchant(made.qr_content).pan.startswith("93600129")
    assert bank.query(reference, made.reference_no, external_id=_id()).state is PaymentState.PENDING

    _control(running, f"pay/{made.reference_no}").raise_for_status()
    sent, notice = wait_for(lambda: running.ear.heard)[0]
    assert (notice.partner_reference, notice.reference_no) == (reference, made.reference_no)
    assert (notice.state, notice.amount, notice.terminal_id) == (PaymentState.PAID, 83_250, "B-12")
    assert notice.paid_at is not None
    assert abs(notice.paid_at - clock.now()) < timedelta(seconds=5)
    assert sent.event_id.startswith(f"SMARTEKONOMI:{sent.day}:")

    status = bank.query(reference, external_id=_id())
    assert (status.state, status.amount, status.fee) == (PaymentState.PAID, 83_250, 583)
    assert status.paid_at == notice.paid_at


def test_a_bank_that_signs_asymmetrically_is_read_too(running: Running, bank: SnapClient) -> None:
    httpx.post(f"{running.url}/acquirer/faults", data={"signs": "asymmetric"})
    made = _ask(bank, _reference())
    _control(running, f"pay/{made.reference_no}")
    assert wait_for(lambda: running.ear.heard)[0][1].amount == 83_250
    httpx.post(f"{running.url}/acquirer/faults", data={"signs": "symmetric"})


def test_unknown_cancelled_and_paid_have_their_answers(running: Running, bank: SnapClient) -> None:
    assert bank.query("KRN-unknown", external_id=_id()).state is PaymentState.NOT_FOUND
    reference = _reference()
    made = _ask(bank, reference)
    bank.cancel(reference, made.reference_no, "Tagihan berubah", external_id=_id())
    assert bank.query(reference, external_id=_id()).state is PaymentState.CANCELLED
    assert _control(running, f"pay/{made.reference_no}").status_code == 404

    paid = _ask(bank, _reference())
    _control(running, f"pay/{paid.reference_no}")
    with pytest.raises(SnapRefused):
        bank.cancel(paid.partner_reference, paid.reference_no, "Terlambat", external_id=_id())
    assert _control(running, f"pay/{paid.reference_no}").status_code == 404


def test_refunds_in_parts_never_above_what_was_paid(running: Running, bank: SnapClient) -> None:
    made = _ask(bank, _reference(), 10_000)
    with pytest.raises(SnapRefused):
        bank.refund(made.partner_reference, made.reference_no, "R0", 1_000, "Belum dibayar", external_id=_id())
    _control(running, f"pay/{made.reference_no}")

    def refund(number: str, amount: int) -> Any:
        return bank.refund(made.partner_reference, made.reference_no, number, amount, "Salah", external_id=_id())

    first = refund("R1", 4_000)
    assert refund("R1", 4_000).refund_no == first.refund_no
    with pytest.raises(SnapRefused):
        refund("R1", 5_000)
    with pytest.raises(SnapRefused):
        refund("R2", 6_001)
    refund("R3", 6_000)
    assert bank.query(made.partner_reference, external_id=_id()).state is PaymentState.REFUNDED


def test_the_same_external_id_or_reference_again_is_a_duplicate(bank: SnapClient) -> None:
    reference, number, until = _reference(), _id(), clock.now() + timedelta(minutes=5)
    bank.generate(reference, 5_000, external_id=number, expires_at=until)
    with pytest.raises(SnapRefused) as same_id:
        bank.generate(_reference(), 5_000, external_id=number, expires_at=until)
    with pytest.raises(SnapRefused) as same_reference:
        bank.generate(reference, 5_000, external_id=_id(), expires_at=until)
    assert same_id.value.response_code == "4094700"
    assert same_reference.value.response_code == "4094701"
    assert same_id.value.duplicate
    assert same_reference.value.duplicate


def test_external_ids_are_numeric_and_never_the_same() -> None:
    moment = clock.now()
    made = {new_external_id(moment) for _ in range(2_000)}
    assert len(made) == 2_000
    assert all(each.isascii() and each.isdigit() and len(each) <= 36 for each in made)


def test_a_failure_after_the_work_is_unclear_until_asked(running: Running, bank: SnapClient) -> None:
    _faults(running, once=["fail_after_commit"])
    reference = _reference()
    with pytest.raises(SnapUnclear):
        _ask(bank, reference)
    assert bank.query(reference, external_id=_id()).state is PaymentState.PENDING


def test_silence_is_unclear_and_nothing_is_repeated(running: Running) -> None:
    _faults(running, once=["hang"], hang_seconds=1.0)
    impatient = SnapClient(running.settings, timeout=httpx.Timeout(0.3))
    reference = _reference()
    with pytest.raises(SnapUnclear):
        _ask(impatient, reference)
    impatient.close()
    books = httpx.get(f"{running.url}/acquirer/control/transactions").json()
    assert sum(t["partner_reference"] == reference for t in books) == 1


def test_a_qr_that_asks_another_amount_is_never_handed_on(running: Running, bank: SnapClient) -> None:
    _faults(running, once=["lie_qr"])
    with pytest.raises(SnapWrongQr) as wrong:
        _ask(bank, _reference())
    assert wrong.value.reference_no
    bank.cancel("", wrong.value.reference_no, "Jumlah QR salah", external_id=_id())


def test_a_lied_amount_reaches_us_as_it_was_said(running: Running, bank: SnapClient) -> None:
    _faults(running, once=["lie_amount"])
    made = _ask(bank, _reference(), 5_000)
    _control(running, f"pay/{made.reference_no}")
    assert wait_for(lambda: running.ear.heard)[0][1].amount == 6_000
    assert bank.query(made.partner_reference, external_id=_id()).amount == 5_000


def test_duplicates_repeats_and_forgeries(running: Running, bank: SnapClient) -> None:
    _faults(running, once=["duplicate"])
    made = _ask(bank, _reference())
    _control(running, f"pay/{made.reference_no}")
    wait_for(lambda: len(running.ear.heard) == 2)
    _control(running, f"repeat/{made.reference_no}")
    wait_for(lambda: len(running.ear.heard) == 3)
    _control(running, f"repeat/{made.reference_no}?same_id=false")
    wait_for(lambda: len(running.ear.heard) == 4)
    ids = [sent.event_id for sent, _ in running.ear.heard]
    assert len(set(ids)) == 2
    assert ids[0] == ids[1] == ids[2]

    _faults(running, once=["forge"])
    forged = _ask(bank, _reference())
    _control(running, f"pay/{forged.reference_no}")
    wait_for(lambda: "4015200" in running.ear.refused)
    assert len(running.ear.heard) == 4


def test_dropped_is_never_sent_until_a_person_repeats_it(running: Running, bank: SnapClient) -> None:
    _faults(running, once=["drop"])
    made = _ask(bank, _reference())
    _control(running, f"pay/{made.reference_no}")
    address = f"{running.url}/acquirer/control/deliveries"
    (dropped,) = httpx.get(address, params={"subject": made.reference_no}).json()
    assert (dropped["state"], dropped["tries"]) == ("dropped", [])
    _control(running, f"repeat/{made.reference_no}")
    assert wait_for(lambda: running.ear.heard)[0][1].reference_no == made.reference_no


def test_a_held_message_is_overtaken(running: Running, bank: SnapClient) -> None:
    first, second = _ask(bank, _reference(), 1_000), _ask(bank, _reference(), 2_000)
    _faults(running, once=["reorder"])
    _control(running, f"pay/{first.reference_no}")
    _control(running, f"pay/{second.reference_no}")
    wait_for(lambda: len(running.ear.heard) == 2)
    assert [notice.amount for _, notice in running.ear.heard] == [2_000, 1_000]


def test_a_product_that_fails_is_told_again(running: Running, bank: SnapClient) -> None:
    running.ear.fail_next = 2
    made = _ask(bank, _reference())
    _control(running, f"pay/{made.reference_no}")
    assert wait_for(lambda: running.ear.heard)[0][1].amount == 83_250


def test_the_same_seed_gives_the_same_faults(running: Running, bank: SnapClient) -> None:
    def outcomes() -> list[bool]:
        _faults(running, seed=7, fail_after_commit=0.5)
        seen = []
        for _ in range(12):
            try:
                _ask(bank, _reference())
                seen.append(True)
            except SnapUnclear:
                seen.append(False)
        return seen

    assert outcomes() == outcomes()
    assert set(outcomes()) == {True, False}


def test_expired_then_paid_late(running: Running, bank: SnapClient) -> None:
    made = _ask(bank, _reference())
    page = f"{running.url}/acquirer/pay/{made.reference_no}"
    assert httpx.post(page, data={"act": "expire"}).status_code == 303
    assert httpx.post(page, data={"act": "pay"}).status_code == 409
    assert httpx.post(page, data={"act": "late"}).status_code == 303
    assert wait_for(lambda: running.ear.heard)[0][1].state is PaymentState.PAID


def test_the_settlement_adds_up(running: Running, bank: SnapClient) -> None:
    made = _ask(bank, _reference(), 100_000)
    _control(running, f"pay/{made.reference_no}")
    day = clock.today()
    report = httpx.get(f"{running.url}/acquirer/control/settlement", params={"day": str(day)}).json()
    assert report["net"] == report["gross"] - report["fee"] - report["refunds"]
    assert {"reference_no": made.reference_no, "gross": 100_000, "fee": 700}.items() <= report["transactions"][
        -1
    ].items()
    assert f"QR{day:%Y%m%d}" in httpx.get(f"{running.url}/acquirer/settlement.csv").text
    # The product reads the same day's report as it is.
    told = httpx.get(f"{running.url}/acquirer/report.csv").content
    payout = read_settlement(told, "report.csv", Where("qris", "QR", "BPD-CONTOH", day))
    assert sum(line.gross - line.fee for line in payout.lines) == report["gross"] - report["fee"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"snap_client_secret": SecretStr("another")}, "4014700"),
        ({"snap_partner_id": "SOMEBODY"}, "4014700"),
        ({"snap_channel_id": "1"}, "4004701"),
        ({"snap_merchant_id": "OTHER"}, "4044708"),
        ({"snap_client_id": "SOMEBODY"}, "4017300"),
    ],
)
def test_the_bank_really_checks(running: Running, change: dict[str, Any], code: str) -> None:
    client = SnapClient(running.settings.model_copy(update=change))
    with pytest.raises(SnapRefused) as refused:
        _ask(client, _reference())
    assert refused.value.response_code == code
    client.close()


def test_another_key_gets_no_token(running: Running) -> None:
    wrong = running.settings.model_copy(update={"snap_private_key_file": running.folder / "bank-private.pem"})
    with pytest.raises(SnapRefused) as refused:
        _ask(SnapClient(wrong), _reference())
    assert refused.value.response_code == "4017300"


def test_a_token_that_the_bank_dropped_is_renewed_once(running: Running, bank: SnapClient) -> None:
    _ask(bank, _reference())
    bank._token = "forgotten"
    assert _ask(bank, _reference()).qr_content
    assert bank._token != "forgotten"


def test_the_token_is_asked_for_once_and_renewed_early(running: Running) -> None:
    """Count token requests through httpx's own transport, the wire untouched."""
    asked: list[str] = []

    class Counting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            return super().handle_request(request)

    client = SnapClient(running.settings, transport=Counting())
    for _ in range(3):
        _ask(client, _reference())
    assert [path for path in asked if "access-token" in path] == ["/acquirer/v1.0/access-token/b2b"]
    assert client._token_until > 0
    client.close()


def test_nobody_there_is_unreachable_not_unclear(running: Running) -> None:
    client = SnapClient(running.settings.model_copy(update={"snap_base_url": "http://127.0.0.1:9"}))
    with pytest.raises(SnapUnreachable):
        _ask(client, _reference())


def test_without_settings_it_says_so() -> None:
    with pytest.raises(SnapNotConfigured):
        SnapClient(Settings(_env_file=None))


def test_a_sticker_is_paid_without_a_word_to_the_market(running: Running) -> None:
    sticker = qris.dumps(
        [
            ("00", "01"),
            ("01", "11"),
            ("26", qris.join([("00", "ID.CO.BPDBALI.WWW"), ("01", "936001290000000017"), ("03", "UME")])),
            ("52", "9399"),
            ("53", "360"),
            ("58", "ID"),
            ("59", "PASAR SEWAKADARMA"),
            ("60", "DENPASAR"),
            ("62", qris.join([("07", "B12")])),
        ]
    )
    page = httpx.get(f"{running.url}/acquirer/pay", params={"qr": sticker})
    assert "PASAR SEWAKADARMA" in page.text
    refused = httpx.post(f"{running.url}/acquirer/sticker", data={"qr": sticker, "amount": "12,50"})
    assert (refused.status_code, "12,50" in refused.text) == (422, True)
    paid = httpx.post(f"{running.url}/acquirer/sticker", data={"qr": sticker, "amount": "8.325"}, follow_redirects=True)
    assert "8.325" in paid.text
    assert running.ear.heard == []


def test_pages_answer_in_both_languages_and_to_nonsense(running: Running, bank: SnapClient) -> None:
    made, paid = _ask(bank, _reference()), _ask(bank, _reference())
    _control(running, f"pay/{paid.reference_no}")
    wait_for(lambda: running.ear.heard)
    paths = ("", "/settlement", f"/pay/{made.reference_no}", f"/pay/{paid.reference_no}", "/settlement?day=2026-11-24")
    for path in paths:
        for lang, word in (("id", "Latihan"), ("en", "Practice")):
            joint = "&" if "?" in path else "?"
            page = httpx.get(f"{running.url}/acquirer{path}{joint}lang={lang}")
            assert (page.status_code, word in page.text) == (200, True), path
    assert (
        httpx.get(f"{running.url}/acquirer/pay", params={"qr": made.qr_content})
        .headers["location"]
        .endswith(made.reference_no)
    )
    assert httpx.get(f"{running.url}/acquirer/pay", params={"qr": "nonsense"}).status_code == 422
    assert httpx.get(f"{running.url}/acquirer/pay/unknown").status_code == 422
    assert httpx.get(f"{running.url}/acquirer/settlement?day=yesterday").status_code == 422
    assert httpx.post(f"{running.url}/acquirer/faults", data={"drop": "7"}).status_code == 422
    assert "image/svg" in httpx.get(f"{running.url}/acquirer/qr/{made.reference_no}.svg").headers["content-type"]


def test_the_way_back_leads_only_to_this_machine(running: Running, bank: SnapClient) -> None:
    made = _ask(bank, _reference())
    page = f"{running.url}/acquirer/pay/{made.reference_no}"
    assert 'href="https://example.org' not in httpx.get(page, params={"back": "https://example.org/"}).text
    assert (
        'href="http://127.0.0.1:8000/pay/4Q7"' in httpx.get(page, params={"back": "http://127.0.0.1:8000/pay/4Q7"}).text
    )


def test_a_restart_keeps_the_books_and_the_keys(tmp_path: Path) -> None:
    with sandbox(tmp_path) as first:
        client = SnapClient(first.settings)
        made = _ask(client, "KRN-restart")
        key = first.settings.snap_client_secret
    with sandbox(tmp_path) as second:
        assert second.settings.snap_client_secret == key
        client = SnapClient(second.settings)
        _control(second, f"pay/{made.reference_no}").raise_for_status()
        assert client.query("KRN-restart", external_id=_id()).state is PaymentState.PAID
        wait_for(lambda: second.ear.heard)
