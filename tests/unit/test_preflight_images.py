"""`preflight` on the container images, on a registry in memory.

It proves the way to an anonymous token, to an index and to a single image's configuration, and
what each answer leads to. It does not prove that GHCR and Docker Hub answer as the stand-in does:
nobody could reach one here.
"""

from typing import Any

import httpx
import pytest

from automation.preflight_images import check_image
from automation.preflight_result import Result
from automation.registry import Reference, new_client
from settings.stack_images import Image
from tests.unit.registry_stand_in import MANIFEST, Registry, index

WEB = "ghcr.io/langfuse/langfuse:3.225.4"
GRAFANA = "docker.io/grafana/grafana:12.4.2@sha256:8374"
CLICKHOUSE = "docker.io/clickhouse/clickhouse-server:25.12"
BOTH = index("linux/amd64", "linux/arm64")
REGISTRY_OF_HUB = "registry-1.docker.io"


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait; note how long."""
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    return waits


def asked(registry: Registry, image: str = WEB, cpu: str = "arm64", *services: str) -> Result:
    with registry.client() as client:
        (result,) = check_image(client, Image("web", image, cpu, services or ("web", "migration")))
    return result


def test_an_image_for_the_services_cpu_is_fine() -> None:
    registry = Registry({WEB: BOTH})
    assert asked(registry) == Result(
        "image ghcr.io/langfuse/langfuse:3.225.4",
        "ok",
        "is there for arm64, which web and migration run on",
    )
    manifest = "GET ghcr.io/v2/langfuse/langfuse/manifests/3.225.4"
    assert registry.asked == [manifest, "GET ghcr.io/token", manifest]


def test_docker_hub_has_another_host_and_a_digest_wins_over_a_tag() -> None:
    registry = Registry({f"{REGISTRY_OF_HUB}/grafana/grafana:sha256:8374": BOTH})
    result = asked(registry, GRAFANA, "arm64", "grafana")
    assert (result.check, result.status) == ("image docker.io/grafana/grafana:12.4.2", "ok")
    assert registry.asked[1] == "GET auth.docker.io/token"


def test_a_missing_cpu_fails_with_the_setting_that_takes_the_other() -> None:
    result = asked(Registry({WEB: index("linux/amd64", "windows/arm64")}))
    assert (result.status, result.message) == (
        "failed",
        "is there for amd64, and web and migration run on arm64.",
    )
    assert result.remedy == "pulumi config set --path langfuse:web.architecture x86_64."


def test_a_missing_cpu_of_what_has_no_setting_fails_with_the_program() -> None:
    images = {f"{REGISTRY_OF_HUB}/clickhouse/clickhouse-server:25.12": index("linux/amd64")}
    result = asked(Registry(images), CLICKHOUSE, "arm64", "clickhouse", "backup")
    assert (result.status, result.remedy) == (
        "failed",
        "The image comes with this program: take a later version of the program.",
    )


@pytest.mark.parametrize(("cpu", "status"), [("amd64", "ok"), ("arm64", "failed")])
def test_the_cpu_of_an_image_for_one_is_in_its_configuration(cpu: str, status: str) -> None:
    single: dict[str, Any] = {"mediaType": MANIFEST, "config": {"digest": "sha256:c"}, "layers": []}
    registry = Registry({WEB: single})
    registry.blobs["/sha256:c"] = {"os": "linux", "architecture": "amd64"}
    assert asked(registry, WEB, cpu).status == status
    assert registry.asked[-1] == "GET blobs.example/sha256:c"


def test_a_release_that_does_not_exist_fails_with_where_releases_are() -> None:
    assert asked(Registry({})) == Result(
        "image ghcr.io/langfuse/langfuse:3.225.4",
        "failed",
        "its registry does not have it; web and migration need it.",
        "pulumi config set langfuse:release X.Y.Z, one of "
        "https://github.com/langfuse/langfuse/releases.",
    )


@pytest.mark.parametrize("fault", [429, 500, 503, httpx.ConnectError("refused")])
def test_a_busy_registry_is_asked_again(fault: Any, slept: list[float]) -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [fault, fault]
    assert asked(registry).status == "ok"
    assert slept == [1, 2]


def test_a_registry_that_stays_busy_is_no_failure() -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [429] * 3
    result = asked(registry)
    assert (result.status, result.message) == (
        "unknown",
        "could not be checked: ghcr.io answers HTTP 429.",
    )
    assert len(registry.asked) == 3


def test_a_registry_that_nobody_reaches_is_no_failure() -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [httpx.ConnectError("no route to host")] * 3
    result = asked(registry)
    assert (result.status, result.message) == (
        "unknown",
        "could not be checked: no route to host",
    )


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_way_to_a_token_is_no_failure(status: int, slept: list[float]) -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [status]
    result = asked(registry)
    assert result.message == f"could not be checked: ghcr.io answers HTTP {status}."
    assert slept == []


def test_an_answer_that_is_no_manifest_is_no_failure() -> None:
    client = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>a portal"))
    )
    (result,) = check_image(client, Image("web", WEB, "arm64", ("web",)))
    assert result.status == "unknown"


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        (WEB, ("ghcr.io", "langfuse/langfuse", "3.225.4")),
        (GRAFANA, ("docker.io", "grafana/grafana", "sha256:8374")),
        ("localhost:5000/a/b:1", ("localhost:5000", "a/b", "1")),
    ],
)
def test_a_reference_is_registry_repository_and_version(image: str, reference: Any) -> None:
    assert Reference.of(image) == reference


def test_the_real_client_follows_redirects_and_does_not_wait_for_ever() -> None:
    with new_client() as client:
        assert client.follow_redirects
        assert client.timeout == httpx.Timeout(20)
