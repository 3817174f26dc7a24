"""`move-in plan` and `run` of a docker compose source, as somebody sees them, between real stores.

The stack is a stand-in: what a real one's stores are reached by is in
tests/unit/automation/move_in/test_stack_target.py.
"""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.move_in import command, measuring, old_trace
from tests.move_in.installation import ENCRYPTION_KEY, KEYS, NEXTAUTH_SECRET, SALT, SECRETS, Pair
from tests.move_in.servers import PASSWORD

COMPOSE: Final = """
services:
  langfuse-worker:
    image: docker.io/langfuse/langfuse-worker:3.224.0
    environment: &worker
      DATABASE_URL: postgresql://postgres:${POSTGRES_PASSWORD:?set it}@postgres:5432/DATABASE
      SALT: ${SALT}
      ENCRYPTION_KEY: ${ENCRYPTION_KEY}
      CLICKHOUSE_URL: ${CLICKHOUSE_URL:-http://clickhouse:8123}
      CLICKHOUSE_USER: ${CLICKHOUSE_USER:-clickhouse}
      CLICKHOUSE_PASSWORD: ${CLICKHOUSE_PASSWORD:-clickhouse}
      CLICKHOUSE_DB: DATABASE
      LANGFUSE_S3_EVENT_UPLOAD_BUCKET: langfuse
      LANGFUSE_S3_EVENT_UPLOAD_PREFIX: ${LANGFUSE_S3_EVENT_UPLOAD_PREFIX:-events/}
      LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT: http://minio:9000
      LANGFUSE_S3_EVENT_UPLOAD_FORCE_PATH_STYLE: true
      LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID: minio
      LANGFUSE_S3_EVENT_UPLOAD_SECRET_ACCESS_KEY: minio-secret
      LANGFUSE_S3_MEDIA_UPLOAD_BUCKET: langfuse
      LANGFUSE_S3_MEDIA_UPLOAD_PREFIX: media/
      LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT: http://localhost:S3PORT
      LANGFUSE_S3_MEDIA_UPLOAD_FORCE_PATH_STYLE: "true"
      LANGFUSE_S3_MEDIA_UPLOAD_ACCESS_KEY_ID: minio
      LANGFUSE_S3_MEDIA_UPLOAD_SECRET_ACCESS_KEY: minio-secret
  langfuse-web:
    image: docker.io/langfuse/langfuse:3.224.0
    environment:
      <<: *worker
      NEXTAUTH_URL: http://localhost:1
      NEXTAUTH_SECRET: ${NEXTAUTH_SECRET}
  postgres:
    image: docker.io/postgres:15
    ports: ["127.0.0.1:PGPORT:5432"]
  clickhouse:
    image: docker.io/clickhouse/clickhouse-server
    ports: ["127.0.0.1:CHPORT:8123", "127.0.0.1:9000:9000"]
  minio:
    image: docker.io/minio/minio
    ports: ["S3PORT:9000", "127.0.0.1:9091:9001"]
"""


def always(answer: Any) -> Any:
    """Give this, whatever is asked."""

    def given(*_: Any) -> Any:
        return answer

    return given


@pytest.fixture
def folder(pair: Pair, tmp_path: Path) -> Path:
    """The folder of docker compose."""
    text = COMPOSE.replace("DATABASE\n", f"{pair.database}\n")
    for name, port in (
        ("PGPORT", pair.servers.postgres[0]),
        ("CHPORT", pair.servers.clickhouse[0]),
        ("S3PORT", pair.s3.url.rsplit(":", 1)[1]),
    ):
        text = text.replace(name, str(port))
    (tmp_path / "docker-compose.yml").write_text(text)
    (tmp_path / ".env").write_text(
        f"POSTGRES_PASSWORD='{PASSWORD}'\nexport SALT=\"{SALT}\"  # of 2025\n"
        f"ENCRYPTION_KEY={ENCRYPTION_KEY}\nNEXTAUTH_SECRET={NEXTAUTH_SECRET}\n"
        f"CLICKHOUSE_PASSWORD=${{POSTGRES_PASSWORD}}\n"
    )
    return tmp_path


