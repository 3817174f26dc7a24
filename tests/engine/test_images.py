"""The three sources of images under the real engine, and what a bad lock does to a running stack.

It proves that a mirror which lacks an image stops an update before anything changes. ECR is the
in-memory one, which has every image but that of NO_IMAGE; the real one's answers are the business
of `tests/provider`.
"""

from pathlib import Path

import pytest

from langfuse_aws.offline.invokes import NO_IMAGE
from langfuse_aws.settings.image_lock import LockedImage
from langfuse_aws.settings.versions import worker_image
from tests.deployment import NEXT_RELEASE, Deployment
from tests.image_lock import copy_of_the_repository, lock_copy, locked

pytestmark = pytest.mark.xdist_group("images")  # they share a stack

SERVICE = "aws:ecs/service:Service"
REPOSITORY = "aws:ecr/repository:Repository"
BOTH_RELEASES = {**locked({"size": "dev"}), **locked({"size": "dev", "release": NEXT_RELEASE})}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository whose lock has the default release and the next one."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("images") / "langfuse")
    lock_copy(folder, BOTH_RELEASES)
    return folder


@pytest.fixture(scope="module")
def mirrored(
    copy: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    """A stack that is up with a mirror."""
    deployment = Deployment.of("dev", tmp_path_factory.mktemp("dev"), environment, project=copy)
    deployment.configure("images.source", "mirror")
    deployment.up()
    return deployment


def test_a_mirrored_stack_is_as_it_should_be(mirrored: Deployment) -> None:
    assert mirrored.changes() == set()
    assert {each["urn"].rpartition("::")[2] for each in mirrored.of_type(REPOSITORY)} == {
        "langfuse-dev-web",
        "langfuse-dev-worker",
        "langfuse-dev-clickhouse",
    }


@pytest.mark.parametrize(
    ("command", "fault"), [("preview", "not locked for arm64"), ("up", "not in ECR for arm64")]
)
def test_without_the_workers_arm64_image_nothing_changes(
    mirrored: Deployment, copy: Path, fault: str, command: str
) -> None:
    before = versions(mirrored)
    file = mirrored.stack.folder / "Pulumi.dev.yaml"
    kept = file.read_text(encoding="utf-8")
    lock = locked({"size": "dev", "release": NEXT_RELEASE})
    whole = lock[worker_image(NEXT_RELEASE)]
    platforms = {"amd64": whole.platforms["amd64"]}
    if fault == "not in ECR for arm64":
        platforms["arm64"] = NO_IMAGE
    lock_copy(
        copy,
        {**lock, worker_image(NEXT_RELEASE): LockedImage(digest=whole.digest, platforms=platforms)},
    )
    mirrored.configure("release", NEXT_RELEASE)
    options = ["--yes", "--skip-preview"] if command == "up" else []
    done = mirrored.run(command, *options, "--stack", "dev", check=False)
    file.write_text(kept, encoding="utf-8")
    lock_copy(copy, BOTH_RELEASES)
    said = done.stdout + done.stderr
    assert done.returncode != 0, "an image that is not there was deployed"
    reason = (
        "is needed on arm64 for worker, and images.lock.json has it for amd64 only."
        if fault == "not locked for arm64"
        else f"ECR has not got the image for arm64, {NO_IMAGE}, in langfuse-dev/langfuse-worker"
    )
    assert f"{worker_image(NEXT_RELEASE)}: {reason}" in said
    assert "Traceback" not in said
    assert versions(mirrored) == before, "something changed before the refusal"


def test_the_next_release_moves_when_it_is_mirrored(mirrored: Deployment) -> None:
    mirrored.configure("release", NEXT_RELEASE)
    mirrored.up()
    (policy,) = [
        each["inputs"]["policy"]
        for each in mirrored.of_type("aws:ecr/lifecyclePolicy:LifecyclePolicy")
        if each["urn"].endswith("-worker")
    ]
    assert f'["{NEXT_RELEASE}"]' in policy


@pytest.mark.running
def test_a_stack_pulls_through_stays_as_it_is_and_goes_back_upstream(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    deployment.configure_all(
        {
            "images.source": "pullThrough",
            "images.githubSecretArn": f"{SECRET}/github-AbCdEf",
            "images.dockerHubSecretArn": f"{SECRET}/docker-hub-AbCdEf",
        },
        {},
    )
    deployment.up()
    assert deployment.changes() == set()
    assert len(deployment.of_type(REPOSITORY)) == 3
    deployment.run("config", "rm", "langfuse:images", "--stack", "dev")
    deployment.up()
    assert deployment.of_type(REPOSITORY) == []
    assert len(deployment.of_type(SERVICE)) == 3
    deployment.destroy()
    assert deployment.state() == []


def versions(deployment: Deployment) -> set[tuple[str, str, str]]:
    """Every resource, and when it was last changed."""
    return {(each["urn"], each.get("id", ""), each["modified"]) for each in deployment.state()}
