from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import postgres_server
from nonet.service import schema
from nonet.service.database import Database


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL that all tests share."""
    with postgres_server.cluster() as url:
        yield url


@pytest.fixture
def empty_postgres(postgres: str) -> str:
    """The URL of an empty database in it."""
    engine = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite'}"
    url: str = request.getfixturevalue("empty_postgres")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with this version's tables, once of each kind."""
    made = Database(database_url)
    schema.upgrade(made)
    yield made
    made.close()
