"""Reads a deployed stack back from AWS with boto3."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.provider.aws import client

Ports = set[tuple[str, str, int]]

COPY_REGION = "eu-central-1"
"""Where the one stack that copies its backups copies them."""


@dataclass(frozen=True)
class Account:
    """What an account holds of one stack."""

    prefix: str
    """What the names of the stack's resources begin with."""
    region: str

    def client(self, service: str) -> Any:
        """Make a client of a service in the stack's region."""
        return client(service, self.region)

    def container(self, cluster: str, service: str) -> dict[str, Any]:
        """The definition of a service's own container, as ECS has it: no probe's."""
        return main_container(self.task_definition(cluster, service))

    def task_definition(self, cluster: str, service: str) -> dict[str, Any]:
        """The task definition that a service runs."""
        ecs = self.client("ecs")
        (found,) = ecs.describe_services(cluster=cluster, services=[service])["services"]
        arn = found["taskDefinition"]
        return ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]

    def environment(self, definition: Mapping[str, Any]) -> dict[str, str]:
        """A container's plain environment."""
        return {each["name"]: each["value"] for each in definition["environment"]}

    def resolved_secret(self, reference: str) -> str:
        """What the ECS agent would put into the container for a `valueFrom`."""
        arn, key, stage, version = reference.rsplit(":", 3)
        assert (stage, version) == ("", ""), reference
        text = self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        return json.loads(text)[key]

    def statements(self, role_arn: str) -> list[dict[str, Any]]:
        """What the inline policies of a role allow."""
        iam, role = self.client("iam"), role_arn.rsplit("/", 1)[-1]
        return [
            statement
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
            for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"][
                "Statement"
            ]
        ]

    def security_groups(self) -> dict[str, str]:
        """Names of a stack's security groups by ID."""
        groups = self.client("ec2").describe_security_groups(
            Filters=[{"Name": "tag:Name", "Values": [f"{self.prefix}*"]}]
        )["SecurityGroups"]
        return {
            group["GroupId"]: next(tag["Value"] for tag in group["Tags"] if tag["Key"] == "Name")
            for group in groups
        }

    def open_ports(self) -> Ports:
        """Who may enter which group at which port."""
        names = self.security_groups()
        rules = self.client("ec2").describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": list(names)}]
        )["SecurityGroupRules"]
        return {
            (
                names.get(rule.get("ReferencedGroupInfo", {}).get("GroupId"), "")
                or rule.get("CidrIpv4", ""),
                names[rule["GroupId"]],
                rule["ToPort"],
            )
            for rule in rules
            if not rule["IsEgress"]
        }

    def close_port(self, source: str, target: str) -> None:
        """Delete the rules that let one group into another."""
        groups = {name: group for group, name in self.security_groups().items()}
        ec2 = self.client("ec2")
        rules = ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [groups[target]]}]
        )["SecurityGroupRules"]
        ids = [
            rule["SecurityGroupRuleId"]
            for rule in rules
            if rule.get("ReferencedGroupInfo", {}).get("GroupId") == groups[source]
            and not rule["IsEgress"]
        ]
        ec2.revoke_security_group_ingress(GroupId=groups[target], SecurityGroupRuleIds=ids)

    def routes(self) -> dict[str, str]:
        """Where the stack's HTTP API sends the requests of each route key."""
        gateway = self.client("apigatewayv2")
        (api,) = [
            each["ApiId"]
            for each in gateway.get_apis()["Items"]
            if each["Name"].startswith(self.prefix)
        ]
        targets = {
            f"integrations/{each['IntegrationId']}": each["IntegrationUri"]
            for each in gateway.get_integrations(ApiId=api)["Items"]
        }
        return {
            each["RouteKey"]: targets[each["Target"]]
            for each in gateway.get_routes(ApiId=api)["Items"]
        }

    def bucket(self) -> str:
        """Name of the stack's bucket."""
        buckets = self.client("s3").list_buckets()["Buckets"]
        (found,) = [
            each["Name"] for each in buckets if each["Name"].startswith(f"{self.prefix}-storage-")
        ]
        return found

    def cache(self) -> dict[str, Any]:
        """The stack's replication group."""
        groups = self.client("elasticache").describe_replication_groups()["ReplicationGroups"]
        (found,) = [
            each for each in groups if each["ReplicationGroupId"].startswith(f"{self.prefix}-redis")
        ]
        return found

    def cache_parameters(self) -> dict[str, str]:
        """The parameters of the stack's own cache parameter group."""
        elasticache = self.client("elasticache")
        groups = elasticache.describe_cache_parameter_groups()["CacheParameterGroups"]
        names = [each["CacheParameterGroupName"] for each in groups]
        (name,) = [each for each in names if each.startswith(f"{self.prefix}-redis")]
        found = elasticache.describe_cache_parameters(CacheParameterGroupName=name)["Parameters"]
        return {each["ParameterName"]: each["ParameterValue"] for each in found}

    def volumes(self) -> list[dict[str, Any]]:
        """ClickHouse's data volumes."""
        names = [f"{self.prefix}-clickhouse", f"{self.prefix}-clickhouse-?"]
        return self.client("ec2").describe_volumes(Filters=[{"Name": "tag:Name", "Values": names}])[
            "Volumes"
        ]

    def instance_zones(self) -> list[str]:
        """Zones of the subnets that ClickHouse's instances are started in."""
        groups = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        (found,) = [
            each["VPCZoneIdentifier"].split(",")
            for each in groups
            if each["AutoScalingGroupName"].startswith(f"{self.prefix}-clickhouse")
        ]
        subnets = self.client("ec2").describe_subnets(SubnetIds=found)["Subnets"]
        return sorted(each["AvailabilityZone"] for each in subnets)

    def migrations(self, cluster: str) -> list[dict[str, Any]]:
        """The tasks that migrated the databases so far."""
        ecs = self.client("ecs")
        # By the cluster: the simulation lists no task of a revision that is no longer active.
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
        ]
        tasks: list[dict[str, Any]] = (
            ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        )
        family = f":task-definition/{self.prefix}-migration:"
        return [task for task in tasks if family in task["taskDefinitionArn"]]

    def migration_container(self, cluster: str) -> dict[str, Any]:
        """The definition of the container that the last migration ran, as ECS has it."""
        arns = [each["taskDefinitionArn"] for each in self.migrations(cluster)]
        last = max(arns, key=lambda arn: int(arn.rsplit(":", 1)[1]))
        found = self.client("ecs").describe_task_definition(taskDefinition=last)
        return main_container(found["taskDefinition"])

    def backup_bucket(self) -> str:
        """Name of the bucket of ClickHouse's own backups."""
        buckets = self.client("s3").list_buckets()["Buckets"]
        (found,) = [
            each["Name"]
            for each in buckets
            if each["Name"].startswith(f"{self.prefix}-clickhouse-backups-")
        ]
        return found

    def vaults(self, region: str) -> list[dict[str, Any]]:
        """The stack's backup vaults in a region."""
        found = client("backup", region).list_backup_vaults()["BackupVaultList"]
        return [each for each in found if each["BackupVaultName"].startswith(self.prefix)]

    def secrets(self) -> set[str]:
        """ARNs of all secrets."""
        found = self.client("secretsmanager").list_secrets()["SecretList"]
        return {each["ARN"] for each in found}

    def plans(self) -> dict[str, dict[str, Any]]:
        """The stack's backup plans by name."""
        backup = self.client("backup")
        return {
            each["BackupPlanName"]: backup.get_backup_plan(BackupPlanId=each["BackupPlanId"])[
                "BackupPlan"
            ]
            for each in backup.list_backup_plans()["BackupPlansList"]
            if each["BackupPlanName"].startswith(self.prefix)
        }

    def backed_up(self, selections: Mapping[str, str]) -> set[str]:
        """ARNs that selections hold, whose IDs are given by those of their plans.

        The simulation cannot list them.
        """
        backup = self.client("backup")
        return {
            arn
            for selection, plan in selections.items()
            for arn in backup.get_backup_selection(BackupPlanId=plan, SelectionId=selection)[
                "BackupSelection"
            ]["Resources"]
        }

    def scaling(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """What a service's policies of target tracking track."""
        return [
            each["TargetTrackingScalingPolicyConfiguration"]
            for each in self._policies(cluster, service)
            if each["PolicyType"] == "TargetTrackingScaling"
        ]

    def step_scaling(self, cluster: str, service: str) -> list[dict[str, Any]]:
        """A service's step policies."""
        found = self._policies(cluster, service)
        return [each for each in found if each["PolicyType"] == "StepScaling"]

    def _policies(self, cluster: str, service: str) -> list[dict[str, Any]]:
        return self.client("application-autoscaling").describe_scaling_policies(
            ServiceNamespace="ecs", ResourceId=f"service/{cluster}/{service}"
        )["ScalingPolicies"]

    def schedule(self) -> dict[str, Any]:
        """The schedule of ClickHouse's own backup."""
        scheduler = self.client("scheduler")
        (name,) = [
            each["Name"]
            for each in scheduler.list_schedules()["Schedules"]
            if each["Name"].startswith(f"{self.prefix}-clickhouse-backup")
        ]
        return scheduler.get_schedule(Name=name)

    def web_acls(self) -> list[str]:
        """Names of the stack's web ACLs."""
        found = self.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
        return [each["Name"] for each in found if each["Name"].startswith(self.prefix)]

    def web_acl(self) -> dict[str, Any]:
        """The web ACL before the stack's load balancer."""
        balancers = self.client("elbv2").describe_load_balancers()["LoadBalancers"]
        (arn,) = [
            each["LoadBalancerArn"]
            for each in balancers
            if each["LoadBalancerName"].startswith(self.prefix)
        ]
        return self.client("wafv2").get_web_acl_for_resource(ResourceArn=arn)["WebACL"]

    def blocked_log(self, web_acl: str) -> dict[str, Any]:
        """The logging configuration of a web ACL, by its ARN."""
        return self.client("wafv2").get_logging_configuration(ResourceArn=web_acl)[
            "LoggingConfiguration"
        ]

    def alarms(self) -> list[dict[str, Any]]:
        """The stack's alarms; not those of its autoscaling."""
        pages = self.client("cloudwatch").get_paginator("describe_alarms")
        found = pages.paginate(AlarmNamePrefix=f"{self.prefix}-alarms-")
        return [alarm for page in found for alarm in page["MetricAlarms"]]

    def lag_alarms(self) -> list[dict[str, Any]]:
        """The alarm that adds workers."""
        cloudwatch = self.client("cloudwatch")
        prefix = f"{self.prefix}-worker-lag"
        return cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]

    def topics(self) -> list[dict[str, Any]]:
        """Attributes of the stack's topics."""
        sns = self.client("sns")
        arns = [each["TopicArn"] for each in sns.list_topics()["Topics"]]
        return [
            sns.get_topic_attributes(TopicArn=arn)["Attributes"]
            for arn in arns
            if f":{self.prefix}-" in arn
        ]

    def mailed(self, topic: str) -> list[str]:
        """Addresses that a topic mails to."""
        found = self.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return [each["Endpoint"] for each in found if each["Protocol"] == "email"]

    def widgets(self) -> list[dict[str, Any]]:
        """What is on the stack's dashboard."""
        body = self.client("cloudwatch").get_dashboard(
            DashboardName=f"{self.prefix}-{self.region}"
        )["DashboardBody"]
        return json.loads(body)["widgets"]

    def leftovers(self) -> dict[str, list[str]]:
        """Everything of a stack that is still there, by kind; empty after a good destroy."""
        ecs, iam, ec2 = self.client("ecs"), self.client("iam"), self.client("ec2")
        clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
        named = [{"Name": "tag:Name", "Values": [f"{self.prefix}*"]}]
        rds, elasticache = self.client("rds"), self.client("elasticache")
        everything = {
            "clusters": [each["clusterName"] for each in clusters if each["status"] == "ACTIVE"],
            "roles": [each["RoleName"] for each in iam.list_roles()["Roles"]],
            "profiles": [
                each["InstanceProfileName"]
                for each in iam.list_instance_profiles()["InstanceProfiles"]
            ],
            "buckets": [each["Name"] for each in self.client("s3").list_buckets()["Buckets"]],
            "secrets": [
                each["Name"] for each in self.client("secretsmanager").list_secrets()["SecretList"]
            ],
            "databases": [
                *(each["DBClusterIdentifier"] for each in rds.describe_db_clusters()["DBClusters"]),
                *(
                    each["DBInstanceIdentifier"]
                    for each in rds.describe_db_instances()["DBInstances"]
                ),
            ],
            "caches": [
                each["ReplicationGroupId"]
                for each in elasticache.describe_replication_groups()["ReplicationGroups"]
            ],
            "web ACLs": self.web_acls(),
            "log groups": [
                each["logGroupName"].removeprefix("aws-waf-logs-")
                for each in self.client("logs").describe_log_groups()["logGroups"]
            ],
            "load balancers": [
                each["LoadBalancerName"]
                for each in self.client("elbv2").describe_load_balancers()["LoadBalancers"]
            ],
            "repositories": [
                each["repositoryName"]
                for each in self.client("ecr").describe_repositories()["repositories"]
            ],
            "pull-through rules": [
                each["ecrRepositoryPrefix"]
                for each in self.client("ecr").describe_pull_through_cache_rules()[
                    "pullThroughCacheRules"
                ]
            ],
            "APIs": [each["Name"] for each in self.client("apigatewayv2").get_apis()["Items"]],
            "instances": [
                f"{self.prefix} {instance['InstanceId']}"
                for reservation in ec2.describe_instances(Filters=named)["Reservations"]
                for instance in reservation["Instances"]
                if instance["State"]["Name"] not in ("terminated", "shutting-down")
            ],
            "volumes": [
                f"{self.prefix} {each['VolumeId']}"
                for each in ec2.describe_volumes(Filters=named)["Volumes"]
            ],
            "VPCs": [
                f"{self.prefix} {each['VpcId']}"
                for each in ec2.describe_vpcs(Filters=named)["Vpcs"]
            ],
            "vaults": [
                each["BackupVaultName"]
                for region in {self.region, COPY_REGION}
                for each in self.vaults(region)
            ],
            "backup plans": list(self.plans()),
            "schedules": [
                each["Name"] for each in self.client("scheduler").list_schedules()["Schedules"]
            ],
            "functions": [
                each["FunctionName"] for each in self.client("lambda").list_functions()["Functions"]
            ],
            "security groups": list(self.security_groups().values()),
            "alarms": [each["AlarmName"] for each in self.alarms()],
            "topics": [each["TopicArn"].rsplit(":", 1)[-1] for each in self.topics()],
            "dashboards": [
                each["DashboardName"]
                for each in self.client("cloudwatch").list_dashboards()["DashboardEntries"]
            ],
        }
        found = {
            kind: [name for name in names if name.startswith(self.prefix)]
            for kind, names in everything.items()
        }
        return {kind: names for kind, names in found.items() if names}


def main_container(task: Mapping[str, Any]) -> dict[str, Any]:
    """The essential container of a task definition; ECS keeps no order of them."""
    (found,) = [each for each in task["containerDefinitions"] if each["essential"]]
    return found
