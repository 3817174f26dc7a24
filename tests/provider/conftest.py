"""Keeps these tests away from every real AWS account."""

import os
from typing import Final
from urllib.parse import urlsplit

import pytest

CHAINS: Final = (
    ("test_story",),
    ("[prod]", "test_encryption"),
    ("[dev]", "test_from_terraform"),
    ("[staging]", "test_app_runner", "test_gaps"),
)
"""What one worker does after the other: the provider's own waits are most of each test, and these
four take about as long as each other. The two of test_story must not run at once: the simulation
confuses the databases of one region."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share the tests out; skip everything unless AWS is a simulation on this machine."""
    for item in items:
        (chain,) = [each for each in CHAINS if any(name in item.nodeid for name in each)]
        item.add_marker(pytest.mark.xdist_group(chain[0]))
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
