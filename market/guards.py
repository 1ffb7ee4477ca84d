"""Triggers and exclusion rules: what the database itself refuses. Declared here, re-created after every upgrade.

Alembic's batch mode drops triggers silently, so `install` runs after migrations; a test compares what is installed
with what is declared and tries each forbidden write. Each feature has its section; those of cash stand in cash_guards.py.
"""

from market import cash_guards as cash_guards
from market.guarding import GUARDS as GUARDS
from market.guarding import POSTGRESQL_FUNCTIONS, append_only, guard
from market.guarding import install as install
from market.guarding import installed as installed

# -- auth, audit, jobs -------------------------------------------------------------------------------------------
append_only("audit_entry", "audit_seal")

# -- ledger ------------------------------------------------------------------------------------------------------
append_only("ledger_transaction", "posting", "ledger_seal")
# SQLite: the lines come first, held by the deferred foreign key to a transaction that is not there yet; the
# transaction's own insert then sees all of them. A line for a transaction that is there already is refused.
guard(
    "posting_closed",
    "posting",
    sqlite=(
        """CREATE TRIGGER posting_closed BEFORE INSERT ON posting
        WHEN EXISTS (SELECT 1 FROM ledger_transaction t WHERE t.book = NEW.book AND t.id = NEW.transaction_id)
        BEGIN SELECT RAISE(ABORT, 'the transaction is closed'); END""",
    ),
)
# PostgreSQL: one look per statement, not per line. Each statement's lines must balance by themselves and be numbered
# 1, 2, 3 …; with the primary key that leaves no number free for a line that somebody adds later, committed or not.
guard(
    "posting_balanced",
    "posting",
    postgresql=(
        "CREATE TRIGGER posting_balanced AFTER INSERT ON posting REFERENCING NEW TABLE AS fresh "
        "FOR EACH STATEMENT EXECUTE FUNCTION check_posting()",
    ),
)
guard(
    "ledger_transaction_balanced",
    "ledger_transaction",
    sqlite=(
        """CREATE TRIGGER ledger_transaction_balanced AFTER INSERT ON ledger_transaction
        WHEN (SELECT count(*) < 2 OR sum(amount) <> 0 OR max(n) <> count(*) FROM posting p
              WHERE p.book = NEW.book AND p.transaction_id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'the transaction is not balanced'); END""",
    ),
    postgresql=(
        "CREATE TRIGGER ledger_transaction_balanced AFTER INSERT ON ledger_transaction REFERENCING NEW TABLE AS fresh "
        "FOR EACH STATEMENT EXECUTE FUNCTION check_ledger_transaction()",
    ),
)
# The kept balances: opened at zero and moved by the lines themselves, so that no caller can forget.
guard(
    "posting_moves_balance",
    "posting",
    sqlite=(
        """CREATE TRIGGER posting_moves_balance AFTER INSERT ON posting
        BEGIN
            INSERT INTO account (book, code, balance)
            SELECT NEW.book, NEW.account,
                   CASE WHEN NEW.account LIKE 'cash:%' OR NEW.account LIKE 'titipan:%' THEN 0 END
            WHERE NOT EXISTS (SELECT 1 FROM account WHERE book = NEW.book AND code = NEW.account);
            UPDATE account SET balance = balance + NEW.amount
            WHERE book = NEW.book AND code = NEW.account AND balance IS NOT NULL;
        END""",
    ),
)
guard(
    "account_kept",
    "account",
    sqlite=(
        """CREATE TRIGGER account_kept BEFORE UPDATE ON account
        WHEN NEW.book <> OLD.book OR NEW.code <> OLD.code OR (NEW.balance IS NULL) <> (OLD.balance IS NULL)
        BEGIN SELECT RAISE(ABORT, 'account is kept by its postings'); END""",
    ),
    postgresql=(
        "CREATE TRIGGER account_kept BEFORE UPDATE OR DELETE ON account FOR EACH ROW "
        "WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "account_not_deleted",
    "account",
    sqlite=(
        "CREATE TRIGGER account_not_deleted BEFORE DELETE ON account "
        "BEGIN SELECT RAISE(ABORT, 'account is append-only'); END",
    ),
)
guard(
    "counter_only_grows",
    "counter",
    sqlite=(
        "CREATE TRIGGER counter_only_grows BEFORE UPDATE ON counter WHEN NEW.value < OLD.value "
        "BEGIN SELECT RAISE(ABORT, 'counter only grows'); END",
    ),
    postgresql=(
        "CREATE TRIGGER counter_only_grows BEFORE UPDATE ON counter FOR EACH ROW "
        "WHEN (NEW.value < OLD.value) EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "counter_no_delete",
    "counter",
    sqlite=(
        "CREATE TRIGGER counter_no_delete BEFORE DELETE ON counter "
        "BEGIN SELECT RAISE(ABORT, 'counter is append-only'); END",
    ),
    postgresql=(
        "CREATE TRIGGER counter_no_delete BEFORE DELETE ON counter FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ),
)
POSTGRESQL_FUNCTIONS += [
    """CREATE OR REPLACE FUNCTION check_posting() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF EXISTS (SELECT 1 FROM fresh GROUP BY book, transaction_id
                   HAVING sum(amount) <> 0 OR count(*) < 2 OR min(n) <> 1 OR max(n) <> count(*)) THEN
            RAISE EXCEPTION 'the transaction is not balanced' USING ERRCODE = '23514';
        END IF;
        INSERT INTO account (book, code, balance)
        SELECT DISTINCT f.book, f.account,
               CASE WHEN f.account LIKE 'cash:%' OR f.account LIKE 'titipan:%' THEN 0 END
        FROM fresh f WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.book = f.book AND a.code = f.account)
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING;
        IF EXISTS (SELECT 1 FROM fresh WHERE account LIKE 'cash:%' OR account LIKE 'titipan:%') THEN
            -- Two batches that move the same accounts take them in one order, or they would wait for each other for ever.
            IF (SELECT count(*) FROM fresh WHERE account LIKE 'cash:%' OR account LIKE 'titipan:%') > 1 THEN
                PERFORM 1 FROM account a
                WHERE (a.book, a.code) IN (SELECT f.book, f.account FROM fresh f
                                           WHERE f.account LIKE 'cash:%' OR f.account LIKE 'titipan:%')
                ORDER BY a.book, a.code FOR UPDATE;
            END IF;
            UPDATE account a SET balance = a.balance + f.amount
            FROM (SELECT book, account, sum(amount) AS amount FROM fresh
                  WHERE account LIKE 'cash:%' OR account LIKE 'titipan:%' GROUP BY 1, 2 ORDER BY 1, 2) f
            WHERE a.book = f.book AND a.code = f.account;
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE OR REPLACE FUNCTION check_ledger_transaction() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF EXISTS (SELECT 1 FROM fresh t WHERE NOT EXISTS
                   (SELECT 1 FROM posting p WHERE p.book = t.book AND p.transaction_id = t.id)) THEN
            RAISE EXCEPTION 'the transaction has no lines' USING ERRCODE = '23514';
        END IF;
        RETURN NULL;
    END $$""",
]

# -- vendors -----------------------------------------------------------------------------------------------------
append_only("life_step", "lottery")
# No two permits that occupy one place in one session overlap. PostgreSQL holds it by an exclusion constraint, which is
# right under concurrency by itself; SQLite by triggers, right because it has one writer at a time.
_ENDED = "('EXPIRED', 'REVOKED', 'RETURNED', 'TRANSFERRED')"
guard(
    "permit_no_overlap",
    "permit",
    postgresql=(
        "CREATE EXTENSION IF NOT EXISTS btree_gist",
        "ALTER TABLE permit DROP CONSTRAINT IF EXISTS permit_no_overlap",
        "ALTER TABLE permit ADD CONSTRAINT permit_no_overlap EXCLUDE USING gist (market_id WITH =, place_id WITH =, "
        f"session_code WITH =, daterange(valid_from, valid_until) WITH &&) WHERE (status NOT IN {_ENDED})",
    ),
)
for _name, _event in (("permit_no_overlap_insert", "INSERT"), ("permit_no_overlap_update", "UPDATE")):
    guard(
        _name,
        "permit",
        sqlite=(
            f"CREATE TRIGGER {_name} BEFORE {_event} ON permit WHEN NEW.status NOT IN {_ENDED} BEGIN "
            "SELECT RAISE(ABORT, 'permit_no_overlap') WHERE EXISTS (SELECT 1 FROM permit o "
            "WHERE o.market_id = NEW.market_id AND o.place_id = NEW.place_id AND o.session_code = NEW.session_code "
            f"AND o.id <> NEW.id AND o.status NOT IN {_ENDED} "
            "AND (NEW.valid_until IS NULL OR o.valid_from < NEW.valid_until) "
            "AND (o.valid_until IS NULL OR o.valid_until > NEW.valid_from)); END",
        ),
    )

# -- dues --------------------------------------------------------------------------------------------------------
# A charge never changes but for `settled`, which follows its settlements; ck_charge_settled refuses to overpay a line.
append_only("settlement", "accrual_run", "bill_line", "meter_reading")
append_only(
    "instalment",
    "instalment_line",
    "letter_policy",
    "letter_line",
    "interest_month",
    "write_off_line",
    "acknowledgement",
)
_CHARGE_COLUMNS = (
    "market_id, period_start, charge_type, permit_id, revision, period_end, quantity_e4, net, gross, relieved, "
    "relieved_tax, tariff_id, relief_id, run_id"
)
_CHARGE_OF_SETTLEMENT = (
    "market_id = NEW.market_id AND period_start = NEW.period_start AND charge_type = NEW.charge_type "
    "AND permit_id = NEW.permit_id AND revision = NEW.revision"
)
guard(
    "charge_no_update",
    "charge",
    sqlite=(
        f"CREATE TRIGGER charge_no_update BEFORE UPDATE OF {_CHARGE_COLUMNS} ON charge "
        "BEGIN SELECT RAISE(ABORT, 'charge is append-only'); END",
    ),
    postgresql=(
        f"CREATE TRIGGER charge_no_update BEFORE UPDATE OF {_CHARGE_COLUMNS} ON charge "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "charge_no_delete",
    "charge",
    sqlite=(
        "CREATE TRIGGER charge_no_delete BEFORE DELETE ON charge "
        "BEGIN SELECT RAISE(ABORT, 'charge is append-only'); END",
    ),
    postgresql=(
        "CREATE TRIGGER charge_no_delete BEFORE DELETE ON charge FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    ),
)
guard(
    "settlement_settles",
    "settlement",
    sqlite=(
        "CREATE TRIGGER settlement_settles AFTER INSERT ON settlement BEGIN "
        f"SELECT RAISE(ABORT, 'settlement without charge') WHERE NOT EXISTS (SELECT 1 FROM charge WHERE {_CHARGE_OF_SETTLEMENT}); "
        f"UPDATE charge SET settled = settled + NEW.amount WHERE {_CHARGE_OF_SETTLEMENT}; END",
    ),
    postgresql=(
        "CREATE TRIGGER settlement_settles AFTER INSERT ON settlement FOR EACH ROW EXECUTE FUNCTION settle_charge()",
    ),
)
POSTGRESQL_FUNCTIONS.append(
    f"""CREATE OR REPLACE FUNCTION settle_charge() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        UPDATE charge SET settled = settled + NEW.amount WHERE {_CHARGE_OF_SETTLEMENT};
        IF NOT FOUND THEN RAISE EXCEPTION 'settlement without charge' USING ERRCODE = '23503'; END IF;
        RETURN NULL;
    END $$"""
)

# A tariff or relief that a person wrote begins as a proposal; another decides, once, and what was proposed stays as it was.
for _table, _fixed in (
    ("tariff", "net_e4 gross_e4 valid_from basis charge_type"),
    ("relief", "pct_e2 valid_from weekdays"),
):
    _differs = " OR ".join(f"NEW.{_column} <> OLD.{_column}" for _column in _fixed.split())
    _wrong = (
        f"{_differs} OR NEW.created_by IS DISTINCT FROM OLD.created_by OR (NEW.state <> OLD.state "
        "AND (OLD.state <> 'PROPOSED' OR NEW.decided_by IS NULL))"
    )
    for _name, _event, _when in (
        (f"{_table}_proposed_first", "INSERT", "NEW.created_by IS NOT NULL AND NEW.state <> 'PROPOSED'"),
        (f"{_table}_decided_once", "UPDATE", _wrong),
    ):
        guard(
            _name,
            _table,
            sqlite=(
                f"CREATE TRIGGER {_name} BEFORE {_event} ON {_table} WHEN {_when.replace('IS DISTINCT FROM', 'IS NOT')} "
                f"BEGIN SELECT RAISE(ABORT, '{_table} needs a second person'); END",
            ),
            postgresql=(
                f"CREATE TRIGGER {_name} BEFORE {_event} ON {_table} FOR EACH ROW WHEN ({_when}) "
                "EXECUTE FUNCTION refuse_change()",
            ),
        )

# -- pricing -----------------------------------------------------------------------------------------------------
append_only("price", "price_correction", "publication")

# -- payments ----------------------------------------------------------------------------------------------------
append_only("inbox", "payment", "receipt", "receipt_cancellation", "titipan_movement")
# Never more goes back than came, whoever sends it: proposals count, those declined and disputes won do not.
_BACK = (
    "(SELECT coalesce(sum(r.amount), 0) FROM refund r WHERE r.market_id = NEW.market_id AND r.payment_id = NEW.payment_id "
    "AND r.state <> 'declined') + (SELECT coalesce(sum(v.amount), 0) FROM money_reversal v "
    "WHERE v.market_id = NEW.market_id AND v.payment_id = NEW.payment_id AND v.state <> 'won')"
)
_CAME = "(SELECT p.amount FROM payment p WHERE p.market_id = NEW.market_id AND p.id = NEW.payment_id)"
_CANCELLED = (
    "EXISTS (SELECT 1 FROM receipt t JOIN receipt_cancellation x ON x.market_id = t.market_id AND x.year = t.year "
    "AND x.n = t.n WHERE t.market_id = NEW.market_id AND t.payment_id = NEW.payment_id)"
)
for _table in ("refund", "money_reversal"):
    guard(
        f"{_table}_not_more",
        _table,
        sqlite=(
            f"CREATE TRIGGER {_table}_not_more AFTER INSERT ON {_table} "
            f"WHEN NEW.payment_id IS NOT NULL AND ({_BACK} > {_CAME} OR {_CANCELLED}) "
            "BEGIN SELECT RAISE(ABORT, 'more goes back than came'); END",
        ),
        postgresql=(
            f"CREATE TRIGGER {_table}_not_more AFTER INSERT ON {_table} FOR EACH ROW "
            "WHEN (NEW.payment_id IS NOT NULL) EXECUTE FUNCTION check_money_back()",
        ),
    )
    guard(
        f"{_table}_no_delete",
        _table,
        sqlite=(
            f"CREATE TRIGGER {_table}_no_delete BEFORE DELETE ON {_table} "
            f"BEGIN SELECT RAISE(ABORT, '{_table} is never deleted'); END",
        ),
        postgresql=(
            f"CREATE TRIGGER {_table}_no_delete BEFORE DELETE ON {_table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        ),
    )
POSTGRESQL_FUNCTIONS.append(
    f"""CREATE OR REPLACE FUNCTION check_money_back() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        PERFORM 1 FROM payment p WHERE p.market_id = NEW.market_id AND p.id = NEW.payment_id FOR UPDATE;
        IF {_BACK} > {_CAME} OR {_CANCELLED} THEN
            RAISE EXCEPTION 'more goes back than came' USING ERRCODE = '23514'; END IF;
        RETURN NULL;
    END $$"""
)
_FIXED = "NEW.amount <> OLD.amount OR NEW.asked_by <> OLD.asked_by OR NEW.vendor_id <> OLD.vendor_id"
_WRONG = f"OLD.state = 'declined' OR {_FIXED} OR (OLD.decided_by IS NOT NULL AND NEW.decided_by <> OLD.decided_by)"
guard(
    "refund_no_update",
    "refund",
    sqlite=(
        f"CREATE TRIGGER refund_no_update BEFORE UPDATE ON refund WHEN {_WRONG} "
        "BEGIN SELECT RAISE(ABORT, 'what was proposed stays'); END",
    ),
    postgresql=(
        f"CREATE TRIGGER refund_no_update BEFORE UPDATE ON refund FOR EACH ROW WHEN ({_WRONG}) "
        "EXECUTE FUNCTION refuse_change()",
    ),
)
