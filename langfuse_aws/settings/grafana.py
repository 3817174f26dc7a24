"""The section of Grafana, which stands beside Langfuse and only reads."""

from pydantic import Field

from langfuse_aws.settings.external_stores import Name
from langfuse_aws.settings.section import Section


class Grafana(Section):
    """Grafana behind the ingress, at the path `/grafana`."""

    enabled: bool = Field(
        False, description="Run Grafana with a dashboard of the stack; see docs/grafana.md"
    )
    clickhouse_user: Name | None = Field(
        None,
        description="User that may only read; needed with an external ClickHouse, and only there",
    )
