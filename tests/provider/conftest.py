"""Keeps these tests away from every real AWS account."""

import os
from urllib.parse import urlsplit

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything unless AWS is a simulation on this machine."""
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname
    served = os.environ.get("PULUMI_DEBUG_PROVIDERS", "")
    if host in ("127.0.0.1", "localhost") and "aws:" in served:
        return
    reason = (
        "AWS_ENDPOINT_URL does not name a simulated AWS on this machine, with the AWS provider "
        "pointed at it by PULUMI_DEBUG_PROVIDERS; these tests never use a real account"
    )
    for item in items:
        item.add_marker(pytest.mark.skip(reason=reason))
