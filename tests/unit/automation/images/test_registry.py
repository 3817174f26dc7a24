"""Reading container registries, on registries in memory.

It proves the way to a token, to an index and to a single image's configuration, what is held
against its digest, and when a busy registry is asked again. It does not prove that GHCR, Docker Hub
and ECR answer as the stand-in does: nobody could reach one here. tests/registry has real ones.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from langfuse_aws.automation.images.registry import (
    LONGEST_WAIT,
    Login,
    Repository,
    WrongDigestError,
    is_loopback,
    new_client,
)
from tests.unit.registry_stand_in import LOGIN, MANIFEST, Registry, digest_of, index

WEB = "ghcr.io/langfuse/langfuse:3.200.1"
BOTH = index("linux/amd64", "linux/arm64")
HUB = "registry-1.docker.io/grafana/grafana:12.1.0"
OTHER = f"sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait; note how long."""
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    return waits


def langfuse(registry: Registry, login: Login | None = None) -> Repository:
    return Repository(registry.client(), "ghcr.io", "langfuse/langfuse", login)


def answering(answer: Callable[[httpx.Request], httpx.Response], host: str = "a.io") -> Repository:
    client = httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True)
    return Repository(client, host, "b", LOGIN)


def test_an_index_is_read_with_a_token_for_everybody() -> None:
    registry = Registry({WEB: BOTH})
    repository = langfuse(registry)
    manifest = repository.manifest("3.200.1")
    assert manifest.digest == digest_of(BOTH)
    assert repository.platforms(manifest) == {
        "amd64": BOTH["manifests"][0]["digest"],
        "arm64": BOTH["manifests"][2]["digest"],
    }
    asked = "GET ghcr.io/v2/langfuse/langfuse/manifests/3.200.1"
    assert registry.asked == [asked, "GET ghcr.io/token", asked]
    assert registry.users == ["nobody"]


def test_a_token_is_asked_for_once_and_by_the_users_login() -> None:
    registry = Registry({WEB: BOTH})
    repository = langfuse(registry, LOGIN)
    repository.manifest("3.200.1")
    repository.manifest(digest_of(BOTH))
    assert registry.users == [f"Basic {LOGIN.encoded}"]
    assert len(registry.asked) == 4


def test_docker_hub_has_another_host() -> None:
    registry = Registry({HUB: BOTH})
    found = Repository(registry.client(), "docker.io", "grafana/grafana").manifest("12.1.0")
    assert found.digest == digest_of(BOTH)
    assert registry.asked[1] == "GET auth.docker.io/token"


def test_a_registry_that_wants_a_password_as_ecr_does_gets_it_and_no_other_host() -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        given = request.headers.get("Authorization")
        seen.append((request.url.host, given))
        if request.url.host == "store.example":
            return httpx.Response(200, json={})
        if given is None:
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="https://a.io/"'})
        return httpx.Response(307, headers={"Location": "https://store.example/x"})

    answering(answer).manifest("1")
    assert seen == [("a.io", None), ("a.io", f"Basic {LOGIN.encoded}"), ("store.example", None)]


def test_a_token_that_has_expired_is_asked_for_again() -> None:
    registry = Registry({WEB: BOTH})
    repository = langfuse(registry)
    repository.manifest("3.200.1")
    registry.faults = [
        httpx.Response(
            401,
            headers={
                "WWW-Authenticate": 'Bearer realm="https://ghcr.io/token",service="s",'
                'scope="repository:langfuse/langfuse:pull"'
            },
        )
    ]
    assert repository.manifest("3.200.1").digest == digest_of(BOTH)
    assert len(registry.users) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_way_to_a_token_is_told_at_once(
    status: int, slept: list[float]
) -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [status]
    with pytest.raises(httpx.HTTPStatusError) as raised:
        langfuse(registry).manifest("3.200.1")
    assert raised.value.response.status_code == status
    assert slept == []
    assert len(registry.asked) == 1


