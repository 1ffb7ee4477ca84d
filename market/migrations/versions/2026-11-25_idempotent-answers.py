"""first answers to an Idempotency-Key"""

import sqlalchemy as sa
from alembic import op

import market.database

revision = "2026_11_25_idempotent_answers"
down_revision = "2026_11_25_first"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotent_answer",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", market.database.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status BETWEEN 200 AND 399", name=op.f("ck_idempotent_answer_status")),
        sa.PrimaryKeyConstraint("user_id", "method", "path", "key", name=op.f("pk_idempotent_answer")),
    )
    with op.batch_alter_table("idempotent_answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotent_answer_at"), ["at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("idempotent_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotent_answer_at"))
    op.drop_table("idempotent_answer")
