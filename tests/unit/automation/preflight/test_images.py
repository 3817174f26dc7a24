"""`preflight` on the container images: registries in memory, and moto's ECR.

It proves where each is asked for, and what each answer leads to. What an answer means is proven by
images/test_lookup.py.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from langfuse_aws.automation.aws.answers import NewStack, Result, answers
from langfuse_aws.automation.preflight import images as preflight_images
from langfuse_aws.automation.preflight.images import image_checks
from langfuse_aws.settings.image_lock import LockedImage, read_lock, write_lock
from langfuse_aws.settings.stack_images import Image
from tests.unit.aws_account import Account, aws
from tests.unit.registry_stand_in import INDEX, MANIFEST, Registry, digest_of, index

WEB = "ghcr.io/langfuse/langfuse:3.200.1"
BOTH = index("linux/amd64", "linux/arm64")
IMAGE = Image("web", WEB, "arm64", ("web", "migration"))
ARM64: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": MANIFEST,
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:c"},
    "layers": [],
}
FINE = Result(f"image {WEB}", "ok", "is there for arm64, which web and migration run on")


@pytest.fixture(autouse=True)
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a lock of this test's own, which is empty."""
    path = tmp_path / "images.lock.json"

    monkeypatch.setattr(preflight_images, "read_lock", lambda _: read_lock(path))  # pyright: ignore
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)  # pyright: ignore
    return path


def locked(digest: str, **platforms: str) -> Mapping[str, LockedImage]:
    return {WEB: LockedImage(digest=digest, platforms=platforms)}


def result(stack: NewStack, registry: Registry, image: Image = IMAGE) -> Result:
    with registry.client() as client:
        (check,) = image_checks(stack, client, [image])
        (found,) = answers(check)
    assert found.check == check.name
    return found


@pytest.fixture
def upstream(account: Account) -> NewStack:
    return account.stack()


@pytest.fixture
def mirrored(account: Account) -> NewStack:
    return account.stack(images={"source": "mirror"})


def test_an_image_for_the_services_cpu_is_fine(upstream: NewStack) -> None:
    registry = Registry({WEB: BOTH})
    assert result(upstream, registry) == FINE
    assert registry.asked[-1] == "GET ghcr.io/v2/langfuse/langfuse/manifests/3.200.1"
    assert registry.users == ["nobody"], "ECS has no login either"


def test_what_is_locked_is_looked_for_by_its_digest(upstream: NewStack, lock_file: Path) -> None:
    write_lock(locked(digest_of(BOTH), arm64=digest_of(ARM64)), lock_file)
    moved = index("linux/amd64")
    registry = Registry({WEB: moved, "ghcr.io/langfuse/langfuse:earlier": BOTH})
    assert result(upstream, registry) == FINE
    assert registry.asked[-1].endswith(f"/manifests/{digest_of(BOTH)}")


def test_a_digest_that_the_program_knows_wins_over_the_tag(upstream: NewStack) -> None:
    known = Image("grafana", WEB, "arm64", ("web", "migration"), digest_of(BOTH))
    registry = Registry({"ghcr.io/langfuse/langfuse:earlier": BOTH})
    assert result(upstream, registry, known) == FINE


def test_an_image_that_is_not_there_fails_with_a_remedy(upstream: NewStack) -> None:
    assert result(upstream, Registry({})) == Result(
        f"image {WEB}",
        "failed",
        "its registry does not have it; web and migration need it.",
        "pulumi config set langfuse:release X.Y.Z, one of "
        "https://github.com/langfuse/langfuse/releases.",
    )


def test_a_registry_that_does_not_say_is_no_failure(upstream: NewStack) -> None:
    registry = Registry({WEB: BOTH})
    registry.faults = [httpx.ConnectError("no route to host")] * 3
    found = result(upstream, registry)
    assert (found.status, found.message) == ("unknown", "could not be checked: no route to host")


@pytest.mark.parametrize("source", ["upstream", "mirror"])
def test_a_lock_that_lacks_the_cpu_fails_without_asking(
    source: str, account: Account, lock_file: Path
) -> None:
    write_lock(locked(digest_of(BOTH), amd64=digest_of(ARM64)), lock_file)
    registry = Registry({WEB: BOTH})
    found = result(account.stack(images={"source": source}), registry)
    assert found.status == "failed"
    assert found.message.startswith(
        "is needed on arm64 for web and migration, and images.lock.json has it for amd64 only."
    )
    assert registry.asked == []


def test_a_lock_that_cannot_be_read_is_one_failure(upstream: NewStack, lock_file: Path) -> None:
    lock_file.write_text("{")
    with Registry({}).client() as client:
        (check,) = image_checks(upstream, client, [IMAGE, IMAGE])
    (found,) = answers(check)
    assert (found.check, found.status) == ("images.lock.json", "failed")
    assert "Restore it from version control" in found.message


def test_a_mirror_that_was_never_filled_fails_with_the_command(
    mirrored: NewStack, lock_file: Path
) -> None:
    registry = Registry({WEB: BOTH})
    mirror = "python3 -m automation images mirror --stack dev."
    assert result(mirrored, registry) == Result(
        f"image {WEB}", "failed", "is not mirrored yet.", mirror
    )
    write_lock(locked(digest_of(BOTH), arm64=digest_of(ARM64)), lock_file)
    assert result(mirrored, registry) == Result(
        f"image {WEB}",
        "failed",
        f"is not mirrored yet: langfuse-dev/langfuse in ECR has no {digest_of(BOTH)}.",
        mirror,
    )
    assert registry.asked == [], "nobody asks GHCR for a copy"


def test_a_mirror_must_have_the_index_and_the_cpus_own_image(
    mirrored: NewStack, lock_file: Path
) -> None:
    ecr = aws("ecr")
    ecr.create_repository(repositoryName="langfuse-dev/langfuse")
    held = {"repositoryName": "langfuse-dev/langfuse"}
    put = ecr.put_image(**held, imageManifest=json.dumps(ARM64), imageManifestMediaType=MANIFEST)
    image = put["image"]["imageId"]["imageDigest"]
    whole: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    put = ecr.put_image(**held, imageManifest=json.dumps(whole), imageManifestMediaType=INDEX)
    top = put["image"]["imageId"]["imageDigest"]
    write_lock(locked(top, arm64=image), lock_file)
    assert result(mirrored, Registry({})) == FINE
    write_lock(locked(top, arm64=digest_of(BOTH)), lock_file)
    assert result(mirrored, Registry({})).message == (
        f"is not mirrored yet: langfuse-dev/langfuse in ECR has no {digest_of(BOTH)}."
    )
