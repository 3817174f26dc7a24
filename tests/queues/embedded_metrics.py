"""CloudWatch's embedded metric format, as AWS's page and its JSON schema have it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^(.*)$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class MetricDefinition(_Part):
    """A metric, with one of the units of CloudWatch's that queues need."""

    Name: Name
    Unit: Literal["Count", "Seconds", "Bytes"]
    StorageResolution: Literal[1, 60]


class MetricDirective(_Part):
    """Metrics of a namespace, for each set of dimensions."""

    Namespace: Name
    Dimensions: Annotated[list[Annotated[list[Name], Field(max_length=30)]], Field(min_length=1)]
    Metrics: Annotated[list[MetricDefinition], Field(max_length=100)]


class Metadata(_Part):
    """What is at `_aws`."""

    Timestamp: StrictInt
    CloudWatchMetrics: list[MetricDirective]


def metrics_of(line: str) -> Mapping[tuple[str, str, tuple[tuple[str, str], ...]], float]:
    """Give what CloudWatch makes of a line, by namespace, name and dimensions; all must be there.

    Raises ValueError for a line that CloudWatch would keep as a mere line.
    """
    found: dict[str, Any] = json.loads(line)
    metadata = Metadata.model_validate(found["_aws"])
    values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for directive in metadata.CloudWatchMetrics:
        for names in directive.Dimensions:
            dimensions = tuple((name, found[name]) for name in names)
            if not all(isinstance(value, str) and value for _, value in dimensions):
                raise ValueError(f"a dimension is no text: {dimensions}")
            for metric in directive.Metrics:
                value = found[metric.Name]
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise ValueError(f"{metric.Name} is no number: {value}")
                values[directive.Namespace, metric.Name, dimensions] = value
    return values
