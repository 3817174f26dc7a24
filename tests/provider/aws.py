"""The simulated AWS as boto3 sees it: assertions read results back here, not through Pulumi."""

from typing import Any, Final

import boto3

REGION: Final = "us-east-1"
"""The region of the repository's stack files."""


def client(service: str, region: str = REGION) -> Any:
    """Make a client of one service in one region."""
    return boto3.client(service, region_name=region)  # pyright: ignore
