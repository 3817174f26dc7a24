"""Where images come from, and that nothing is deployed of what is not there.

It proves what is registered, and what is refused before that. What ECR answers, and what it does
with a lifecycle policy, it does not prove.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest

from langfuse_aws.components.runtime.images import UPSTREAMS
from langfuse_aws.components.shared.names import PREFIX_LIMIT
from langfuse_aws.offline.invokes import NO_IMAGE
from langfuse_aws.settings.image_lock import Lock, LockedImage, read_lock, write_lock
from langfuse_aws.settings.loading import SettingsError, load_without_secrets
from langfuse_aws.settings.stack_images import Image, images_of
from langfuse_aws.settings.versions import CLICKHOUSE, GRAFANA, GRAFANA_DIGEST, LANGFUSE, LANGFUSE_3
from tests.image_lock import digest
from tests.image_lock import locked as locked_images
from tests.unit.stack_graph import Graph, build, shipped, unshared, varied

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "aws:ecr/repository:Repository"
POLICY = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
RULE = "aws:ecr/pullThroughCacheRule:PullThroughCacheRule"
PREFIX = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache"

MIRROR: dict[str, Any] = {
    "size": "dev",
    "images": {"source": "mirror"},
    "grafana": {"enabled": True},
    "worker": {"architecture": "x86_64"},
}
CONTAINERS = {
    "web": "web",
    "migration": "web",
    "worker": "worker",
    "clickhouse": "clickhouse",
    "backup": "clickhouse",
    "grafana": "grafana",
}
"""Which image each container is made of."""

REPOSITORIES = {
    "web": "langfuse",
    "worker": "langfuse-worker",
    "clickhouse": "clickhouse-server",
    "grafana": "grafana",
}


def lock(*cpus: str, without: str = "") -> dict[str, LockedImage]:
    """Every image of the stack, for some CPUs."""
    return locked_images(MIRROR, cpus, without=without)


@pytest.fixture
def locked(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Mapping[str, LockedImage]], None]]:
    """Put a lock in the place of the file, for graphs that no other test gets."""

    def lock_with(found: Mapping[str, LockedImage]) -> None:
        monkeypatch.setattr(
            "langfuse_aws.components.runtime.images.read_lock",
            lambda _: found,  # pyright: ignore
        )

    with unshared():
        yield lock_with


@cache
def mirrored() -> Graph:
    """A stack with a mirror that has every image."""
    with unshared(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "langfuse_aws.components.runtime.images.read_lock",
            lambda _: lock("arm64", "amd64"),  # pyright: ignore
        )
        return build("mirror", MIRROR)


def test_a_registry_may_have_a_port() -> None:
    image = Image("web", "registry.example.com:5000/acme/langfuse:1.2.3", "arm64", ("web",))
    parts = (image.registry, image.repository, image.tag)
    assert parts == ("registry.example.com:5000", "acme/langfuse", "1.2.3")


def images(graph: Graph) -> dict[str, str]:
    return {name: graph.container(name)["image"] for name in CONTAINERS}


def refusal(config: Mapping[str, Any]) -> list[str]:
    with pytest.raises(pulumi.RunError) as caught:
        build("refused", config)
    title, *lines = str(caught.value).splitlines()
    assert title == "langfuse:images: nothing was changed:"
    return [line.strip() for line in lines]


def test_without_a_lock_exact_releases_are_pulled_where_they_are_published() -> None:
    graph = shipped("dev")
    assert graph.container("web")["image"] == f"ghcr.io/langfuse/langfuse:{LANGFUSE}"
    assert graph.container("migration")["image"] == f"ghcr.io/langfuse/langfuse:{LANGFUSE}"
    assert graph.container("worker")["image"] == f"ghcr.io/langfuse/langfuse-worker:{LANGFUSE}"
    assert (
        graph.container("clickhouse")["image"]
        == f"docker.io/clickhouse/clickhouse-server:{CLICKHOUSE}"
    )
    assert not graph.of_type(REPOSITORY)


def test_what_is_locked_is_pulled_by_its_digest(
    locked: Callable[[Mapping[str, LockedImage]], None],
) -> None:
    locked(lock("arm64", "amd64", without="worker"))
    graph = build("upstream", {**MIRROR, "images": {"source": "upstream"}})
    assert images(graph) == {
        "web": f"ghcr.io/langfuse/langfuse:{LANGFUSE}@{digest('web')}",
        "migration": f"ghcr.io/langfuse/langfuse:{LANGFUSE}@{digest('web')}",
        "worker": f"ghcr.io/langfuse/langfuse-worker:{LANGFUSE}",
        "clickhouse": f"docker.io/clickhouse/clickhouse-server:{CLICKHOUSE}@{digest('clickhouse')}",
        "backup": f"docker.io/clickhouse/clickhouse-server:{CLICKHOUSE}@{digest('clickhouse')}",
        "grafana": f"docker.io/grafana/grafana:{GRAFANA}@{GRAFANA_DIGEST}",
    }


def test_a_mirror_is_pulled_from_the_stacks_own_repositories() -> None:
    graph = mirrored()
    clickhouse = f"{HOST}/langfuse-mirror/clickhouse-server:{CLICKHOUSE}"
    assert images(graph) == {
        "web": f"{HOST}/langfuse-mirror/langfuse:{LANGFUSE}@{digest('web')}",
        "migration": f"{HOST}/langfuse-mirror/langfuse:{LANGFUSE}@{digest('web')}",
        "worker": f"{HOST}/langfuse-mirror/langfuse-worker:{LANGFUSE}@{digest('worker')}",
        "clickhouse": f"{clickhouse}@{digest('clickhouse')}",
        "backup": f"{clickhouse}@{digest('clickhouse')}",
        "grafana": f"{HOST}/langfuse-mirror/grafana:{GRAFANA}@{GRAFANA_DIGEST}",
    }
    for image in set(CONTAINERS.values()):
        repository = graph.one(REPOSITORY, f"langfuse-mirror-{image}")
        assert {key: repository.inputs[key] for key in repository.inputs if key != "region"} == {
            "name": f"langfuse-mirror/{REPOSITORIES[image]}",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "AES256"}],
            "forceDelete": True,
        }


def test_no_rule_lets_the_deployed_release_expire() -> None:
    policy = mirrored().one(POLICY, "langfuse-mirror-worker").inputs
    assert policy["repository"] == "langfuse-mirror/langfuse-worker"
    first, second = json.loads(policy["policy"])["rules"]
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
    for rule in (first, second):
        assert rule.keys() == {"rulePriority", "description", "selection", "action"}
        assert rule["action"] == {"type": "expire"}
    assert first["rulePriority"] < second["rulePriority"]
    assert first["selection"]["tagPatternList"] == [LANGFUSE]
    assert first["selection"]["countNumber"] == 1
    assert second["selection"] == {
        "tagStatus": "tagged",
        "tagPatternList": ["*"],
        "countType": "imageCountMoreThan",
        "countNumber": 10,
    }


def test_a_protected_stack_keeps_its_images(
    locked: Callable[[Mapping[str, LockedImage]], None],
) -> None:
    locked(lock("arm64", "amd64"))
    graph = build("kept", {**MIRROR, "deletionProtection": True})
    for repository in graph.of_type(REPOSITORY):
        assert repository.inputs["forceDelete"] is False
        assert graph.options_of(repository).protect
    unprotected = mirrored()
    assert not any(unprotected.options_of(each).protect for each in unprotected.of_type(REPOSITORY))


@pytest.mark.parametrize(
    ("role", "image"),
    [
        ("web", "web"),
        ("migration", "web"),
        ("worker", "worker"),
        ("clickhouse", "clickhouse"),
        ("clickhouse-backup", "clickhouse"),
        ("grafana", "grafana"),
    ],
)
def test_a_task_may_pull_its_own_image_and_no_other(role: str, image: str) -> None:
    statements = mirrored().policy(f"langfuse-mirror-{role}-execution")
    pulling = [each for each in statements if "ecr:" in str(each["Action"])]
    assert pulling == [
        {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
        {
            "Effect": "Allow",
            "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            "Resource": [
                f"arn:aws:ecr:us-east-1:123456789012:repository/langfuse-mirror/"
                f"{REPOSITORIES[image]}"
            ],
        },
    ]


def test_pulling_through_has_a_rule_for_each_registry() -> None:
    graph = varied()
    rules = {each.name: each.inputs for each in graph.of_type(RULE)}
    assert {
        name: (
            rule["ecrRepositoryPrefix"],
            rule["upstreamRegistryUrl"],
            rule["credentialArn"],
        )
        for name, rule in rules.items()
    } == {
        "langfuse-dev-ghcr": ("langfuse-dev/ghcr", "ghcr.io", f"{PREFIX}/github-AbCdEf"),
        "langfuse-dev-hub": (
            "langfuse-dev/hub",
            "registry-1.docker.io",
            f"{PREFIX}/docker-hub-AbCdEf",
        ),
    }
    assert images(graph)["web"] == f"{HOST}/langfuse-dev/ghcr/langfuse/langfuse:{LANGFUSE_3}"
    assert images(graph)["grafana"] == (
        f"{HOST}/langfuse-dev/hub/grafana/grafana:{GRAFANA}@{GRAFANA_DIGEST}"
    )
    pulling = graph.policy("langfuse-dev-worker-execution")
    assert [
        each["Resource"] for each in pulling if "ecr:BatchImportUpstreamImage" in each["Action"]
    ] == [
        ["arn:aws:ecr:us-east-1:123456789012:repository/langfuse-dev/ghcr/langfuse/langfuse-worker"]
    ]
    assert all(PREFIX_LIMIT + len(f"/{prefix}") <= 30 for prefix, _ in UPSTREAMS.values())
    # Whoever starts a task does so only when it can be pulled.
    for name, rule in (("worker", "ghcr"), ("clickhouse", "hub")):
        service = graph.one("aws:ecs/service:Service", f"langfuse-dev-{name}")
        urn = graph.urns[RULE, f"langfuse-dev-{rule}"]
        assert urn in graph.options_of(service).dependencies


def test_a_mirror_without_a_lock_is_refused_for_each_image(
    locked: Callable[[Mapping[str, LockedImage]], None],
) -> None:
    locked({})
    lines = refusal(MIRROR)
    assert len(lines) == 4
    assert lines[1] == (
        f"ghcr.io/langfuse/langfuse-worker:{LANGFUSE}: is needed for worker, and not in "
        "images.lock.json. Run python3 -m automation images mirror --stack refused, and commit "
        "images.lock.json."
    )


def test_a_lock_that_cannot_be_read_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoilt(_: Path) -> Lock:
        raise ValueError("images.lock.json: is not what images lock writes")

    monkeypatch.setattr("langfuse_aws.components.runtime.images.read_lock", spoilt)
    with pytest.raises(pulumi.RunError, match=r"^images.lock.json: is not what images lock writes"):
        build("refused", {**MIRROR, "images": {"source": "upstream"}})


@pytest.mark.parametrize("source", ["upstream", "mirror"])
def test_a_lock_without_the_workers_cpu_is_refused(
    locked: Callable[[Mapping[str, LockedImage]], None], source: str
) -> None:
    locked(lock("arm64"))
    assert refusal({**MIRROR, "images": {"source": source}}) == [
        f"ghcr.io/langfuse/langfuse-worker:{LANGFUSE}: is needed on amd64 for worker, and "
        "images.lock.json has it for arm64 only. Take the entry out and lock it "
        "again, or choose another architecture."
    ]


def test_a_digest_that_is_not_the_known_one_is_refused(
    locked: Callable[[Mapping[str, LockedImage]], None],
) -> None:
    found = lock("arm64", "amd64")
    reference = f"docker.io/grafana/grafana:{GRAFANA}"
    other = LockedImage(digest=digest("other"), platforms=found[reference].platforms)
    locked({**found, reference: other})
    (line,) = refusal(MIRROR)
    assert digest("other") in line
    assert GRAFANA_DIGEST in line


@pytest.mark.parametrize("missing", ["the index", "the image"])
def test_what_ecr_has_not_got_is_refused(
    locked: Callable[[Mapping[str, LockedImage]], None], missing: str
) -> None:
    found = lock("arm64", "amd64")
    reference = f"ghcr.io/langfuse/langfuse-worker:{LANGFUSE}"
    one = found[reference]
    found[reference] = (
        LockedImage(digest=NO_IMAGE, platforms=one.platforms)
        if missing == "the index"
        else LockedImage(digest=one.digest, platforms={**one.platforms, "amd64": NO_IMAGE})
    )
    locked(found)
    (line,) = refusal(MIRROR)
    assert line.startswith(
        f"{reference}: ECR has not got {missing} for amd64, {NO_IMAGE}, in "
        "langfuse-refused/langfuse-worker"
    )
    assert line.endswith(
        "Run python3 -m automation images mirror --stack refused, and commit images.lock.json."
    )


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"source": "pullThrough"},
            "langfuse:images.dockerHubSecretArn: null: is not set, and ECR pulls nothing through",
        ),
        (
            {"source": "pullThrough", "dockerHubSecretArn": f"{PREFIX}/hub-AbCdEf"},
            "langfuse:images.githubSecretArn: null: is not set",
        ),
        (
            {"source": "mirror", "githubSecretArn": f"{PREFIX}/github-AbCdEf"},
            "exists only for images.source pullThrough. Remove it, or choose pullThrough.",
        ),
        (
            {
                "source": "pullThrough",
                "githubSecretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:x",
            },
            "langfuse:images.githubSecretArn:",
        ),
        ({"source": "ecr"}, "must be 'upstream', 'mirror' or 'pullThrough'"),
    ],
)
def test_wrong_settings_are_refused_by_their_keys(settings: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_without_secrets({"size": "dev", "images": settings})
    assert any(line in problem for problem in caught.value.problems), caught.value.problems


EXTERNAL_CLICKHOUSE = {
    "mode": "external",
    "url": "https://abc.clickhouse.cloud:8443",
    "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
    "user": "langfuse",
}


def test_grafana_needs_docker_hub_beside_an_external_clickhouse_too() -> None:
    with pytest.raises(SettingsError, match=r"images\.dockerHubSecretArn: null: is not set"):
        load_without_secrets(
            {
                "size": "dev",
                "clickhouse": EXTERNAL_CLICKHOUSE,
                "grafana": {"enabled": True, "clickhouseUser": "reader"},
                "images": {"source": "pullThrough", "githubSecretArn": f"{PREFIX}/github-AbCdEf"},
            }
        )


def test_an_external_clickhouse_needs_no_docker_hub() -> None:
    loaded = load_without_secrets(
        {
            "size": "dev",
            "clickhouse": EXTERNAL_CLICKHOUSE,
            "images": {"source": "pullThrough", "githubSecretArn": f"{PREFIX}/github-AbCdEf"},
        }
    )
    assert [image.name for image in images_of(loaded)] == ["web", "worker"]


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "images.lock.json"
    assert read_lock(path) == {}
    found = lock("arm64", "amd64")
    write_lock(found, path)
    assert read_lock(path) == found
    text = path.read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n", (
        "or a change shows as more lines than it has"
    )
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<<<<<<< HEAD", "images.lock.json: is not what images lock writes"),
        (
            '{"a:1": {"digest": "latest", "platforms": {}}}',
            "a:1.digest: is not what images lock writes",
        ),
        ('{"a:1": {"digest": "%s"}}', "a:1.platforms: is not what images lock writes"),
    ],
)
def test_a_broken_lock_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "images.lock.json"
    path.write_text(text.replace("%s", NO_IMAGE))
    with pytest.raises(ValueError, match="Restore it from version") as caught:
        read_lock(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
