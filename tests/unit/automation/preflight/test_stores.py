"""Checks of `preflight` on external stores, with stand-ins for them.

Proves what is asked of ClickHouse and Redis, what each answer is taken for, that no password is
printed, and that nobody is told all is well who was not asked. ClickHouse's two queries run in a
real engine in tests/engine/test_clickhouse_profile.py; Redis's protocol is spoken on a socket. It
does not prove that a managed Redis answers INFO as this one does.
"""

import base64
import socketserver
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
import pytest

from langfuse_aws.automation.aws.answers import Result, answers
from langfuse_aws.automation.preflight import stores as preflight_stores
from langfuse_aws.automation.preflight.stores import CLICKHOUSE, POSTGRES, REDIS, TIME, store_checks
from langfuse_aws.settings.versions import CLICKHOUSE as CLICKHOUSE_SERVER
from langfuse_aws.settings.versions import POSTGRES_MAJOR, STORE_VERSIONS, VALKEY
from tests.unit.aws_account import Account
from tests.unit.settings.test_external_stores import EXTERNAL

PASSWORD: Final = "hush-hush-4711"
RIGHT: Final = {"version": CLICKHOUSE_SERVER, "timezone": "UTC", "time": TIME}
INFO: Final = {
    "redis_version": "7.0.15",
    "redis_mode": "standalone",
    "maxmemory_policy": "noeviction",
    "role": "master",
    "cluster_enabled": "0",
}


@pytest.fixture(autouse=True)
def passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (preflight_stores.CLICKHOUSE_PASSWORD, preflight_stores.REDIS_PASSWORD):
        monkeypatch.setenv(name, PASSWORD)


def asked(store: str, client: httpx.Client | None = None, **more: Any) -> list[Result]:
    """Run the only check of a stack with that external store."""
    stack = Account().stack(**{store: {**EXTERNAL[store], **more}})
    (check,) = store_checks(stack, client or httpx.Client())
    found = answers(check)
    assert {each.check for each in found} == {check.name}
    assert PASSWORD not in repr(found)
    return found


# --- ClickHouse


