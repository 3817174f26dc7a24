"""What the AWS provider's own keys may be, which a stack file has beside those of `langfuse:`."""

from collections.abc import Mapping
from typing import Any

from langfuse_aws.settings import default_tags, regions, sealed


def faults(config: Mapping[str, Any]) -> list[str]:
    """A line for each fault of `aws:region` and `aws:defaultTags`.

    Keys of `config` have their namespaces; values are YAML's own, or the text that Pulumi hands to
    a program.
    """
    region = config.get(regions.KEY)
    line = regions.line(str(region)) if region and not sealed.holds(region) else None
    return [*([line] if line else []), *default_tags.faults(config.get(default_tags.KEY))]
