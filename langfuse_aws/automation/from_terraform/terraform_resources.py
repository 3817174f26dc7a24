"""What becomes of each resource of tubone24/langfuse-v3-terraform when its Langfuse moves in.

Every type of resource of that repository has a row. What is not in its module is not judged: its
owner keeps it.
"""

from collections.abc import Container, Mapping
from typing import Final, Literal, NamedTuple

from langfuse_aws.automation.from_terraform.terraform_state import Managed
from langfuse_aws.settings.model import AdoptedStore

TERRAFORM_REPOSITORY: Final = "tubone24/langfuse-v3-terraform"
GUIDE: Final = "docs/migrate-from-terraform.md"

CLUSTER: Final = "aws_rds_cluster.langfuse_aurora_cluster"
INSTANCE: Final = "aws_rds_cluster_instance.serverless_v2_instance"
CACHE: Final = "aws_elasticache_replication_group.langfuse_cache"
MEDIA: Final = "aws_s3_bucket.langfuse_blob"
EVENTS: Final = "aws_s3_bucket.langfuse_event"
SUBNETS: Final = "aws_db_subnet_group.postgres_subnet_grp"
DATABASE_GROUP: Final = "aws_security_group.langfuse_db"
WEB: Final = "aws_apprunner_service.langfuse_web"


class Treatment(NamedTuple):
    """What becomes of a resource, and why."""

    what: Literal["adopted", "kept", "moved", "made anew"]
    way: str


_NEVER_NEEDED: Final = Treatment("made anew", "the program makes its own")
_PASSWORDS: Final = Treatment("made anew", "every store gets a new password")
_IMAGES: Final = Treatment("made anew", "its tags can be overwritten; images come by their release")
_KEPT: Final = Treatment("kept", "the adopted store needs it: it stays in AWS, with no owner")
_CLICKHOUSE: Final = Treatment(
    "moved", f"ClickHouse runs on EBS here: back it up to S3, restore it ({GUIDE}, ClickHouse)"
)
_APP_RUNNER: Final = Treatment("made anew", "a service has one owner: web is deployed anew")

TREATMENTS: Final[Mapping[str, Treatment]] = {
    CLUSTER: Treatment("adopted", "postgres"),
    INSTANCE: Treatment("adopted", "postgres"),
    CACHE: Treatment("adopted", "redis"),
    MEDIA: Treatment("adopted", "storage"),
    EVENTS: Treatment(
        "moved", "one bucket holds everything here: copy events/ into the adopted one"
    ),
    "aws_s3_bucket.langfuse_clickhouse": Treatment(
        "moved", "a disk of ClickHouse, in its backup too"
    ),
    "aws_efs_file_system": _CLICKHOUSE,
    "aws_efs_mount_target": _CLICKHOUSE,
    "aws_db_subnet_group": _KEPT,
    "aws_elasticache_subnet_group": _KEPT,
    "aws_kms_key": Treatment("kept", "without it the database cannot be read: never delete it"),
    "aws_apprunner_service": _APP_RUNNER,
    "aws_apprunner_custom_domain_association": _APP_RUNNER,
    "aws_apprunner_observability_configuration": _APP_RUNNER,
    "aws_apprunner_vpc_connector": _APP_RUNNER,
    "aws_route53_record": Treatment(
        "made anew", "delete langfuse's before `pulumi up`, which cannot make its own beside it"
    ),
    "aws_ecr_lifecycle_policy": _IMAGES,
    "aws_ecr_repository": _IMAGES,
    "random_password": _PASSWORDS,
    "aws_secretsmanager_secret": _PASSWORDS,
    "aws_secretsmanager_secret_version": _PASSWORDS,
    "aws_cloudwatch_log_group": _NEVER_NEEDED,
    "aws_ecs_cluster": _NEVER_NEEDED,
    "aws_ecs_cluster_capacity_providers": _NEVER_NEEDED,
    "aws_ecs_service": _NEVER_NEEDED,
    "aws_ecs_task_definition": _NEVER_NEEDED,
    "aws_iam_policy": _NEVER_NEEDED,
    "aws_iam_role": _NEVER_NEEDED,
    "aws_iam_role_policy_attachment": _NEVER_NEEDED,
    "aws_security_group": _NEVER_NEEDED,
    "aws_service_discovery_private_dns_namespace": _NEVER_NEEDED,
    "aws_service_discovery_service": _NEVER_NEEDED,
}
"""By address, or else by type."""

UNLISTED: Final = Treatment(
    "kept", f"not of {TERRAFORM_REPOSITORY}: decide yourself what becomes of it"
)


def treatment(resource: Managed, stores: Container[AdoptedStore]) -> Treatment:
    """Say what becomes of a resource when these stores are adopted."""
    if "postgres" not in stores and resource.kind in (CLUSTER, INSTANCE, DATABASE_GROUP):
        return Treatment("kept", "langfuse:postgres.mode external uses it: it stays, with no owner")
    if "redis" not in stores and resource.type.startswith("aws_elasticache"):
        return _NEVER_NEEDED
    return TREATMENTS.get(resource.kind) or TREATMENTS.get(resource.type) or UNLISTED
