"""A state file in the shape of tubone24/langfuse-v3-terraform, as `terraform state pull` prints it.

Written by hand from that repository's files: every type of its resources is in it, with the
attributes that anything here reads and some that nothing reads. No installation's state was copied.
"""

import copy
import json
from pathlib import Path
from typing import Any, Final

MODULE: Final = "module.langfuse"
PRIVATE: Final = ["subnet-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa2"]
PUBLIC: Final = ["subnet-0bbbbbbbbbbbbbbb1", "subnet-0bbbbbbbbbbbbbbb2"]
VPC: Final = "vpc-0123456789abcdef0"
"""The one that the offline AWS knows."""
KEY: Final = "0123456789abcdef" * 4
SALT: Final = "moving-salt+/="
SESSIONS: Final = "moving-sessions+/="
DATABASE_PASSWORD: Final = "moving%pass^word"
SECRETS: Final = (KEY, SALT, SESSIONS, DATABASE_PASSWORD)

_ARN: Final = "arn:aws:{}:us-east-1:123456789012:{}"


def arn(service: str, rest: str) -> str:
    """An ARN of the state's region and account."""
    return _ARN.format(service, rest)


DATA: Final[dict[str, dict[str, Any]]] = {
    "aws_rds_cluster.langfuse_aurora_cluster": {
        "id": "langfuse-postgres",
        "arn": arn("rds", "cluster:langfuse-postgres"),
        "cluster_identifier": "langfuse-postgres",
        "database_name": "langfuse",
        "db_subnet_group_name": "postgres_subnet_grp",
        "deletion_protection": True,
        "endpoint": "langfuse-postgres.cluster-c1.us-east-1.rds.amazonaws.com",
        "engine": "aurora-postgresql",
        "engine_mode": "provisioned",
        "engine_version": "16.6",
        "engine_version_actual": "16.6",
        "kms_key_id": arn("kms", "key/1d0f"),
        "master_password": DATABASE_PASSWORD,
        "master_username": "langfuse",
        "serverlessv2_scaling_configuration": [{"max_capacity": 10, "min_capacity": 0.5}],
        "storage_encrypted": True,
    },
    "aws_rds_cluster_instance.serverless_v2_instance": {
        "id": "serverless-v2-instance",
        "arn": arn("rds", "db:serverless-v2-instance"),
        "cluster_identifier": "langfuse-postgres",
        "identifier": "serverless-v2-instance",
        "instance_class": "db.serverless",
    },
    "aws_elasticache_replication_group.langfuse_cache": {
        "id": "langfuse-cache",
        "arn": arn("elasticache", "replicationgroup:langfuse-cache"),
        "at_rest_encryption_enabled": "true",
        "auth_token": None,
        "engine": "valkey",
        "engine_version": "8.0",
        "node_type": "cache.t4g.small",
        "num_cache_clusters": 1,
        "parameter_group_name": "default.valkey7",
        "replication_group_id": "langfuse-cache",
        "transit_encryption_enabled": True,
        "transit_encryption_mode": "preferred",
    },
    "aws_s3_bucket.langfuse_blob": {
        "id": "acme-langfuse-blob-prod",
        "arn": "arn:aws:s3:::acme-langfuse-blob-prod",
        "bucket": "acme-langfuse-blob-prod",
        "force_destroy": False,
    },
    "aws_s3_bucket.langfuse_event": {
        "id": "acme-langfuse-event-prod",
        "arn": "arn:aws:s3:::acme-langfuse-event-prod",
        "bucket": "acme-langfuse-event-prod",
        "force_destroy": False,
    },
    "aws_db_subnet_group.postgres_subnet_grp": {
        "id": "postgres_subnet_grp",
        "name": "postgres_subnet_grp",
        "subnet_ids": PRIVATE[::-1],
    },
    "aws_security_group.langfuse_db": {"id": "sg-0db", "name": "langfuse-db-sg", "vpc_id": VPC},
    "aws_apprunner_service.langfuse_web": {
        "id": arn("apprunner", "service/langfuse_web/1"),
        "service_name": "langfuse_web",
        "source_configuration": [
            {
                "image_repository": [
                    {
                        "image_configuration": [
                            {
                                "port": "3000",
                                "runtime_environment_variables": {
                                    "ENCRYPTION_KEY": KEY,
                                    "HOSTNAME": "0.0.0.0",  # noqa: S104
                                    "NEXTAUTH_SECRET": SESSIONS,
                                    "NEXTAUTH_URL": "https://langfuse.example.com",
                                    "SALT": SALT,
                                },
                            }
                        ],
                        "image_repository_type": "ECR",
                    }
                ]
            }
        ],
    },
}
"""What is read of, by its kind."""

