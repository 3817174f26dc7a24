"""ClickHouse on ECS and EC2: server, instances, volumes, configuration, backups."""

from langfuse_aws.components.clickhouse.clickhouse import ClickHouse as ClickHouse