class ClickHouse:
    """Answers as ClickHouse's HTTP interface does."""

    def __init__(self, **row: Any) -> None:
        self.row = {**RIGHT, **row}
        self.granted: tuple[int, str] = 200, "1\n"
        self.instead: httpx.Response | Exception | None = None
        self.requests: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one query."""
        self.requests.append(request)
        if isinstance(self.instead, Exception):
            raise self.instead
        if self.instead is not None:
            return self.instead
        if b"CHECK GRANT" in request.content:
            status, text = self.granted
            return httpx.Response(status, text=text)
        return httpx.Response(200, json={"data": [self.row], "rows": 1})

    def asked(self, **more: Any) -> list[Result]:
        """Have it asked."""
        client = httpx.Client(transport=httpx.MockTransport(self.handle), follow_redirects=True)
        return asked("clickhouse", client, **more)


def test_a_clickhouse_that_fits_is_ok() -> None:
    store = ClickHouse()
    (found,) = store.asked()
    assert (found.status, found.check) == ("ok", CLICKHOUSE)
    assert f"{CLICKHOUSE_SERVER}, in UTC" in found.message
    token = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
    assert [request.headers["authorization"] for request in store.requests] == [
        f"Basic {token}"
    ] * 2
    assert {request.url.host for request in store.requests} == {"abc.clickhouse.cloud"}


@pytest.mark.parametrize(
    ("row", "status", "words"),
    [
        ({"time": "2299-12-31 23:59:59.999999"}, "failed", "compatibility = '25.12'"),
        ({"time": "1970-01-01 00:00:00.000000"}, "failed", "raw_value = 1"),
        ({"timezone": "Europe/Berlin"}, "failed", "time zone Europe/Berlin"),
        ({"timezone": "Etc/UTC"}, "ok", "in UTC"),
        ({"version": "25.11.9.1"}, "failed", "needs 25.12 or later"),
        ({"version": "24.8.14.39"}, "failed", "needs 25.12 or later"),
        ({"version": "26.9.1.1"}, "ok", "26.9.1.1"),
        ({"version": "26.10.1.1"}, "unknown", "later than 26.9"),
        ({"version": "27.1.1.1"}, "unknown", "later than 26.9"),
        ({"version": "head"}, "unknown", "'head' is no version"),
    ],
)
def test_what_clickhouse_says_of_itself_is_judged(
    row: dict[str, str], status: str, words: str
) -> None:
    (found,) = ClickHouse(**row).asked()
    assert found.status == status
    assert words in f"{found.message} {found.remedy}"


def test_every_fault_of_a_clickhouse_is_told_at_once() -> None:
    store = ClickHouse(version="24.3.1.1", timezone="Asia/Tokyo", time="1970-01-01")
    store.granted = 200, "0\n"
    assert [each.status for each in store.asked()] == ["failed"] * 4


@pytest.mark.parametrize("cluster", [False, True])
def test_rights_that_its_user_lacks_are_named(cluster: bool) -> None:
    store = ClickHouse()
    store.granted = 200, "0\n"
    (found,) = store.asked(cluster=cluster)
    assert found.status == "failed"
    assert found.remedy.startswith("GRANT SELECT, INSERT, ALTER, ")
    assert found.remedy.endswith("TO reader.")
    assert ("CLUSTER ON *.*" in found.remedy) is cluster, "ON CLUSTER needs a right of its own"
    asked_for = store.requests[-1].content.decode().removeprefix("CHECK GRANT ")
    assert asked_for in found.remedy, "what was asked is what is missing"


@pytest.mark.parametrize("granted", [(500, "Code: 62. DB::Exception"), (200, "")])
def test_rights_that_nobody_says_are_not_taken_for_granted(granted: tuple[int, str]) -> None:
    store = ClickHouse()
    store.granted = granted
    (found,) = store.asked()
    assert found.status == "unknown"


@pytest.mark.parametrize(
    ("instead", "status", "words"),
    [
        (httpx.ConnectError("no route"), "unknown", "nothing answers at https://abc"),
        (httpx.ReadTimeout("slow"), "unknown", "nothing answers at https://abc"),
        (httpx.Response(200, text="<html>hello"), "unknown", "HTTP 200: <html>hello"),
        (httpx.Response(200, json={"data": []}), "unknown", "HTTP 200"),
        (httpx.Response(200, json=[1]), "unknown", "HTTP 200"),
        (httpx.Response(302, headers={"location": "https://other/"}), "unknown", "HTTP 302"),
        (
            httpx.Response(403, headers={"X-ClickHouse-Exception-Code": "516"}, text="Code: 516"),
            "failed",
            "does not take the user reader",
        ),
    ],
)
def test_a_clickhouse_that_gives_no_answer_is_never_ok(
    instead: httpx.Response | Exception, status: str, words: str
) -> None:
    store = ClickHouse()
    store.instead = instead
    (found,) = store.asked()
    assert found.status == status
    assert words in found.message
    assert {request.url.host for request in store.requests} == {"abc.clickhouse.cloud"}, (
        "no password follows a redirect"
    )


# --- Redis


class Redis(socketserver.ThreadingTCPServer):
    """Answers AUTH and INFO."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, info: Mapping[str, str], password: str, instead: bytes | None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.info, self.password, self.instead = info, password, instead


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Redis)
        while words := list(self._words()):
            if server.instead is not None:
                self.wfile.write(server.instead)
                return
            if words[0] == "AUTH":
                right = words[1] == server.password
                self.wfile.write(b"+OK\r\n" if right else b"-WRONGPASS invalid pair.\r\n")
            else:
                text = "# Server\r\n" + "".join(f"{k}:{v}\r\n" for k, v in server.info.items())
                self.wfile.write(f"${len(text)}\r\n{text}\r\n".encode())

    def _words(self) -> Iterator[str]:
        head = self.rfile.readline()
        for _ in range(int(head[1:] or 0)):
            length = int(self.rfile.readline()[1:])
            yield self.rfile.read(length + 2)[:-2].decode()