@pytest.fixture
def run(pair: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command of `move-in` on the pair; another target by `changed`."""
    changed: dict[str, Any] = {}
    outputs = {"url": SimpleNamespace(value="https://langfuse.example.com")}
    deployed = SimpleNamespace(
        name="prod", pulumi=SimpleNamespace(outputs=always(outputs)), aws=always(None)
    )

    @contextmanager
    def opened(*_: Any, **__: Any) -> Generator[Any]:
        yield replace(pair.sides().target, **changed)

    monkeypatch.setattr(command, "open_stack", always(deployed))
    monkeypatch.setattr(command, "opened", opened)
    monkeypatch.setattr(measuring, "SECONDS", 0.2)
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", KEYS.public)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", KEYS.secret)

    def invoke(*words: str, **other: Any) -> Any:
        changed.clear()
        changed.update(other)
        arguments = ["move-in", *words[:1], "--stack", "prod", "--from", str(folder), *words[1:]]
        result = CliRunner().invoke(app, arguments)
        for each in SECRETS:
            assert each not in result.output
        return result

    return invoke


def test_a_compose_source_is_planned_moved_in_and_planned_again(
    pair: Pair, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def read_back(url: str, _: Any, trace: old_trace.Trace) -> str:
        asked.append((url, trace.id))
        return f"{url} gives {trace.id}"

    monkeypatch.setattr(old_trace, "read_back", read_back)
    planned = run("plan")
    assert planned.exit_code == 0, planned.output
    for expected in (
        r"Langfuse +3\.224\.0 +3\.224\.0",
        r"PostgreSQL +15, [\d.]+ [KM]iB +15, [\d.]+ KiB +pg_dump, one transaction +about \d+ s",
        r"  observations +1,000 rows, [\d.]+ KiB +0 rows +2 partitions +about \d+ s",
        r"Objects events +30, \d+ B +0, 0 B +through this machine",
        r"SALT +set +the same",
        r"the way to the target [\d.]+ [MG]iB/s",
        r"What waits in the source's queues",
    ):
        assert re.search(expected, planned.output), f"{expected}\n{planned.output}"
    assert pair.s3.written == []
    moved = run("run", "--yes")
    assert moved.exit_code == 0, moved.output
    assert pair.called == ["stop", "migrate", "start"]
    for expected in (
        r"objects of events: 30 copied, \d+ B",
        r"ClickHouse, traces: 2 partitions, 1,\d+ rows, [\d.]+ KiB in \d+ s",
        r"PostgreSQL: [\d.]+ [KM]iB in \d+ s, [\d.]+ [KM]iB/s",
        r"ClickHouse traces +990 +990 +rows, 40 days +same",
        r"Objects media +2 +2 +objects, 2,000 bytes, 2 checksums +same",
        r"https://langfuse.example.com gives trace-1\n",
    ):
        assert re.search(expected, moved.output), f"{expected}\n{moved.output}"
    # The oldest of all was deleted.
    assert asked == [("https://langfuse.example.com", "trace-1")]
    print(planned.output, moved.output)
    again = json.loads(run("plan", "--json").stdout)
    tables = [each for each in again["items"] if each["how"] == "nothing new"]
    assert len(tables) == 6
    assert again["refusals"] == []
    assert again["bytesPerSecond"]["clickhouse"] > 0


def test_a_wrong_salt_stops_it_with_one_line_and_nothing_written(pair: Pair, run: Any) -> None:
    wrong = {"SALT": "other", "ENCRYPTION_KEY": ENCRYPTION_KEY, "NEXTAUTH_SECRET": NEXTAUTH_SECRET}
    for words in (("plan",), ("run", "--yes")):
        result = run(*words, secrets=wrong)
        assert result.exit_code == 1
        lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert lines[0].startswith("error: SALT: the target's is not the source's, so no API key")
        assert lines[1:] == ["error: nothing was changed."]
    assert pair.called == []
    assert pair.s3.written == []
    assert not pair.sides().progress.begun()


def test_rows_that_have_not_arrived_leave_the_worker_stopped(
    pair: Pair, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = command.copying.copy_postgres

    def and_one_less(sides: Any, say: Any) -> None:
        real(sides, say)
        pair.postgres(1).run("DELETE FROM users WHERE id = 'user-3';")

    monkeypatch.setattr(command.copying, "copy_postgres", and_one_less)
    result = run("run", "--yes")
    assert result.exit_code == 1
    assert "PostgreSQL users: the source has 30 rows, the target 29" in result.stderr
    assert pair.called == ["stop"]
