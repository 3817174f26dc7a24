"""Encrypts what a stack keeps with one KMS key, if `langfuse:encryption` is set.

A transformation gives the key to every resource of the types of `ENCRYPTED`, and to every role what
follows from what it may do already: who reads a secret may decrypt that secret. So no component
knows of the key, and none can forget it. Why so: docs/adr/0023-one-customer-key.md.

What AWS encrypts anew only by replacing it is refused by the guard, like any other replacement.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.protection.replacement_guard import ReplacementGuard
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.kms_key import kms_key
from langfuse_aws.components.shared.location import Location
from langfuse_aws.settings.model import CUSTOMER_KEY, Settings
from langfuse_aws.settings.network import CreatedNetwork
from langfuse_aws.settings.partitions import dns_suffix
from langfuse_aws.settings.stores import ClickHouseOnEc2

AUTO_SCALING_ROLE: Final = "AWSServiceRoleForAutoScaling"

KEPT: Final[Mapping[str, str]] = {
    "aws:apprunner/service:Service": "encryptionConfiguration",
    "aws:ecr/repository:Repository": "encryptionConfigurations",
}
"""What bears no data that is nowhere else, has a name that cannot be had twice, and can be given
another key only by being replaced: it keeps the key that it was made with."""

Props = Mapping[str, Any]
Key = pulumi.Output[str]


def _input(name: str) -> Callable[[Props, Key], dict[str, Any]]:
    """An input that takes the key's ARN."""
    return lambda _props, key: {name: key}


def _bucket(_props: Props, key: Key) -> dict[str, Any]:
    by_default = {"sse_algorithm": "aws:kms", "kms_master_key_id": key}
    rule = {"apply_server_side_encryption_by_default": by_default, "bucket_key_enabled": True}
    return {"rules": [rule]}


def _disks(props: Props, key: Key) -> dict[str, Any]:
    mappings = cast("list[dict[str, Any]]", props["block_device_mappings"])
    return {
        "block_device_mappings": [
            {**each, "ebs": {**each["ebs"], "kms_key_id": key}} for each in mappings
        ]
    }


def _database(props: Props, key: Key) -> dict[str, Any]:
    return {"kms_key_id": key, **_insights(props, key)}


def _insights(props: Props, key: Key) -> dict[str, Any]:
    on = props.get("performance_insights_enabled")
    return {"performance_insights_kms_key_id": key} if on else {}


ENCRYPTED: Final[Mapping[str, Callable[[Props, Key], dict[str, Any]]]] = {
    "aws:apprunner/service:Service": lambda _props, key: {
        "encryption_configuration": {"kms_key": key}
    },
    "aws:backup/vault:Vault": _input("kms_key_arn"),
    "aws:cloudwatch/logGroup:LogGroup": _input("kms_key_id"),
    "aws:ebs/volume:Volume": _input("kms_key_id"),
    "aws:ec2/launchTemplate:LaunchTemplate": _disks,
    "aws:ecr/repository:Repository": lambda _props, key: {
        "encryption_configurations": [{"encryption_type": "KMS", "kms_key": key}]
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": _input("kms_key_id"),
    "aws:rds/cluster:Cluster": _input("kms_key_id"),
    "aws:rds/clusterInstance:ClusterInstance": _insights,
    "aws:rds/instance:Instance": _database,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        _bucket
    ),
    "aws:scheduler/schedule:Schedule": _input("kms_key_arn"),
    "aws:secretsmanager/secret:Secret": _input("kms_key_id"),
    "aws:sns/topic:Topic": _input("kms_master_key_id"),
}
"""What gives a resource the key, by type: its inputs, from those that it has and the key's ARN.

Not the function, which has no environment."""

SCHEDULER: Final = "scheduler.amazonaws.com"

ENCRYPTING: Final[Mapping[str, str]] = {
    "key_state": "Enabled",
    "key_usage": "ENCRYPT_DECRYPT",
    "key_spec": "SYMMETRIC_DEFAULT",
}
"""What a key must be for AWS's services to encrypt with it.
https://docs.aws.amazon.com/kms/latest/developerguide/service-integration.html"""


def has_own_key(settings: Settings) -> bool:
    """Whether the stack makes its key, and is not given one."""
    return settings.encryption == CUSTOMER_KEY


@dataclass(frozen=True)
class EncryptionArgs:
    """What the key is made from."""

    settings: Settings
    location: Location
    guard: ReplacementGuard


