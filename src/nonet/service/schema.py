"""Bringing a database to the tables of this version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from nonet.errors import NonetError
from nonet.service.database import Database

FOLDER = Path(__file__).parent / "migrations"
_PG_LOCK = 7_265_640_002


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def newest() -> str:
    """The revision of this version's tables."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def revision(database: Database) -> str | None:
    """The database's revision; None if it is empty."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> None:
    """Make or change the tables; servers that start together do it one after the other.

    Raises:
        NonetError: `config_invalid` if a newer version of Nonet has changed the database.
    """
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with database.connection() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            raise NonetError(
                "config_invalid",
                f"The database is of a newer version of Nonet (revision {current}).",
                "Update Nonet, or go back to a copy of the database.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
