"""Makes every unit test hermetic: no AWS account, no home folder, an event loop of its own."""

import asyncio
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pulumi.runtime.settings import ROOT

if TYPE_CHECKING:
    from tests.unit.aws_account import Account

NOWHERE = "/nonexistent/aws"


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the AWS SDK at nothing."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unit-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "unit-test")
    monkeypatch.setenv("AWS_CONFIG_FILE", NOWHERE)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", NOWHERE)
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "1")


@pytest.fixture(autouse=True)
def own_event_loop() -> Iterator[None]:
    """Give each test a loop that no other test has touched."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    ROOT.set(None)  # the stack resource of an earlier test belongs to that test's loop
    yield
    loop.close()


@pytest.fixture
def account() -> "Iterator[Account]":
    """Give an AWS account in memory. moto is loaded only for tests that ask for it."""
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # moto reads it when it is loaded
    from tests.unit.aws_account import aws_account

    with aws_account() as found:
        yield found
