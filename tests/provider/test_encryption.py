"""A small stack with `langfuse:encryption` through the real AWS provider, read back with boto3.

It proves that every resource that takes a key has the stack's on the simulated AWS, and that the
provider then sees no difference. The simulation checks no key policy: it does not prove that AWS's
services may use the key.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from langfuse_aws.automation.engine.offline_workspace import prepare
from tests.deployment import Deployment
from tests.provider.aws import client
from tests.provider.ecs_scheduler import EcsScheduler
from tests.provider.gaps import SEEN_BY_PREVIEW, SEEN_BY_PREVIEW_OF_RDS
from tests.provider.readback import Account
from tests.provider.test_lifecycle import PARALLEL, WITHOUT_PROVIDER_6

# Roles and buckets belong to the account: no other test at its side may have a stack of this name.
STACK: Final = "encrypted"
REGION: Final = "eu-west-3"
CONFIG: Final = {
    "aws:region": REGION,
    "langfuse:size": "dev",
    "langfuse:encryption": "customerKey",
    "langfuse:alarms": {"email": "ops@example.com"},
}


def test_everything_read_back_has_the_key(tmp_path: Path) -> None:
    make_auto_scaling_role()
    account = Account(f"langfuse-{STACK}", REGION)
    prepared = prepare(STACK, tmp_path, config=CONFIG)
    deployment = Deployment(prepared, {"PYTHONPATH": WITHOUT_PROVIDER_6}, PARALLEL)
    deployment.run("stack", "init", STACK)
    with EcsScheduler(REGION):
        deployment.up()
        (key,) = deployment.of_type("aws:kms/key:Key")
        arn = key["outputs"]["arn"]
        kms = account.client("kms")
        assert kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"] is True
        found = dict(keys(account))
        (logs,) = [
            name for name in found if name.startswith(f"bucket {account.prefix}-access-logs")
        ]
        assert found.pop(logs) is None, "no access log can be written with it"
        assert {name: each for name, each in found.items() if each != arn} == {}
        kinds = {name.split(" ")[0] for name in found}
        assert kinds == {
            "bucket",
            "cache",
            "database",
            "disk",
            "logs",
            "schedule",
            "secret",
            "topic",
            "vault",
            "volume",
        }
        seen = {(change.type, change.property) for change in deployment.changes()}
        assert seen <= SEEN_BY_PREVIEW | SEEN_BY_PREVIEW_OF_RDS, (
            "a preview without changes shows some"
        )
        logged = account.client("s3").get_bucket_logging(Bucket=account.bucket())
        assert logged["LoggingEnabled"]["TargetBucket"] == logs.removeprefix("bucket ")
        deployment.destroy()
    assert deployment.state() == []


def keys(account: Account) -> Iterator[tuple[str, Any]]:
    """What of the stack has a key, and which."""
    prefix = account.prefix
    for group in account.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
        yield f"logs {group['logGroupName']}", group.get("kmsKeyId")
    for secret in account.client("secretsmanager").list_secrets()["SecretList"]:
        if secret["Name"].startswith(prefix):
            yield f"secret {secret['Name']}", secret.get("KmsKeyId")
    s3 = account.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith(prefix):
            said = s3.get_bucket_encryption(Bucket=bucket["Name"])
            (rule,) = said["ServerSideEncryptionConfiguration"]["Rules"]
            by_default = rule["ApplyServerSideEncryptionByDefault"]
            key = by_default.get("KMSMasterKeyID")
            assert rule["BucketKeyEnabled"] is bool(key)
            yield f"bucket {bucket['Name']}", key
    ec2 = account.client("ec2")
    named = [{"Name": "tag:Name", "Values": [f"{prefix}*"]}]
    for volume in ec2.describe_volumes(Filters=named)["Volumes"]:
        yield f"volume {volume['VolumeId']}", volume.get("KmsKeyId")
    for template in ec2.describe_launch_templates()["LaunchTemplates"]:
        if template["LaunchTemplateName"].startswith(prefix):
            (version,) = ec2.describe_launch_template_versions(
                LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Latest"]
            )["LaunchTemplateVersions"]
            for disk in version["LaunchTemplateData"]["BlockDeviceMappings"]:
                yield f"disk {template['LaunchTemplateName']}", disk["Ebs"].get("KmsKeyId")
    for database in account.client("rds").describe_db_instances()["DBInstances"]:
        yield f"database {database['DBInstanceIdentifier']}", database.get("KmsKeyId")
    for cache in account.client("elasticache").describe_replication_groups()["ReplicationGroups"]:
        yield f"cache {cache['ReplicationGroupId']}", cache.get("KmsKeyId")
    for vault in account.client("backup").list_backup_vaults()["BackupVaultList"]:
        yield f"vault {vault['BackupVaultName']}", vault.get("EncryptionKeyArn")
    scheduler = account.client("scheduler")
    for schedule in scheduler.list_schedules(NamePrefix=prefix)["Schedules"]:
        said = scheduler.get_schedule(Name=schedule["Name"])
        yield f"schedule {schedule['Name']}", said.get("KmsKeyArn")
    sns = account.client("sns")
    for topic in sns.list_topics()["Topics"]:
        attributes = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
        yield f"topic {topic['TopicArn']}", attributes.get("KmsMasterKeyId")


def make_auto_scaling_role() -> None:
    """Have the account used Auto Scaling before, as most have."""
    iam = client("iam")
    roles = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    if "AWSServiceRoleForAutoScaling" not in roles:
        iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
