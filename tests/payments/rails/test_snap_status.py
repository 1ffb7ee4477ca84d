"""Status tables as configuration: the two that come along, and one from a file; what no table names is never paid."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.payments.rails.snap_status import BadStatusTable, PaymentState, table_of
from market.settings import Settings


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


def test_tables_that_come_along_differ_where_providers_do() -> None:
    standard, shifted = table_of(settings()), table_of(settings(snap_status_table="shifted"))
    assert (standard.of_notify("00"), standard.of_notify("03")) == (PaymentState.PAID, PaymentState.PENDING)
    assert (shifted.of_notify("00"), shifted.of_notify("03")) == (PaymentState.NEEDS_REVIEW, PaymentState.PAID)
    assert shifted.of_query("00") is PaymentState.PAID


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "bank.json"
    file.write_text(json.dumps({"notify": {"S": "paid", "P": "pending"}, "query": {"1": "paid"}}))
    table = table_of(settings(snap_status_file=file))
    assert table.of_notify("S") is PaymentState.PAID and table.of_query("1") is PaymentState.PAID
    assert table.of_notify("00") is PaymentState.NEEDS_REVIEW and table.of_query("S") is PaymentState.NEEDS_REVIEW


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"notify": {}}', '{"notify": {"00": "lunas"}, "query": {}}', '{"notify": [], "query": {}}',
             '{"notify": {"00": null}, "query": {}}', '{"notify": {}, "query": {}, "more": {}}', '"notify"', "7"],
)  # fmt: skip
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bank.json"
    file.write_text(text)
    with pytest.raises(BadStatusTable):
        table_of(settings(snap_status_file=file))
    with pytest.raises(BadStatusTable):
        table_of(settings(snap_status_file=tmp_path / "none.json"))


@given(st.text(max_size=4))
def test_what_no_table_names_is_never_paid(code: str) -> None:
    for name, paid in (("standard", "00"), ("shifted", "03")):
        assert (table_of(settings(snap_status_table=name)).of_notify(code) is PaymentState.PAID) == (code == paid)
