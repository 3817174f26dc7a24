"""What a registry's answer means for an image: errors with remedies, and the lock.

Registries are in memory; tests/registry asks real ones.
"""

from typing import Any

import httpx
import pytest

from langfuse_aws.automation.images.lookup import (
    ImageError,
    ImagesError,
    NoAnswerError,
    look_up,
    look_up_all,
)
from langfuse_aws.automation.images.registry_login import Logins
from langfuse_aws.settings.image_lock import LockedImage
from langfuse_aws.settings.stack_images import Image
from tests.unit.registry_stand_in import LOGIN, Registry, digest_of, index

WEB = "ghcr.io/langfuse/langfuse:3.200.1"
CLICKHOUSE = "docker.io/clickhouse/clickhouse-server:25.12"
HUB = "registry-1.docker.io/clickhouse/clickhouse-server:25.12"
BOTH = index("linux/amd64", "linux/arm64")
MOVED = index("linux/amd64", "linux/arm64", of="another major")
LOCKED = LockedImage(
    digest=digest_of(BOTH),
    platforms={"amd64": BOTH["manifests"][0]["digest"], "arm64": BOTH["manifests"][2]["digest"]},
)
OF_WEB = Image("web", WEB, "arm64", ("web", "migration"))
OF_CLICKHOUSE = Image("clickhouse", CLICKHOUSE, "arm64", ("clickhouse", "backup"))
NOBODY = Logins()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)  # pyright: ignore


def problem(registry: Registry, image: Image = OF_WEB) -> ImageError:
    with pytest.raises(ImageError) as raised, registry.client() as client:
        look_up(client, image)
    return raised.value


def test_an_image_is_its_digest_and_that_of_each_cpu() -> None:
    with Registry({WEB: BOTH}).client() as client:
        assert look_up(client, OF_WEB) == LOCKED
        assert look_up(client, OF_WEB, version=LOCKED.digest) == LOCKED


def test_a_release_without_an_image_is_told_with_where_releases_are() -> None:
    assert str(problem(Registry({}))) == (
        f"{WEB}: its registry does not have it; web and migration need it. pulumi config set "
        "langfuse:release X.Y.Z, one of https://github.com/langfuse/langfuse/releases."
    )
    assert problem(Registry({}), OF_CLICKHOUSE).remedy == (
        "The image comes with this program: take a later version of the program."
    )


def test_a_missing_cpu_is_told_with_the_setting_that_takes_the_other() -> None:
    found = problem(Registry({WEB: index("linux/amd64", "windows/arm64")}))
    assert found.problem == "is there for amd64, and web and migration run on arm64."
    assert found.remedy == "pulumi config set --path langfuse:web.architecture x86_64."
    found = problem(Registry({HUB: index("linux/amd64")}), OF_CLICKHOUSE)
    assert found.remedy == "The image comes with this program: take a later version of the program."


@pytest.mark.parametrize(
    ("image", "headers", "remedy"),
    [
        (
            OF_CLICKHOUSE,
            {},
            "docker login raises it; or wait, six hours at the most, and run the command again.",
        ),
        (
            OF_WEB,
            {"Retry-After": "900"},
            "docker login ghcr.io raises it; or wait, 900 s, and run the command again.",
        ),
    ],
)
def test_a_rate_limit_is_told_with_what_helps(
    image: Image, headers: dict[str, str], remedy: str
) -> None:
    registry = Registry({WEB: BOTH, HUB: BOTH})
    registry.faults = [httpx.Response(429, headers=headers) for _ in range(3)]
    found = problem(registry, image)
    assert isinstance(found, NoAnswerError)
    assert found.problem.endswith(
        "answers HTTP 429: its limit for this address or user is used up."
    )
    assert found.remedy == remedy


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (403, "ghcr.io answers HTTP 403."),
        (502, "ghcr.io answers HTTP 502."),
        (httpx.ConnectError("no route to host"), "no route to host"),
    ],
)
def test_a_registry_that_does_not_say_is_no_proof(fault: Any, said: str) -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [fault] * 3
    found = problem(registry)
    assert isinstance(found, NoAnswerError)
    assert found.problem == said


@pytest.mark.parametrize("body", ["<html>a portal", "{}", '{"manifests": [{"digest": "x"}]}', "[]"])
def test_an_answer_that_is_no_manifest_is_no_proof(body: str) -> None:
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, text=body)))
    with pytest.raises(ImageError):
        look_up(client, OF_WEB)


def test_all_images_are_looked_up_and_all_errors_told_at_once() -> None:
    registry = Registry({WEB: BOTH, HUB: BOTH})
    with registry.client() as client:
        found = look_up_all(client, (OF_WEB, OF_CLICKHOUSE), {WEB: LOCKED}, NOBODY)
        assert found == {OF_WEB: LOCKED, OF_CLICKHOUSE: LOCKED}
    with pytest.raises(ImagesError) as raised, Registry({}).client() as client:
        look_up_all(client, (OF_WEB, OF_CLICKHOUSE), {}, NOBODY)
    assert [line.partition(": ")[0] for line in raised.value.messages] == [WEB, CLICKHOUSE]


def test_the_users_login_is_for_its_own_registry() -> None:
    registry = Registry({WEB: BOTH, HUB: BOTH})
    logins = Logins({"auths": {"https://index.docker.io/v1/": {"auth": LOGIN.encoded}}})
    with registry.client() as client:
        look_up_all(client, (OF_CLICKHOUSE,), {}, logins)
        look_up_all(client, (OF_WEB,), {}, logins)
    assert registry.users == [f"Basic {LOGIN.encoded}", "nobody"]


def test_a_tag_that_was_moved_since_it_was_locked_is_refused_with_both_digests() -> None:
    with pytest.raises(ImagesError) as raised, Registry({WEB: MOVED}).client() as client:
        look_up_all(client, (OF_WEB,), {WEB: LOCKED}, NOBODY)
    assert raised.value.messages == [
        f"{WEB}: the tag was moved: images.lock.json has {digest_of(BOTH)}, and the registry "
        f"answers {digest_of(MOVED)}. If that is wanted, take the entry out of images.lock.json "
        "and run the command again."
    ]


def test_a_tag_that_is_not_what_the_program_knows_is_refused() -> None:
    known = Image("web", WEB, "arm64", ("web",), digest_of(BOTH))
    with Registry({WEB: BOTH}).client() as client:
        assert look_up_all(client, (known,), {}, NOBODY) == {known: LOCKED}
    with pytest.raises(ImagesError) as raised, Registry({WEB: MOVED}).client() as client:
        look_up_all(client, (known,), {}, NOBODY)
    assert raised.value.messages == [
        f"{WEB}: the tag was moved: this program knows {digest_of(BOTH)}, and the registry answers "
        f"{digest_of(MOVED)}. The image comes with this program: take a later version of the "
        "program."
    ]
