"""Tariffs: what is refused when it is saved, what wins, and what things are called under each regime."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError
from sqlmodel import Session

from market import clock
from market.auth.access import Grant, Principal, Role
from market.dues import service as dues
from market.dues.documents import CHARGES, DOCUMENTS, TypeNotOfRegime
from market.dues.models import ChargeType
from market.dues.schemas import TariffIn, rate_e4
from market.dues.tariffs import DaysAlreadyCharged, NotOfOperator, OverlappingTariff
from market.errors import Forbidden, NotFound
from tests.dues import city

NOON = datetime(2025, 11, 30, 4, tzinfo=UTC)


def test_an_overlap_is_refused_when_saved(session: Session) -> None:
    city.market(session)
    city.tariff(session, "7000", place_kind="LOS", valid_from=date(2025, 1, 1), valid_until=date(2025, 7, 1))
    for overlapping in ({"valid_from": date(2025, 6, 30)}, {"valid_from": date(2024, 1, 1)}):
        with pytest.raises(OverlappingTariff):
            city.tariff(session, "8000", place_kind="LOS", **overlapping)
    city.tariff(session, "8000", place_kind="LOS", valid_from=date(2025, 7, 1))
    city.tariff(session, "8500", place_kind="LOS", floor="2", valid_from=date(2025, 1, 1))
    city.tariff(session, "8500", place_kind="LOS", charge_type="LISTRIK", valid_from=date(2025, 1, 1))


def test_the_row_with_more_keys_wins(session: Session) -> None:
    city.market(session)
    city.tariff(session, "1000")
    city.tariff(session, "2000", market_id="KRN")
    city.tariff(session, "3000", place_kind="KIOS", floor="2")
    city.tariff(session, "4000", place_kind="KIOS", floor="2", goods="daging")
    expected = {(): 2000, (("floor", "2"),): 3000, (("floor", "2"), ("goods", "daging")): 4000}
    made = {keys: city.permit(session, date(2025, 11, 30), **dict(keys)) for keys in expected}  # type: ignore[arg-type]
    with clock.freeze(NOON):
        dues.accrue(session)
    for keys, permit in made.items():
        assert [c.gross for c in dues.unpaid(session, "KRN", permit_id=permit.id)] == [expected[keys]]


def test_a_late_tariff_cannot_rewrite_charged_days(session: Session) -> None:
    city.market(session)
    row = city.tariff(session, "1000")
    city.permit(session, date(2025, 11, 1))
    with clock.freeze(NOON):
        dues.accrue(session)
    with pytest.raises(DaysAlreadyCharged) as refused:
        city.tariff(session, "2000", place_kind="KIOS", valid_from=date(2025, 11, 15))
    assert refused.value.args_by_name["next_day"] == "2025-12-01"
    with pytest.raises(DaysAlreadyCharged):
        city.relief(session, percent_e2=5_000, valid_from=date(2025, 11, 30))
    with pytest.raises(DaysAlreadyCharged):
        dues.end_tariff(session, row.id or 0, date(2025, 11, 30), by=city.SYSTEM)
    city.tariff(session, "2000", place_kind="KIOS", valid_from=date(2025, 12, 1))
    city.tariff(session, "2000", place_kind="LOS", valid_from=date(2025, 11, 15))
    dues.end_tariff(session, row.id or 0, date(2025, 12, 1), by=city.SYSTEM)


def test_a_levy_market_has_no_bop_and_a_company_no_levy(session: Session) -> None:
    city.market(session)
    city.market(session, "SMR", regime="RETRIBUSI_PEMDA", operator="KLUNGKUNG")
    with pytest.raises(TypeNotOfRegime):
        city.tariff(session, "1000", operator="KLUNGKUNG", charge_type="BOP")
    with pytest.raises(TypeNotOfRegime):
        city.tariff(session, "1000", charge_type="RETRIBUSI")
    with pytest.raises(NotOfOperator):
        city.tariff(session, "1000", market_id="SMR")


def test_documents_follow_the_regime() -> None:
    """Rule 1: no SKRD, SSRD, STRD, STS or NPWRD of a company; no BOP of a levy market."""
    perumda = [names["PERUMDA"] for names in DOCUMENTS.values()] + [
        n["PERUMDA"] for n in CHARGES.values() if "PERUMDA" in n
    ]
    assert not any(
        word in name for name in perumda for word in ("SKRD", "SSRD", "STRD", "STS", "NPWRD", "etribusi", "SP1")
    )
    levy = [names["RETRIBUSI_PEMDA"] for names in DOCUMENTS.values()]
    levy += [dues.charge_name("RETRIBUSI_PEMDA", t) for t in dues.charges_of("RETRIBUSI_PEMDA")]
    assert not any("BOP" in name for name in levy)
    assert ChargeType.BOP not in dues.charges_of("RETRIBUSI_PEMDA")
    assert ChargeType.RETRIBUSI not in dues.charges_of("PERUMDA")
    assert [dues.document_name(r, "bill") for r in ("PERUMDA", "RETRIBUSI_PEMDA")] == ["Surat tagihan", "SKRD"]
    assert dues.document_name("RETRIBUSI_PEMDA", "late_bill") == "STRD"


def test_only_a_director_of_the_operator_changes_tariffs(session: Session) -> None:
    city.market(session)
    data = TariffIn.model_validate(
        {"charge_type": "BOP", "basis": "PER_DAY", "rate": "1000", "valid_from": "2025-01-01", "legal_basis": "SK 1"}
    )
    clerk = Principal.of(session, 7, "Petugas", {Grant(Role.clerk, "PERUMDA")})
    with pytest.raises(Forbidden):
        dues.add_tariff(session, "PERUMDA", data, by=clerk)
    with pytest.raises(NotFound):
        dues.add_tariff(session, "PERUMDA", data, by=Principal.of(session, 8, "Lain", {Grant(Role.director, "LAIN")}))
    assert dues.add_tariff(
        session, "PERUMDA", data, by=Principal.of(session, 9, "Direksi", {Grant(Role.director, "PERUMDA")})
    ).id


@pytest.mark.parametrize(
    ("text", "rate"),
    [("8325", 83_250_000), ("8.325", 83_250_000), ("187,5", 1_875_000), ("Rp 1.000", 10_000_000), ("0,0001", 1)],
)
def test_rates_are_read(text: str, rate: int) -> None:
    assert rate_e4(text) == rate


@pytest.mark.parametrize(
    "text", ["", "-1", "12.50", "1,23456", "1.2345", "1e3", "١٢", "99999999999", ",5", "1,", "abc"]
)
def test_doubtful_rates_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        rate_e4(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"valid_until": "2025-01-01"}, {"gross": "500"}, {"charge_type": "PAJAK"}, {"tax_pct_e2": 9_900},
        {"basis": "PER_M2_DAY", "rate": "2.000.000"}, {"legal_basis": " "}, {"valid_from": "2025-02-30"}, {"surprise": 1},
    ],
)  # fmt: skip
def test_wrong_tariffs_are_refused(wrong: dict[str, object]) -> None:
    right = {
        "charge_type": "BOP",
        "basis": "PER_DAY",
        "rate": "1000",
        "valid_from": "2025-01-01",
        "legal_basis": "SK 1",
    }
    TariffIn.model_validate(right)
    with pytest.raises(ValidationError):
        TariffIn.model_validate(right | wrong)


def test_a_preview_says_what_and_why(session: Session) -> None:
    city.kereneng(session)
    city.permit(session, date(2025, 11, 10))
    seen = dues.preview(session, "KRN", "B-1", date(2025, 11, 24))
    assert (seen.total, [line.name for line in seen.lines]) == (8_325, ["BOP harian"])
    assert seen.lines[0].legal_basis == city.KERENENG
    assert [line.gross for line in seen.next_rent] == [78_000 * 21 // 30]
    city.close(session, date(2025, 11, 25), "Nyepi")
    assert dues.preview(session, "KRN", "B-1", date(2025, 11, 25)).closed == "Nyepi"
    with pytest.raises(NotFound):
        dues.preview(session, "KRN", "Z-9", date(2025, 11, 24))
