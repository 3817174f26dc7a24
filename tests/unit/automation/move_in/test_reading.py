"""What is read of a source: `.env` files and `${…}` as Docker Compose has them, and compose files.

The rules are those of https://docs.docker.com/reference/compose-file/interpolation/; what Compose
itself makes of a case was not run.
"""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.reading import read_source
from langfuse_aws.automation.move_in.variables import interpolate, read_env_file

VARIABLES: Final = {"A": "a", "EMPTY": "", "B": "b c"}
TEXTS: Final = {
    "$A": "a",
    "${A}/$B.": "a/b c.",
    "$$A": "$A",
    "${NONE}": "",
    "${NONE:-x}": "x",
    "${EMPTY:-x}": "x",
    "${EMPTY-x}": "",
    "${NONE-x}": "x",
    "${A:+x}": "x",
    "${EMPTY:+x}": "",
    "${EMPTY+x}": "x",
    "${NONE:-${A}-${NONE:-y}}": "a-y",
    "${NONE:-a$$b}": "a$b",
    "a$": "a$",
    "1$ 2": "1$ 2",
    "${A:?needed}": "a",
}
FILE: Final = """\ufeff# comment
A=1
 export B = two words  # comment
C='$A # "kept" \\n'
D="$A\\tx \\"q\\" $$A \\$A"  # comment
E=${A:-0}#no comment
F=
G="over
lines"
H
I: yaml
"""


def test_texts_are_interpolated_as_compose_does_it() -> None:
    found = {text: interpolate(text, VARIABLES) for text in TEXTS}
    assert found == TEXTS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${A", "is not closed"),
        ("${}", "names no variable"),
        ("${A!}", "no operator"),
        ("${EMPTY:?give it}", "EMPTY must be set: give it"),
    ],
)
def test_a_wrong_text_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        interpolate(text, VARIABLES)


