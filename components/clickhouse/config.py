"""The servers' configuration and their instances' boot script, as pure functions.

All servers share one task definition. What differs is a server's number, which its instance finds
by its availability zone and leaves in a file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from langfuse_aws.components.shared.metrics import CLICKHOUSE_NAMESPACE, DISK_USED
from langfuse_aws.contract.ports_and_health import CLICKHOUSE_NATIVE_PORT, CLICKHOUSE_USER_ID
from langfuse_aws.settings.versions import CLICKHOUSE_COMPATIBILITY

CONFIG_FILE: Final = "/etc/clickhouse-server/config.d/langfuse.yaml"
CONFIG_VARIABLE: Final = "CLICKHOUSE_CONFIG_YAML"

PROFILE_FILE: Final = "/etc/clickhouse-server/users.d/langfuse.yaml"
PROFILE_VARIABLE: Final = "CLICKHOUSE_PROFILE_YAML"

READER_FILE: Final = "/etc/clickhouse-server/users.d/grafana.yaml"
READER_VARIABLE: Final = "CLICKHOUSE_READER_YAML"

NUMBER_FOLDER: Final = "/etc/langfuse-clickhouse"
"""Folder of the number file, on the instance and in the container."""

NUMBER_FILE: Final = f"{NUMBER_FOLDER}/number"
"""Which server this is, from 1."""

INTERSERVER_VARIABLE: Final = "CLICKHOUSE_INTERSERVER_SECRET"
"""What servers show each other: letters and digits, since ClickHouse reads it as XML."""

NUMBER_VARIABLE: Final = "CLICKHOUSE_SERVER_NUMBER"
NAME_VARIABLE: Final = "CLICKHOUSE_SERVER_NAME"

CLUSTER: Final = "default"
"""Langfuse's migrations say `ON CLUSTER default`.
https://langfuse.com/self-hosting/deployment/infrastructure/clickhouse"""

KEEPER_PORT: Final = 9181
"""Where servers ask Keeper. https://clickhouse.com/docs/guides/sre/network-ports"""

RAFT_PORT: Final = 9234
"""Where Keepers agree. https://clickhouse.com/docs/guides/sre/network-ports"""

INTERSERVER_PORT: Final = 9009
"""Where replicas fetch parts. https://clickhouse.com/docs/guides/sre/network-ports"""

KEEPER_START_MILLISECONDS: Final = 600_000
"""How long a server waits for a quorum: its instances may come up minutes apart."""

_COORDINATION_FOLDER: Final = "/var/lib/clickhouse/coordination"

MEMORY_RATIO: Final = 0.8
"""What the server may take of the instance's memory; the rest is for the ECS agent and the OS."""

KEPT_LOG_TABLES: Final[Mapping[str, int]] = {
    "backup_log": 7,
    "crash_log": 7,
    "error_log": 7,
    "part_log": 7,
    # Langfuse 4 looks 14 days back for who uses its old API (worker, handleV4LegacyApiUsageJob.ts).
    "query_log": 15,
}
"""ClickHouse's own log tables that help at night, and the days that each is kept. Only tables that
the image makes anyway: a section with a TTL would make another one."""

REMOVED_LOG_TABLES: Final = (
    "aggregated_zookeeper_log",
    "asynchronous_insert_log",
    "asynchronous_metric_log",
    "azure_queue_log",
    "background_schedule_pool_log",
    "blob_storage_log",
    "bucketed_metric_log",
    "dead_letter_queue",
    "delta_lake_metadata_log",
    "filesystem_cache_log",
    "filesystem_read_prefetches_log",
    "iceberg_metadata_log",
    "latency_log",
    "metric_log",
    "opentelemetry_span_log",
    "predicate_statistics_log",
    "processors_profile_log",
    "query_metric_log",
    "query_thread_log",
    "query_views_log",
    "s3queue_log",
    "session_log",
    "text_log",
    "trace_log",
    "transactions_info_log",
    "transposed_metric_log",
    "zookeeper_connection_log",
    "zookeeper_log",
)
"""All others that a ClickHouse knows, whether or not the image has them: they fill the disk, and
keep an idle server busy. To remove a section that is not there does nothing.
https://langfuse.com/self-hosting/configuration/scaling"""

_USER_DATA: Final = Path(__file__).with_name("user_data.sh")


def server_config(servers: Sequence[str], backup_url: str | None) -> str:
    """Build a file for `config.d`, in JSON, which every YAML parser reads.

    `servers` are the servers' private names by their numbers; a single one needs no cluster.
    `backup_url` is where `BACKUP` may write with the task role's credentials.
    """
    removed: dict[str, Any] = {table: {"@remove": "1"} for table in REMOVED_LOG_TABLES}
    kept = {
        table: {"ttl": f"event_date + INTERVAL {days} DAY DELETE"}
        for table, days in KEPT_LOG_TABLES.items()
    }
    return json.dumps(
        {
            **removed,
            **kept,
            "logger": {
                "level": "information",
                "console": 1,
                "log": {"@remove": "1"},
                "errorlog": {"@remove": "1"},
            },
            "max_server_memory_usage_to_ram_ratio": MEMORY_RATIO,
            "timezone": "UTC",
            **(_cluster(servers) if len(servers) > 1 else {}),
            **(_backups(backup_url) if backup_url else {}),
        },
        sort_keys=True,
    )


