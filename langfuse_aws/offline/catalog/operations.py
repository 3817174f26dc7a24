"""Logs, alarms, messages, budgets, backups and images."""

from langfuse_aws.offline.catalog.resource_type import Naming, ResourceType
from langfuse_aws.offline.facts import ACCOUNT

TYPES: dict[str, ResourceType] = {
    "aws:cloudwatch/logGroup:LogGroup": ResourceType(
        "{name}",
        {"arn": "arn:{partition}:logs:{region}:{account}:log-group:{name}"},
        defaults={"retentionInDays": 0, "skipDestroy": False, "logGroupClass": "STANDARD"},
        naming=Naming(longest=512),
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": ResourceType(
        "{name}",
        naming=Naming(longest=512),
        tagged=False,
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ResourceType(
        "{name}",
        {"arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"},
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        naming=Naming(),
    ),
    "aws:cloudwatch/alarmMuteRule:AlarmMuteRule": ResourceType(
        "{name}",
        {
            "arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm-mute-rule:{name}",
            "status": "SCHEDULED",
        },
        naming=Naming(),
    ),
    "aws:cloudwatch/dashboard:Dashboard": ResourceType(
        "{dashboardName}",
        {"dashboardArn": "arn:{partition}:cloudwatch::{account}:dashboard/{dashboardName}"},
        tagged=False,
    ),
    "aws:sns/topic:Topic": ResourceType(
        "arn:{partition}:sns:{region}:{account}:{name}",
        {"arn": "{id}", "owner": "{account}", "policy": ""},
        defaults={"fifoTopic": False},
        naming=Naming(longest=256),
    ),
    "aws:sns/topicSubscription:TopicSubscription": ResourceType(
        "{topic}:{hex32}",
        {
            "arn": "{id}",
            "confirmationWasAuthenticated": lambda _facts: False,
            "ownerId": "{account}",
            "pendingConfirmation": lambda facts: facts.get("protocol").startswith("email"),
        },
        tagged=False,
    ),
    "aws:sns/topicPolicy:TopicPolicy": ResourceType("{arn}", {"owner": "{account}"}, tagged=False),
    "aws:budgets/budget:Budget": ResourceType(
        f"{ACCOUNT}:{{name}}",
        {"accountId": "{account}", "arn": "arn:{partition}:budgets::{account}:budget/{name}"},
        naming=Naming(longest=100),
        regional=False,
    ),
    "aws:scheduler/schedule:Schedule": ResourceType(
        lambda facts: facts.fill(f"{facts.get('groupName', 'default')}/{{name}}"),
        {"arn": "arn:{partition}:scheduler:{region}:{account}:schedule/{id}"},
        defaults={"groupName": "default", "state": "ENABLED"},
        naming=Naming(longest=64),
        tagged=False,
    ),
    "aws:backup/vault:Vault": ResourceType(
        "{name}",
        {
            "arn": "arn:{partition}:backup:{region}:{account}:backup-vault:{name}",
            "recoveryPoints": lambda _facts: 0,
        },
        naming=Naming(longest=50),
    ),
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": ResourceType(
        "{backupVaultName}",
        {"backupVaultArn": "arn:{partition}:backup:{region}:{account}:backup-vault:{id}"},
        tagged=False,
    ),
    "aws:backup/plan:Plan": ResourceType(
        "{hex32}",
        {
            "arn": "arn:{partition}:backup:{region}:{account}:backup-plan:{id}",
            "version": "{hex32}",
        },
        naming=Naming(longest=50),
    ),
    "aws:backup/selection:Selection": ResourceType(
        "{hex32}", naming=Naming(longest=50), tagged=False
    ),
    "aws:ecr/repository:Repository": ResourceType(
        "{name}",
        {
            "arn": "arn:{partition}:ecr:{region}:{account}:repository/{name}",
            "registryId": "{account}",
            "repositoryUrl": "{account}.dkr.ecr.{region}.{suffix}/{name}",
        },
        defaults={"imageTagMutability": "MUTABLE"},
        naming=Naming(longest=256, lowercase=True),
    ),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": ResourceType(
        "{ecrRepositoryPrefix}",
        {"registryId": "{account}"},
        tagged=False,
    ),
}