class Encryption(pulumi.ComponentResource):
    """The key, and one more in the region of the copies; or nothing but a key that is given."""

    key_arn: Key
    """ARN of the key."""

    def __init__(
        self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Encryption", name, None, opts)
        self._location = args.location
        settings = args.settings
        self._copies: Key | None = None
        self._roles_of_schedules: set[str] = set()
        if settings.encryption is not None and not has_own_key(settings):
            _require_encrypting(settings.encryption, self)
            # A key of the stack's own is guarded as a resource.
            args.guard.remember(self, name, {"encryption": settings.encryption})
            self.key_arn = pulumi.Output.from_input(settings.encryption)
        else:
            self.key_arn = self._key(name, settings, None)
            if settings.backups.copy_region is not None:
                self._copies = self._key(f"{name}-copy", settings, settings.backups.copy_region)
        self.register_outputs({"keyArn": self.key_arn})

    def _key(self, name: str, settings: Settings, region: str | None) -> Key:
        protected = settings.deletion_protection
        launching = region is None and launches(settings)
        if launching:
            _require_auto_scaling_role(self)
        key = kms_key(
            name,
            f"Everything that {name} encrypts",
            protected=protected,
            policy=key_policy(self._location, region, launching=launching),
            region=region,
            # What it has encrypted is lost without it.
            opts=pulumi.ResourceOptions(parent=self, protect=protected, retain_on_delete=protected),
        )
        return key.arn

    def options(self) -> pulumi.ResourceOptions:
        """Give the options of a component whose children are to be encrypted with the key."""
        return pulumi.ResourceOptions(transformations=[self._encrypt])

    def _encrypt(
        self, args: pulumi.ResourceTransformationArgs
    ) -> pulumi.ResourceTransformationResult | None:
        props: dict[str, Any] = dict(args.props)
        opts = args.opts
        if args.type_ == "aws:iam/role:Role":
            # Its policy has the same name, and says nothing of whose it is.
            if SCHEDULER in str(props.get("assume_role_policy")):
                self._roles_of_schedules.add(args.name)
            return None
        if args.type_ == "aws:iam/rolePolicy:RolePolicy":
            schedules = args.name in self._roles_of_schedules
            props["policy"] = pulumi.Output.all(props["policy"], self.key_arn).apply(
                lambda found: with_key(found[0], found[1], self._location, schedules=schedules)
            )
        elif args.type_ in ENCRYPTED:
            if props.get("region") not in (None, self._location.region):
                if self._copies is None:
                    # A key of the user's is of one region: AWS Backup's own encrypts there.
                    return None
                key = self._copies
            else:
                key = self.key_arn
            props.update(ENCRYPTED[args.type_](props, key))
            if args.type_ in KEPT:
                kept = pulumi.ResourceOptions(ignore_changes=[KEPT[args.type_]])
                opts = pulumi.ResourceOptions.merge(opts, kept)
        else:
            return None
        return pulumi.ResourceTransformationResult(props=props, opts=opts)


def launches(settings: Settings) -> bool:
    """Whether Auto Scaling starts instances of the stack's, whose disks have the key."""
    return isinstance(settings.clickhouse, ClickHouseOnEc2) or (
        isinstance(settings.network, CreatedNetwork) and settings.network.egress == "natInstance"
    )


def _require_encrypting(arn: str, parent: pulumi.Resource) -> None:
    """Stop before the first resource where nothing could be encrypted with a key."""
    found = aws.kms.get_key(key_id=arn, opts=pulumi.InvokeOptions(parent=parent))
    for name, wanted in ENCRYPTING.items():
        if (told := getattr(found, name)) != wanted:
            raise pulumi.RunError(
                f"langfuse:encryption: {arn}: its {name} is {told}, not {wanted}, and nothing of "
                f"the stack could be encrypted with it. Name another key, or {CUSTOMER_KEY}."
            )


def _require_auto_scaling_role(parent: pulumi.Resource) -> None:
    """Stop before the first resource where a key's policy would name a role that is not there.

    KMS takes no policy with an unknown principal, and Auto Scaling makes its role when it is first
    used. https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
    """
    found = aws.iam.get_roles(
        name_regex=f"^{AUTO_SCALING_ROLE}$", opts=pulumi.InvokeOptions(parent=parent)
    )
    if not found.names:
        raise pulumi.RunError(
            f"langfuse:encryption: {CUSTOMER_KEY}: the account has no role {AUTO_SCALING_ROLE}, "
            "which the key's policy must name so that instances start with encrypted disks. Run "
            "aws iam create-service-linked-role --aws-service-name autoscaling.amazonaws.com once."
        )


def key_policy(location: Location, region: str | None, *, launching: bool) -> str:
    """Build the policy of a key of the stack, or of the one in another region, for its copies.

    The account's IAM policies count, as in AWS's own default; whoever acts through a service, such
    as RDS, needs no more. These services come in their own name, each for this account only.
    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    root = f"arn:{location.partition}:iam::{location.account}:root"
    statements: list[dict[str, Any]] = [_to("Account", {"AWS": root}, ["kms:*"], {})]
    if region is None:
        statements += _services(location)
        if launching:
            statements += _auto_scaling(location)
    return json.dumps(iam.document(statements), sort_keys=True)


def _to(
    sid: str, principal: dict[str, str], actions: list[str], condition: dict[str, Any]
) -> dict[str, Any]:
    allowed = iam.allow(actions, ["*"], condition or None)
    return {"Sid": sid, "Principal": principal, **allowed}


USE: Final = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


def _services(location: Location) -> list[dict[str, Any]]:
    prefix = f"arn:{location.partition}:logs:{location.region}:{location.account}:log-group:*"
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    logs = {"StringLike": {"kms:EncryptionContext:aws:logs:arn": prefix}}
    # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
    alarms = {"StringEquals": {"aws:SourceAccount": location.account}}
    return [
        _to(
            "Logs",
            {"Service": _host("logs", location)},
            USE,
            logs,
        ),
        _to(
            "Alarms",
            {"Service": "cloudwatch.amazonaws.com"},
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            alarms,
        ),
    ]


def _auto_scaling(location: Location) -> list[dict[str, Any]]:
    """Let Auto Scaling's own role start instances whose disks are encrypted.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
    """
    role = (
        f"arn:{location.partition}:iam::{location.account}:role/aws-service-role/"
        f"autoscaling.amazonaws.com/{AUTO_SCALING_ROLE}"
    )
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        _to("AutoScaling", {"AWS": role}, [*USE, "kms:DescribeKey"], {}),
        _to("AutoScalingGrants", {"AWS": role}, ["kms:CreateGrant"], for_aws),
    ]


def _host(service: str, location: Location) -> str:
    """Name a service of the region, as conditions and principals do."""
    return f"{service}.{location.region}.{dns_suffix(location.partition)}"


def with_key(policy: str, key_arn: str, location: Location, *, schedules: bool = False) -> str:
    """Add to a role's policy what its other statements need of the key, and no more.

    Each way leads through the service that has encrypted, and for its own things only. A role of
    `schedules` decrypts them in its own name, before it does what they say.
    """
    document = json.loads(policy)
    statements = cast("list[dict[str, Any]]", document["Statement"])
    for each in list(statements):
        statements += _follows(each, key_arn, location)
    if schedules:
        statements += [_decrypt_schedules(key_arn, location)]
    return json.dumps(document, sort_keys=True)


def _decrypt_schedules(key_arn: str, location: Location) -> iam.Statement:
    """Let a schedule's role have what AWS asks of it, for schedules of this account alone.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
    """
    prefix = f"arn:{location.partition}:scheduler:{location.region}:{location.account}"
    context = {"kms:EncryptionContext:aws:scheduler:schedule:arn": f"{prefix}:schedule/default/*"}
    return iam.allow(["kms:Decrypt"], [key_arn], {"StringLike": context})


def _follows(statement: dict[str, Any], key_arn: str, location: Location) -> list[iam.Statement]:
    actions, resources = set(statement["Action"]), list(statement["Resource"])

    def through(service: str) -> dict[str, str]:
        return {"kms:ViaService": _host(service, location)}

    if "secretsmanager:GetSecretValue" in actions:
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
        context = {"kms:EncryptionContext:SecretARN": resources}
        condition = {"StringEquals": {**through("secretsmanager"), **context}}
        return [iam.allow(["kms:Decrypt"], [key_arn], condition)]
    if "s3:PutObject" in actions:
        # With a bucket key the context is the bucket's ARN.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        context = {"kms:EncryptionContext:aws:s3:arn": [each.split("/")[0] for each in resources]}
        condition = {"StringEquals": {**through("s3"), **context}}
        return [iam.allow(["kms:Decrypt", "kms:GenerateDataKey"], [key_arn], condition)]
    if "ec2:AttachVolume" in actions and "Condition" not in statement:
        # https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
        use = ["kms:Decrypt", "kms:DescribeKey"]
        for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        return [
            iam.allow(use, [key_arn], {"StringEquals": through("ec2")}),
            iam.allow(["kms:CreateGrant"], [key_arn], {**for_aws, "StringEquals": through("ec2")}),
        ]
    return []