def profile_config() -> str:
    """Build a file for `users.d`, in JSON, with what the settings of Langfuse's user begin as.

    A server before 26.8 does not know `input_format_read_datetime_number_as_raw_value`, which is
    what matters, and does not start with a profile that names what it does not know.
    """
    return json.dumps({"profiles": {"default": {"compatibility": CLICKHOUSE_COMPATIBILITY}}})


def start_command(servers: Sequence[str], *, reader: bool = False) -> list[str]:
    """Build the container's command: write the configuration, then start as the image does.

    So a change of configuration is a new task definition, and needs no image and no new instance.
    With several servers it finds out first which of them this is; with `reader` it writes a user.
    """
    files = {CONFIG_VARIABLE: CONFIG_FILE, PROFILE_VARIABLE: PROFILE_FILE}
    if reader:
        files[READER_VARIABLE] = READER_FILE
    write = " && ".join(f'printf %s "${variable}" > {file}' for variable, file in files.items())
    identify = _identify(servers) if len(servers) > 1 else ""
    return ["/bin/bash", "-euc", f"{identify}{write} && exec /entrypoint.sh"]


def user_data(values: Mapping[str, str]) -> str:
    """Fill in the boot script.

    `values` are `region`, `cluster` (ECS's), `device`, `mount_point`, `log_group` (where a server
    says that it is not found), `volumes` (a line `zone number volume` for each server) and `names`
    (a line `number service`, Cloud Map's, for each server that has a private name of its own).
    """
    script = Template(_USER_DATA.read_text(encoding="utf-8"))
    return script.substitute(
        values,
        user_id=CLICKHOUSE_USER_ID,
        number_folder=NUMBER_FOLDER,
        number_file=NUMBER_FILE,
        metric_namespace=CLICKHOUSE_NAMESPACE,
        disk_metric=DISK_USED.name,
    )


def _cluster(servers: Sequence[str]) -> dict[str, Any]:
    """One shard on all servers, and a Keeper in each of them.

    https://clickhouse.com/docs/architecture/replication
    """
    name = {"@from_env": NAME_VARIABLE}
    secret = {"@from_env": INTERSERVER_VARIABLE}
    return {
        "remote_servers": {
            # The image brings a cluster `default` of its own.
            "@replace": "1",
            CLUSTER: {
                "secret": secret,
                "shard": {
                    "internal_replication": True,
                    "replica": [
                        {"host": server, "port": CLICKHOUSE_NATIVE_PORT} for server in servers
                    ],
                },
            },
        },
        "macros": {"cluster": CLUSTER, "shard": "1", "replica": name},
        "interserver_http_host": name,
        "interserver_http_port": INTERSERVER_PORT,
        "interserver_http_credentials": {"user": "interserver", "password": secret},
        "distributed_ddl": {
            "path": "/clickhouse/task_queue/ddl",
            # While DNS has an old address of this server, its tasks are retried, and not skipped.
            "host_name": name,
        },
        "zookeeper": {"node": [{"host": server, "port": KEEPER_PORT} for server in servers]},
        "keeper_server": {
            "tcp_port": KEEPER_PORT,
            "server_id": {"@from_env": NUMBER_VARIABLE},
            "log_storage_path": f"{_COORDINATION_FOLDER}/log",
            "snapshot_storage_path": f"{_COORDINATION_FOLDER}/snapshots",
            "coordination_settings": {
                "operation_timeout_ms": 10_000,
                "session_timeout_ms": 30_000,
                "startup_timeout": KEEPER_START_MILLISECONDS,
                "raft_logs_level": "information",
            },
            "raft_configuration": {
                "server": [
                    {"id": number, "hostname": server, "port": RAFT_PORT}
                    for number, server in enumerate(servers, start=1)
                ]
            },
        },
    }


def _backups(url: str) -> dict[str, Any]:
    """Credentials for backups below `url`.

    https://clickhouse.com/docs/operations/backup/s3_endpoint
    """
    return {
        "backups": {"allow_concurrent_backups": False},
        "s3": {"backups": {"endpoint": url, "use_environment_credentials": True}},
    }


def _identify(servers: Sequence[str]) -> str:
    """Lines of bash that export the server's number and name, or stop."""
    cases = "".join(
        f"{number}) {NAME_VARIABLE}={server} ;;\n" for number, server in enumerate(servers, start=1)
    )
    return (
        f': "${{{INTERSERVER_VARIABLE}:?}}"\n'
        f"{NUMBER_VARIABLE}=$(< {NUMBER_FILE})\n"
        f"case ${NUMBER_VARIABLE} in\n"
        f"{cases}"
        f'*) echo "{NUMBER_FILE}: no server has number ${NUMBER_VARIABLE}" >&2; exit 1 ;;\n'
        "esac\n"
        f"export {NUMBER_VARIABLE} {NAME_VARIABLE}\n"
    )
