"""What went wrong in other ways to run Langfuse on AWS, where no other test names it.

Most such faults are named by the tests of the part they concern; `grep tubone24 tests/unit` and the
like finds them. Names before a colon are repositories, followed by the file and line of the fault.
"""

from typing import Any

import pytest

from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.unit.stack_graph import shipped, varied

ALL = ["dev", "staging", "prod"]


def test_sign_up_can_be_closed() -> None:
    """tubone24/langfuse-v3-terraform, langfuse-k8s values.yaml:62: open for ever."""
    plain = varied().environment("web")
    assert plain["AUTH_DISABLE_SIGNUP"] == "true"
    assert plain["AUTH_DISABLE_USERNAME_PASSWORD"] == "true"
    assert shipped("dev").environment("web")["AUTH_DISABLE_SIGNUP"] == "false", "the first user"


@pytest.mark.parametrize("stack", ALL)
def test_a_health_check_asks_no_database_for_telemetry(stack: str) -> None:
    """langfuse-k8s values.yaml:60: telemetry on, and a dead database slows every health check."""
    assert shipped(stack).environment("web")["TELEMETRY_ENABLED"] == "false"


@pytest.mark.parametrize("stack", ALL)
def test_nobody_can_open_a_shell_in_a_container(stack: str) -> None:
    """mazyu36/langfuse-with-aws-cdk: ECS Exec always on."""
    for service in shipped(stack).of_type("aws:ecs/service:Service"):
        assert not service.inputs.get("enableExecuteCommand", False), service.name


@pytest.mark.parametrize("stack", ALL)
def test_batch_exports_and_media_have_a_bucket_a_prefix_and_a_region(stack: str) -> None:
    """langfuse-with-aws-cdk common-environment.ts:50, myui m/langfuse/main.tf: none."""
    graph = shipped(stack)
    bucket = graph.one("aws:s3/bucket:Bucket", f"langfuse-{stack}-storage").outputs["bucket"]
    plain = graph.environment("worker")
    assert plain["LANGFUSE_S3_BATCH_EXPORT_ENABLED"] == "true"
    for use, prefix in (("BATCH_EXPORT", "exports/"), ("MEDIA_UPLOAD", "media/")):
        assert plain[f"LANGFUSE_S3_{use}_BUCKET"] == bucket
        assert plain[f"LANGFUSE_S3_{use}_PREFIX"] == prefix
        assert plain[f"LANGFUSE_S3_{use}_REGION"] == "us-east-1"


@pytest.mark.parametrize("stack", ALL)
def test_no_old_version_for_ever_and_no_cold_storage_class_adds_to_the_bill(stack: str) -> None:
    """langfuse-terraform-aws s3.tf:17-58: versions that never expire, tiny objects moved to IA."""
    graph = shipped(stack)
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    rules = {each.inputs["bucket"]: each.inputs["rules"] for each in graph.of_type(token)}
    assert set(rules) == {each.id for each in graph.of_type("aws:s3/bucket:Bucket")}
    for versioning in graph.of_type("aws:s3/bucketVersioning:BucketVersioning"):
        expiring = [
            rule["noncurrentVersionExpiration"]["noncurrentDays"]
            for rule in rules[versioning.inputs["bucket"]]
            if "noncurrentVersionExpiration" in rule
            and (rule["status"], rule["filter"]) == ("Enabled", {"prefix": ""})
        ]
        assert len(expiring) == 1, f"{versioning.name}: versions stay for ever"
        assert expiring[0] <= 14, versioning.name
    for rule in [rule for each in rules.values() for rule in each]:
        assert "transitions" not in rule


@pytest.mark.parametrize("stack", ALL)
def test_every_task_has_a_size(stack: str) -> None:
    """langfuse-k8s values.yaml:137: no resources at all."""
    tasks = shipped(stack).of_type("aws:ecs/taskDefinition:TaskDefinition")
    sized: dict[str, tuple[Any, Any]] = {
        task.name: (task.inputs.get("cpu"), task.inputs.get("memory")) for task in tasks
    }
    clickhouse = sized.pop(f"langfuse-{stack}-clickhouse")
    assert clickhouse == (None, None), (
        "it may use all of its instance, of which it is the only user"
    )
    backup = sized.pop(f"langfuse-{stack}-clickhouse-backup")
    assert backup == ("256", "512"), "Fargate's least: the task only waits for the servers"
    assert len(sized) == 3, "web, worker, migration"
    assert all(int(cpu) >= 512 and int(memory) >= 2048 for cpu, memory in sized.values())


@pytest.mark.parametrize("container", ["web", "worker"])
def test_architecture_and_image_are_chosen_apart_so_that_they_cannot_disagree(
    container: str,
) -> None:
    """tubone24 ecs.tf:58 with its README: amd64 images pushed for ARM64 tasks."""
    arm = shipped("dev").container(container)["image"]
    amd = varied().container(container)["image"]
    host, _, name = arm.removesuffix(LANGFUSE).partition("/")
    assert host == "ghcr.io"
    assert amd.removesuffix(LANGFUSE_3).endswith(f"/{name}"), (
        "one multi-architecture tag, no tag per architecture"
    )


@pytest.mark.parametrize("stack", ALL)
def test_the_database_is_not_three_majors_old(stack: str) -> None:
    """niklas-palm template.yaml:542, deploy-langfuse-on-ecs: Aurora 15.4, which AWS withdrew."""
    graph = shipped(stack)
    stores = [
        *graph.of_type("aws:rds/cluster:Cluster"),
        *graph.of_type("aws:rds/instance:Instance"),
    ]
    assert [store.inputs["engineVersion"] for store in stores] == ["16"], (
        "a minor version that AWS withdraws stops every first apply"
    )
