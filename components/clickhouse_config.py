"""The server's configuration and the instance's boot script, as pure functions."""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

from contract.runtime import CLICKHOUSE_USER_ID

CONFIG_FILE: Final = "/etc/clickhouse-server/config.d/langfuse.yaml"
CONFIG_VARIABLE: Final = "CLICKHOUSE_CONFIG_YAML"

MEMORY_RATIO: Final = 0.8
"""What the server may take of the instance's memory; the rest is for the ECS agent and the OS."""

REMOVED_LOG_TABLES: Final = (
    "asynchronous_metric_log",
    "latency_log",
    "metric_log",
    "opentelemetry_span_log",
    "processors_profile_log",
    "query_metric_log",
    "query_thread_log",
    "text_log",
    "trace_log",
)
"""System tables that fill the disk and keep an idle server busy.
https://langfuse.com/self-hosting/configuration/scaling"""

KEPT_LOG_TABLES: Final = ("part_log", "query_log")
"""System tables that help at night, and that would grow for ever."""

LOG_TABLE_DAYS: Final = 7

_USER_DATA: Final = Path(__file__).with_name("clickhouse_user_data.sh")


def server_config() -> str:
    """Build a file for `config.d`, in JSON, which every YAML parser reads."""
    removed: dict[str, Any] = {table: {"@remove": "1"} for table in REMOVED_LOG_TABLES}
    expiry = f"event_date + INTERVAL {LOG_TABLE_DAYS} DAY DELETE"
    return json.dumps(
        {
            **removed,
            **{table: {"ttl": expiry} for table in KEPT_LOG_TABLES},
            "logger": {
                "level": "information",
                "console": 1,
                "log": {"@remove": "1"},
                "errorlog": {"@remove": "1"},
            },
            "max_server_memory_usage_to_ram_ratio": MEMORY_RATIO,
            "timezone": "UTC",
        },
        sort_keys=True,
    )


def start_command() -> list[str]:
    """Build the container's command: write the configuration, then start as the image does.

    So a change of configuration is a new task definition, and needs no image and no new instance.
    """
    write = f'printf %s "${CONFIG_VARIABLE}" > {CONFIG_FILE}'
    return ["/bin/bash", "-euc", f"{write} && exec /entrypoint.sh"]


def user_data(values: Mapping[str, str]) -> str:
    """Fill in the boot script: `region`, `cluster`, `volume_id`, `device`, `mount_point`."""
    script = Template(_USER_DATA.read_text(encoding="utf-8"))
    return script.substitute(values, user_id=CLICKHOUSE_USER_ID)