OTHERS: Final = """
aws_apprunner_custom_domain_association grafana langfuse
aws_apprunner_observability_configuration langfuse
aws_apprunner_service grafana
aws_apprunner_vpc_connector connector
aws_cloudwatch_log_group clickhouse langfuse_cache_engine_log langfuse_cache_slow_log
aws_cloudwatch_log_group langfuse_worker
aws_ecr_lifecycle_policy image_count_cleanup_clickhouse image_count_cleanup_langfuse_web
aws_ecr_repository clickhouse grafana langfuse_web langfuse_worker
aws_ecs_cluster langfuse
aws_ecs_cluster_capacity_providers langfuse
aws_ecs_service clickhouse langfuse_worker
aws_ecs_task_definition clickhouse langfuse_worker
aws_efs_file_system clickhouse_data
aws_elasticache_subnet_group langfuse_cache_subnet_group
aws_iam_policy apprunner_langfuse_policy langfuse_task_role_policy
aws_iam_role apprunner_langfuse_instance_role langfuse_task_role
aws_iam_role_policy_attachment task_role_policy_attachment
aws_kms_key postgres
aws_route53_record grafana langfuse
aws_s3_bucket langfuse_clickhouse
aws_secretsmanager_secret clickhouse_password langfuse_database_url langfuse_db_password
aws_secretsmanager_secret_version clickhouse_password langfuse_database_url
aws_security_group apprunner_vpc_connector clickhouse efs langfuse_cache langfuse_worker
aws_service_discovery_private_dns_namespace langfuse
aws_service_discovery_service clickhouse
random_password clickhouse_password grafana_admin_password langfuse_db_password
"""
"""The repository's other resources, by type: all types, and of some only a few."""


def entry(kind: str, *instances: dict[str, Any], module: str = MODULE) -> dict[str, Any]:
    """One of a state's `resources`."""
    type_, _, name = kind.partition(".")
    provider = "hashicorp/random" if type_.startswith("random") else "hashicorp/aws"
    found = {
        "module": module,
        "mode": "managed",
        "type": type_,
        "name": name,
        "provider": f'provider["registry.terraform.io/{provider}"]',
        "instances": list(instances),
    }
    return found if module else {key: value for key, value in found.items() if key != "module"}


def instance(attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One of a resource's `instances`."""
    return {"schema_version": 0, "attributes": attributes, "sensitive_attributes": [], **more}


def terraform_state(module: str = MODULE) -> dict[str, Any]:
    """The whole state of an installation and of the VPC that its root module makes."""
    subnets = [
        entry(
            f"aws_subnet.{name}",
            *(
                instance({"id": each, "vpc_id": VPC, "map_public_ip_on_launch": open_}, index_key=i)
                for i, each in enumerate(found)
            ),
            module="module.vpc",
        )
        for name, found, open_ in (("private", PRIVATE, False), ("edge", PUBLIC, True))
    ]
    others = [
        entry(f"{type_}.{name}", instance({"id": f"{name}-1"}), module=module)
        for type_, *names in (line.split() for line in OTHERS.split("\n") if line)
        for name in names
    ]
    mounts = [
        instance({"id": f"fsmt-{each}", "subnet_id": each}, index_key=each) for each in PRIVATE
    ]
    read = {
        **entry("aws_iam_policy_document.langfuse_instance_role_policy", instance({"json": "{}"})),
        "mode": "data",
    }
    return {
        "version": 4,
        "terraform_version": "1.8.2",
        "serial": 41,
        "lineage": "3c1f2f0e-0000-4000-8000-000000000000",
        "outputs": {},
        "resources": [
            entry("aws_vpc.main", instance({"id": VPC}), module="module.vpc"),
            *subnets,
            read,
            *(
                entry(kind, instance(copy.deepcopy(attributes)), module=module)
                for kind, attributes in DATA.items()
            ),
            entry("aws_efs_mount_target.clickhouse_data", *mounts, module=module),
            *others,
        ],
        "check_results": None,
    }


def attributes_of(state: dict[str, Any], kind: str) -> dict[str, Any]:
    """The attributes of a resource's first instance, to be changed."""
    (found,) = [each for each in state["resources"] if f"{each['type']}.{each['name']}" == kind]
    return found["instances"][0]["attributes"]


def without(state: dict[str, Any], kind: str) -> dict[str, Any]:
    """The state as it is without a resource."""
    kept = [each for each in state["resources"] if f"{each['type']}.{each['name']}" != kind]
    return {**state, "resources": kept}


def write(state: dict[str, Any], folder: Path) -> Path:
    """Write it as a file."""
    file = folder / "terraform.tfstate"
    file.write_text(json.dumps(state, indent=2), encoding="utf-8")
    return file
