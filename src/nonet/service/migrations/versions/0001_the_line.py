"""Drawings, pictures, trash, workers, reports, bans and facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "drawings",
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(22), nullable=False, unique=True),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("caller", sa.String(120), nullable=False),
        sa.Column("api", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("turn", _NUMBER, nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=True, unique=True),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("started", _TIME, nullable=True),
        sa.Column("ended", _TIME, nullable=True),
        sa.Column("worker", sa.String(32), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("error_code", sa.String(40), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_hint", sa.Text(), nullable=True),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
    )
    op.create_index("drawings_line", "drawings", ["state", "priority", "turn", "seq"])
    op.create_index("drawings_of_caller", "drawings", ["caller", "state"])
    op.create_index("drawings_gallery", "drawings", ["published", "hidden", "seq"])
    op.create_index("drawings_ended", "drawings", ["ended"])
    op.create_table(
        "pictures",
        sa.Column("drawing", _NUMBER, sa.ForeignKey("drawings.seq", ondelete="CASCADE"), primary_key=True),
        sa.Column("index", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
    )
    op.create_index("pictures_key", "pictures", ["key"])
    op.create_table(
        "trash",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(80), nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("started", _TIME, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("drawing", _NUMBER, sa.ForeignKey("drawings.seq", ondelete="CASCADE"), nullable=False),
        sa.Column("picture", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("caller", sa.String(120), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
    )
    op.create_index("reports_open", "reports", ["open"])
    op.create_table(
        "bans",
        sa.Column("caller", sa.String(120), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", _TIME, nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    """Remove everything."""
    for name in ("facts", "bans", "reports", "workers", "trash", "pictures", "drawings"):
        op.drop_table(name)