@contextmanager
def redis(
    info: Mapping[str, str], password: str = PASSWORD, instead: bytes | None = None
) -> Generator[dict[str, Any]]:
    with Redis(info, password, instead) as server:
        threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
        yield {"host": "127.0.0.1", "port": server.server_address[1]}
        server.shutdown()


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({}, "ok", "is Redis 7.0.15, one primary, with noeviction"),
        ({"valkey_version": "8.0.1"}, "ok", "is Valkey 8.0.1"),
        ({"redis_version": "7.4.2"}, "ok", "is Redis 7.4.2"),
        ({"redis_version": "6.2.14"}, "failed", "needs 7.0 or later"),
        ({"redis_version": "8.2.1"}, "unknown", "later than 7"),
        ({"valkey_version": "9.0.0"}, "unknown", "later than 8"),
        ({"redis_version": ""}, "unknown", "no version"),
        ({"maxmemory_policy": "allkeys-lru"}, "failed", "maxmemory-policy allkeys-lru"),
        ({"maxmemory_policy": "volatile-lru"}, "failed", "maxmemory-policy volatile-lru"),
        ({"redis_mode": "cluster", "cluster_enabled": "1"}, "failed", "cluster mode"),
        ({"cluster_enabled": "1"}, "failed", "cluster mode"),
        ({"role": "slave"}, "failed", "is a replica"),
    ],
)
def test_what_redis_says_of_itself_is_judged(said: dict[str, str], status: str, words: str) -> None:
    with redis({**INFO, **said}) as where:
        (found,) = asked("redis", **where)
    assert (found.check, found.status) == (REDIS, status)
    assert words in found.message


def test_a_redis_that_does_not_say_its_policy_is_not_ok() -> None:
    info = {key: value for key, value in INFO.items() if key != "maxmemory_policy"}
    with redis(info) as where:
        (found,) = asked("redis", **where)
    assert found.status == "unknown"


def test_a_redis_with_another_password_is_told() -> None:
    with redis(INFO, password="another") as where:
        (found,) = asked("redis", **where)
    assert (found.status, found.remedy.startswith("Correct langfuse:redisPassword")) == (
        "failed",
        True,
    )


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (b"", "no Redis"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no Redis"),
        (b"$x\r\n", "nothing answers"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
    ],
)
def test_what_is_no_ready_redis_is_never_ok(instead: bytes, words: str) -> None:
    with redis(INFO, instead=instead) as where:
        (found,) = asked("redis", **where)
    assert found.status == "unknown"
    assert words in found.message


def test_a_redis_without_tls_where_tls_is_set_is_never_ok() -> None:
    with redis(INFO, instead=b"-ERR Protocol error\r\n") as where:
        (found,) = asked("redis", tls=True, **where)
    assert found.status == "unknown"


def test_a_redis_that_nobody_reaches_is_never_ok() -> None:
    with redis(INFO) as where:
        pass
    (found,) = asked("redis", **where)
    assert found.status == "unknown"
    assert "Connection refused" in found.message


# --- what cannot be asked


@pytest.mark.parametrize(
    ("store", "variable", "key"),
    [
        ("clickhouse", "CLICKHOUSE_PASSWORD", "clickhousePassword"),
        ("redis", "REDIS_AUTH", "redisPassword"),
    ],
)
@pytest.mark.parametrize("value", [None, ""])
def test_without_its_password_a_store_is_not_asked(
    store: str, variable: str, key: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)
    if value is not None:
        monkeypatch.setenv(variable, value)
    (found,) = asked(store)
    assert found.status == "unknown"
    assert found.remedy == (
        f'{variable}="$(pulumi config get langfuse:{key} --stack dev)" python3 -m automation '
        "preflight --stack dev"
    )


def test_postgres_is_not_asked_and_the_question_is_given() -> None:
    (found,) = asked("postgres")
    assert (found.check, found.status) == (POSTGRES, "unknown")
    assert "host=db.example.com port=5433 user=owner dbname=traces sslmode=require" in found.remedy


def test_a_stack_with_stores_of_its_own_asks_none() -> None:
    assert list(store_checks(Account().stack(), httpx.Client())) == []


def test_each_floor_has_a_ceiling_and_the_stacks_own_stores_are_between() -> None:
    own = {"ClickHouse": CLICKHOUSE_SERVER, "PostgreSQL": POSTGRES_MAJOR, "Valkey": VALKEY}
    assert set(STORE_VERSIONS) == {*own, "Redis"}
    for store, version in own.items():
        bounds = STORE_VERSIONS[store]
        numbers = tuple(int(part) for part in version.split("."))
        assert numbers >= bounds.least, f"{store}: Langfuse does not run on it"
        assert numbers[: len(bounds.newest)] <= bounds.newest, (
            f"{store}: try it, run the engine's tests on it, then raise the ceiling"
        )


def test_the_floors_are_langfuses_own() -> None:
    # https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4
    floors = {store: bounds.least for store, bounds in STORE_VERSIONS.items()}
    assert floors == {
        "ClickHouse": (25, 12),
        "PostgreSQL": (15,),
        "Redis": (7, 0),
        "Valkey": (7, 2),
    }