def test_a_file_of_variables_is_read_as_compose_does_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(FILE, encoding="utf-8")
    assert read_env_file(path, {"H": "here"}) == {
        "A": "1",
        "B": "two words",
        "C": '$A # "kept" \\n',
        "D": '1\tx "q" $A $A',
        "E": "1#no comment",
        "F": "",
        "G": "over\nlines",
        "H": "here",
        "I": "yaml",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [("A=1\nhush-hush", "line 2: must be NAME"), ("A='hush", "line 1, A: the quote ' is not")],
)
def test_a_wrong_line_is_named_without_its_value(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / ".env"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        read_env_file(path, {})
    assert "hush" not in str(caught.value)


SERVICES: Final[dict[str, Any]] = {
    "langfuse-web": {
        "image": "docker.langfuse.com/langfuse/langfuse:${RELEASE:-4.15.0}",
        "env_file": ["web.env"],
        "environment": {
            "DATABASE_URL": "postgresql://me:p%40ss@db:5432/langfuse?sslmode=disable",
            "CLICKHOUSE_URL": "${CLICKHOUSE_URL:-http://clickhouse:8123}",
            "CLICKHOUSE_USER": "clickhouse",
            "CLICKHOUSE_PASSWORD": "hush",
            "NEXTAUTH_URL": "http://localhost:3000",
            "NEXTAUTH_SECRET": "hush",
            "SALT": "hush",
            "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "langfuse",
            "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT": "http://minio:9000",
            "LANGFUSE_S3_EVENT_UPLOAD_REGION": "auto",
        },
    },
    "db": {"image": "postgres", "ports": ["5433:5432"]},
    "clickhouse": {"image": "clickhouse/clickhouse-server", "ports": ["10.0.0.7:18123:8123/tcp"]},
    "minio": {"image": "minio/minio", "ports": [{"target": 9000, "published": "9090"}]},
}


def write(folder: Path, services: dict[str, Any], name: str = "compose.yaml") -> None:
    (folder / name).write_text(yaml.safe_dump({"services": services}))
    (folder / "web.env").write_text("ENCRYPTION_KEY=" + "ab" * 32 + "\nSALT=not this one\n")


def test_names_of_compose_s_own_network_become_published_ports(tmp_path: Path) -> None:
    write(tmp_path, SERVICES)
    source = read_source([tmp_path], {})
    assert str(source.postgres) == "postgresql://127.0.0.1:5433/langfuse"
    assert (source.postgres.password, source.postgres.sslmode) == ("p@ss", "disable")
    assert source.clickhouse.url == "http://10.0.0.7:18123"
    assert source.objects["events"].endpoint == "http://127.0.0.1:9090"
    assert source.objects["events"].region is None
    assert source.release == "4.15.0"
    assert source.environment["SALT"] == "hush"
    assert source.environment["ENCRYPTION_KEY"] == "ab" * 32
    assert "hush" not in repr(source)


def test_an_override_and_a_later_file_win_and_so_does_the_environment(tmp_path: Path) -> None:
    write(tmp_path, SERVICES)
    own = {"langfuse-web": {"environment": ["CLICKHOUSE_USER=other", "SALT=${MINE}"]}}
    write(tmp_path, own, "compose.override.yaml")
    (tmp_path / ".env").write_text("MINE=salt of .env\nRELEASE=3.224.0\n")
    urls = tmp_path / "urls.env"
    urls.write_text("CLICKHOUSE_URL=https://clickhouse.example.com\n")
    source = read_source([tmp_path, urls], {"RELEASE": "3.225.5"})
    assert source.clickhouse.url == "https://clickhouse.example.com:443"
    assert source.clickhouse.user == "other"
    assert source.environment["SALT"] == "salt of .env"
    assert source.release == "3.225.5"


def test_ports_that_are_not_published_are_told_together(tmp_path: Path) -> None:
    services = {**SERVICES, "db": {"image": "postgres"}, "minio": {"ports": ["9091:9001"]}}
    write(tmp_path, services)
    with pytest.raises(UserError) as caught:
        read_source([tmp_path], {})
    database, objects = caught.value.messages
    assert "DATABASE_URL is on service db, which publishes no port for 5432" in database
    assert 'ports: ["127.0.0.1:5432:5432"]' in database
    assert "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT is on service minio" in objects


def test_a_later_file_gives_another_way_to_what_publishes_no_port(tmp_path: Path) -> None:
    write(tmp_path, {**SERVICES, "db": {"image": "postgres"}})
    urls = tmp_path / "urls.env"
    urls.write_text("DATABASE_URL=postgresql://me:hush@127.0.0.1:6000/langfuse\n")
    assert str(read_source([tmp_path, urls], {}).postgres) == "postgresql://127.0.0.1:6000/langfuse"
    urls.write_text("DIRECT_URL=postgresql://me:hush@127.0.0.1:6001/langfuse\n")
    assert str(read_source([tmp_path, urls], {}).postgres) == "postgresql://127.0.0.1:6001/langfuse"


def test_past_a_pooler_whatever_names_it(tmp_path: Path) -> None:
    """As migrations go; parts of a URL are as Langfuse's entrypoint joins them."""
    file = tmp_path / "my.env"
    file.write_text(
        "DATABASE_HOST=pooler\nDATABASE_USERNAME=me\nDATABASE_PASSWORD=hush\nDATABASE_NAME=x\n"
        "DIRECT_URL=postgresql://me:hush@db:5433/x\nCLICKHOUSE_URL=http://c:8123\n"
        "CLICKHOUSE_USER=me\nCLICKHOUSE_PASSWORD=hush\nSALT=hush\nNEXTAUTH_SECRET=hush\n"
        "LANGFUSE_S3_EVENT_UPLOAD_BUCKET=langfuse\n"
    )
    assert str(read_source([file], {}).postgres) == "postgresql://db:5433/x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line 2: cannot be read as YAML"),
        ("a: 1", "has no services"),
        ("services: {db: {image: postgres}}", "no service with an image of Langfuse"),
        ("services: {db: {image: 'postgres:${VERSION:?which}'}}", "VERSION must be set: which"),
    ],
)
def test_what_is_no_compose_file_of_langfuse_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "compose.yaml").write_text(text + "\n")
    with pytest.raises(UserError, match=said):
        read_source([tmp_path / "compose.yaml"], {})


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--from .*nowhere: is not there"):
        read_source([tmp_path / "nowhere"], {})
