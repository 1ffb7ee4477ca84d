"""What docs/scale.md promises: a market's tables can be distributed by their market, and what cannot is named there with its reason."""

from sqlalchemy import Table, UniqueConstraint

from market import tables
from market.partitions import BY_MARKET, BY_MONTH
from market.web.render import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text()
# Tables that name a market and are found without one: they stay where the operator's tables are.
FOUND_WITHOUT = {
    "audit_entry", "audit_seal", "bank_match", "device", "device_code", "inbox", "match_undone", "moved", "pay_code", "payout_line",
    "price_follower", "relief", "review_item", "role_grant", "signed_slip", "tariff",
}  # fmt: skip


def key_of(table: Table) -> str | None:
    return next((name for name in ("market_id", "book") if name in table.c), None)


def reasons(table: Table, key: str) -> list[str]:
    """Why this table could not be distributed by `key`."""
    found = [] if key in table.primary_key.columns else ["primary key"]
    found += [str(c.name) for c in table.constraints if isinstance(c, UniqueConstraint) and key not in c.columns]
    found += [
        str(i.name) for i in table.indexes if i.unique and key not in [getattr(e, "name", "") for e in i.expressions]
    ]
    for foreign in table.foreign_key_constraints:
        if key_of(foreign.referred_table) and key not in [c.name for c in foreign.columns]:
            found.append(str(foreign.name))
    return found


def test_a_markets_tables_can_be_distributed() -> None:
    wrong = {
        table.name: found
        for table in tables.metadata.tables.values()
        if (key := key_of(table)) and table.name not in FOUND_WITHOUT and (found := reasons(table, key))
    }
    assert wrong == {}, "every key of a market's table begins with the market; else it is named in docs/scale.md"


def test_what_cannot_is_named() -> None:
    for name in FOUND_WITHOUT:
        table = tables.metadata.tables[name]
        key = key_of(table)
        assert key and reasons(table, key), f"{name} can be distributed now: take it off the list"
        assert f"`{name}`" in PAGE, name


def test_what_grows_is_divided_by_its_market() -> None:
    for name, column in BY_MARKET.items():
        assert all(column in key.columns for key in keys(tables.metadata.tables[name])), name
    for name, column in BY_MONTH.items():
        for key in keys(tables.metadata.tables[name]):
            assert column in key.columns and "market_id" in key.columns, name


def keys(table: Table) -> list[UniqueConstraint]:
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    return [table.primary_key, *unique]  # type: ignore[list-item]
