"""What the database itself refuses about cash, slips, tickets and the bank (see market/guards.py, which loads this)."""

from market.guarding import POSTGRESQL_FUNCTIONS, append_only, guard

# -- collection --------------------------------------------------------------------------------------------------
append_only("slip", "day_close", "deposit", "deposit_item", "bank_line")
append_only("match_undone", "bank_debit", "line_class", "statement_import", "counter_item")
# A hand-over that was verified stands; before that only its verification may be written, and it is never deleted.
guard(
    "handover_no_update",
    "handover",
    sqlite=(
        "CREATE TRIGGER handover_no_update BEFORE UPDATE ON handover WHEN OLD.state = 'verified' "
        "OR NEW.expected <> OLD.expected OR NEW.counted <> OLD.counted OR NEW.collector_id <> OLD.collector_id "
        "BEGIN SELECT RAISE(ABORT, 'handover is append-only'); END",
    ),
    postgresql=(
        "CREATE TRIGGER handover_no_update BEFORE UPDATE ON handover FOR EACH ROW WHEN (OLD.state = 'verified' "
        "OR NEW.expected <> OLD.expected OR NEW.counted <> OLD.counted OR NEW.collector_id <> OLD.collector_id) "
        "EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "handover_no_delete",
    "handover",
    sqlite=(
        "CREATE TRIGGER handover_no_delete BEFORE DELETE ON handover "
        "BEGIN SELECT RAISE(ABORT, 'handover is append-only'); END",
    ),
    postgresql=(
        "CREATE TRIGGER handover_no_delete BEFORE DELETE ON handover FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ),
)
# What a device signed stays as it was signed; a person decides once about a slip that waits. A key is revoked for good.
for _table, _wrong in (
    (
        "signed_slip",
        "OLD.state <> 'held' OR NEW.body <> OLD.body OR NEW.signature <> OLD.signature OR NEW.amount <> OLD.amount "
        "OR NEW.number <> OLD.number OR NEW.digest <> OLD.digest OR NEW.decided_by IS NULL",
    ),
    ("slip_flag", "OLD.settled_by IS NOT NULL OR NEW.kind <> OLD.kind OR NEW.detail <> OLD.detail"),
    (
        "device",
        "NEW.public_key <> OLD.public_key OR NEW.code <> OLD.code OR NEW.collector_id <> OLD.collector_id "
        "OR NEW.market_id <> OLD.market_id OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL) "
        "OR NEW.last_number < OLD.last_number",
    ),
):
    guard(
        f"{_table}_no_update",
        _table,
        sqlite=(
            f"CREATE TRIGGER {_table}_no_update BEFORE UPDATE ON {_table} WHEN {_wrong} "
            f"BEGIN SELECT RAISE(ABORT, '{_table} is kept'); END",
        ),
        postgresql=(
            f"CREATE TRIGGER {_table}_no_update BEFORE UPDATE ON {_table} FOR EACH ROW WHEN ({_wrong}) "
            "EXECUTE FUNCTION refuse_change()",
        ),
    )
    guard(
        f"{_table}_no_delete",
        _table,
        sqlite=(
            f"CREATE TRIGGER {_table}_no_delete BEFORE DELETE ON {_table} "
            f"BEGIN SELECT RAISE(ABORT, '{_table} is kept'); END",
        ),
        postgresql=(
            f"CREATE TRIGGER {_table}_no_delete BEFORE DELETE ON {_table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        ),
    )
# A ticket number is received once, and used or spoiled once. PostgreSQL by exclusion, SQLite by one writer at a time.
append_only("ticket_move", "pin_try")
for _name, _kinds in (("ticket_received_once", "('received')"), ("ticket_spent_once", "('used', 'void')")):
    guard(
        _name,
        "ticket_move",
        sqlite=(
            f"CREATE TRIGGER {_name} BEFORE INSERT ON ticket_move WHEN NEW.kind IN {_kinds} BEGIN "
            f"SELECT RAISE(ABORT, '{_name}') WHERE EXISTS (SELECT 1 FROM ticket_move o WHERE o.market_id = NEW.market_id "
            f"AND o.series = NEW.series AND o.kind IN {_kinds} AND o.first <= NEW.last AND o.last >= NEW.first); END",
        ),
        postgresql=(
            "CREATE EXTENSION IF NOT EXISTS btree_gist",
            f"ALTER TABLE ticket_move DROP CONSTRAINT IF EXISTS {_name}",
            f"ALTER TABLE ticket_move ADD CONSTRAINT {_name} EXCLUDE USING gist (market_id WITH =, series WITH =, "
            f"int8range(first, last, '[]') WITH &&) WHERE (kind IN {_kinds})",
        ),
    )
append_only("payout", "payout_line")
# A match never changes, and goes only beside the row that holds it whole, with who took it back and why.
for _name, _kind, _market, _number in (
    ("bank_match", "deposit", "OLD.market_id", "OLD.deposit_id"),
    ("payout_match", "payout", "''", "OLD.payout_id"),
):
    _kept = (
        f"EXISTS (SELECT 1 FROM match_undone u WHERE u.kind = '{_kind}' AND u.market_id = {_market} "
        f"AND u.number = {_number} AND u.bank_line_id = OLD.bank_line_id AND u.matched_at = OLD.matched_at)"
    )
    POSTGRESQL_FUNCTIONS.append(
        f"""CREATE OR REPLACE FUNCTION check_{_name}_kept() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NOT {_kept} THEN
            RAISE EXCEPTION '{_name} is append-only' USING ERRCODE = '23514';
        END IF;
        RETURN OLD;
    END $$"""
    )
    guard(
        f"{_name}_no_update",
        _name,
        sqlite=(
            f"CREATE TRIGGER {_name}_no_update BEFORE UPDATE ON {_name} "
            f"BEGIN SELECT RAISE(ABORT, '{_name} is append-only'); END",
        ),
        postgresql=(
            f"CREATE TRIGGER {_name}_no_update BEFORE UPDATE ON {_name} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        ),
    )
    guard(
        f"{_name}_no_delete",
        _name,
        sqlite=(
            f"CREATE TRIGGER {_name}_no_delete BEFORE DELETE ON {_name} WHEN NOT {_kept} "
            f"BEGIN SELECT RAISE(ABORT, '{_name} is append-only'); END",
        ),
        postgresql=(
            f"CREATE TRIGGER {_name}_no_delete BEFORE DELETE ON {_name} "
            f"FOR EACH ROW EXECUTE FUNCTION check_{_name}_kept()",
        ),
    )
# A bank line is matched once, to a deposit or to a payout. The line's row is locked by whoever matches it, so that on
# PostgreSQL the second of two at once sees the first.
POSTGRESQL_FUNCTIONS += [
    """CREATE OR REPLACE FUNCTION check_line_matched() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        PERFORM 1 FROM bank_line WHERE id = NEW.bank_line_id FOR UPDATE;
        IF EXISTS (SELECT 1 FROM bank_match WHERE bank_line_id = NEW.bank_line_id)
           OR EXISTS (SELECT 1 FROM payout_match WHERE bank_line_id = NEW.bank_line_id) THEN
            RAISE EXCEPTION 'bank line is matched' USING ERRCODE = '23514';
        END IF;
        RETURN NEW;
    END $$""",
]
for _name, _other in (("bank_match", "payout_match"), ("payout_match", "bank_match")):
    guard(
        f"{_name}_once",
        _name,
        sqlite=(
            f"CREATE TRIGGER {_name}_once BEFORE INSERT ON {_name} "
            f"WHEN EXISTS (SELECT 1 FROM {_other} WHERE bank_line_id = NEW.bank_line_id) "
            "BEGIN SELECT RAISE(ABORT, 'bank line is matched'); END",
        ),
        postgresql=(
            f"CREATE TRIGGER {_name}_once BEFORE INSERT ON {_name} FOR EACH ROW EXECUTE FUNCTION check_line_matched()",
        ),
    )
# A request to void is decided once, and what was asked is never rewritten.
guard(
    "void_request_no_update",
    "void_request",
    sqlite=(
        "CREATE TRIGGER void_request_no_update BEFORE UPDATE ON void_request WHEN OLD.state <> 'waiting' "
        "OR NEW.receipt_number <> OLD.receipt_number OR NEW.amount <> OLD.amount OR NEW.asked_by <> OLD.asked_by "
        "OR NEW.reason <> OLD.reason BEGIN SELECT RAISE(ABORT, 'void_request is append-only'); END",
    ),
    postgresql=(
        "CREATE TRIGGER void_request_no_update BEFORE UPDATE ON void_request FOR EACH ROW WHEN (OLD.state <> 'waiting' "
        "OR NEW.receipt_number <> OLD.receipt_number OR NEW.amount <> OLD.amount OR NEW.asked_by <> OLD.asked_by "
        "OR NEW.reason <> OLD.reason) EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "void_request_no_delete",
    "void_request",
    sqlite=(
        "CREATE TRIGGER void_request_no_delete BEFORE DELETE ON void_request "
        "BEGIN SELECT RAISE(ABORT, 'void_request is append-only'); END",
    ),
    postgresql=(
        "CREATE TRIGGER void_request_no_delete BEFORE DELETE ON void_request FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ),
)