def test_a_single_images_cpu_is_in_its_configuration() -> None:
    config = {"os": "linux", "architecture": "arm64"}
    single: dict[str, Any] = {
        "mediaType": MANIFEST,
        "config": {"digest": digest_of(config), "size": 7},
        "layers": [{"digest": "sha256:l", "size": 11}],
    }
    registry = Registry({WEB: single})
    registry.blobs[f"/{digest_of(config)}"] = config
    repository = langfuse(registry)
    manifest = repository.manifest("3.200.1")
    assert repository.platforms(manifest) == {"arm64": digest_of(single)}
    assert registry.asked[-1] == f"GET blobs.example/{digest_of(config)}"
    assert manifest.blobs == {digest_of(config): 7, "sha256:l": 11}
    registry.blobs[f"/{digest_of(config)}"] = {**config, "architecture": "amd64"}
    with pytest.raises(WrongDigestError, match=f"@{digest_of(config)}: the registry answers with"):
        repository.platforms(manifest)


def test_of_two_variants_of_a_cpu_the_first_counts_and_other_systems_do_not() -> None:
    several = index("linux/arm64", "linux/arm64", "windows/amd64")
    several["manifests"][2]["digest"] = OTHER
    repository = langfuse(Registry({WEB: several}))
    manifest = repository.manifest("3.200.1")
    assert repository.platforms(manifest) == {"arm64": several["manifests"][0]["digest"]}
    assert manifest.blobs == {}


def test_bytes_of_another_digest_than_the_header_says_are_refused() -> None:
    registry = Registry({WEB: BOTH})
    registry.told = {"Docker-Content-Digest": OTHER}
    with pytest.raises(WrongDigestError) as raised:
        langfuse(registry).manifest("3.200.1")
    assert str(raised.value) == (
        f"{WEB}: the registry answers with bytes of digest {digest_of(BOTH)}, not {OTHER}. What it "
        "stores, or the way to it, is damaged: trust nothing of it."
    )
    registry.told = {"Docker-Content-Digest": digest_of(BOTH)}
    assert langfuse(registry).manifest("3.200.1").digest == digest_of(BOTH)


def test_bytes_of_another_digest_than_was_asked_for_are_refused_whatever_the_header_says() -> None:
    registry = Registry({f"ghcr.io/langfuse/langfuse:{OTHER}": BOTH})
    registry.told = {"Docker-Content-Digest": OTHER}
    with pytest.raises(WrongDigestError, match=f"^ghcr.io/langfuse/langfuse@{OTHER}: "):
        langfuse(registry).manifest(OTHER)


@pytest.mark.parametrize("fault", [429, 500, 503, httpx.ConnectError("refused")])
def test_a_busy_registry_is_asked_again(fault: Any, slept: list[float]) -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [fault, fault]
    assert langfuse(registry).manifest("3.200.1").digest == digest_of(BOTH)
    assert slept == [1, 2]


def test_a_registry_that_says_when_to_come_back_is_asked_then(slept: list[float]) -> None:
    registry = Registry({WEB: BOTH})
    later = httpx.Response(429, headers={"Retry-After": str(LONGEST_WAIT)})
    dated = httpx.Response(503, headers={"Retry-After": "Sun, 22 Nov 2026 19:00:00 GMT"})
    registry.faults = [later, dated]
    langfuse(registry).manifest("3.200.1")
    assert slept == [LONGEST_WAIT, 2]


def test_a_registry_that_wants_too_long_a_wait_is_not_asked_again(slept: list[float]) -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [httpx.Response(429, headers={"Retry-After": str(LONGEST_WAIT + 1)})]
    with pytest.raises(httpx.HTTPStatusError):
        langfuse(registry).manifest("3.200.1")
    assert slept == []
    assert len(registry.asked) == 1


def test_a_registry_that_stays_busy_is_asked_three_times() -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [429] * 4
    with pytest.raises(httpx.HTTPStatusError):
        langfuse(registry).manifest("3.200.1")
    assert len(registry.asked) == 3


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.4.2", True),
        ("ghcr.io", False),
        ("localhost.example.com", False),
        ("127.0.0.1.nip.io", False),
    ],
)
def test_plain_http_is_for_this_machine_alone(host: str, plain: bool) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.scheme)
        return httpx.Response(200, json={})

    answering(answer, host).manifest("1")
    assert is_loopback(host) is plain
    assert seen == ["http" if plain else "https"]


def test_a_password_is_not_in_what_python_shows_of_a_login() -> None:
    assert LOGIN.password not in repr(LOGIN)


def test_the_real_client_follows_redirects_and_does_not_wait_for_ever() -> None:
    with new_client() as client:
        assert client.follow_redirects
        assert client.timeout == httpx.Timeout(20)
