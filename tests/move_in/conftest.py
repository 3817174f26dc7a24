"""What the tests of a move need: a Langfuse's stores on both sides, with few rows of each kind."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.move_in.installation import Pair, Servers
from tests.move_in.s3_server import S3
from tests.move_in.servers import clickhouse_server, postgres_program, postgres_server

REQUIRED = "MOVE_IN_TESTS"
"""The variable that, as `required`, makes a missing program a failure."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything where there is no PostgreSQL, or no ClickHouse engine; not in CI."""
    there = postgres_program("postgres") and postgres_program("pg_dump")
    engine = importlib.util.find_spec("chdb")
    if not (there and engine) and os.environ.get(REQUIRED) != "required":
        reason = "needs Debian's postgresql, and make engine's packages"
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def own_programs() -> Iterator[None]:
    """Put PostgreSQL's own programs before Debian's wrappers of them, which start Perl first."""
    with pytest.MonkeyPatch.context() as patch:
        if found := postgres_program("pg_dump"):
            folder = str(Path(found).resolve().parent)
            patch.setenv("PATH", os.pathsep.join([folder, os.environ["PATH"]]))
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Serve PostgreSQL and ClickHouse for both sides, once for all tests."""
    folder = tmp_path_factory.mktemp("servers")
    with (
        postgres_server() as source,
        postgres_server() as target,
        clickhouse_server(folder / "source-clickhouse") as source_clickhouse,
        clickhouse_server(folder / "target-clickhouse") as target_clickhouse,
    ):
        yield Servers((source, target), (source_clickhouse, target_clickhouse))


@pytest.fixture
def pair(servers: Servers) -> Iterator[Pair]:
    """A Langfuse that has been used, and one that is empty, each with databases of its own."""
    with S3("langfuse", "langfuse-prod-storage").serving() as s3:
        found = Pair(servers, s3)
        found.fill()
        yield found
        found.close()
