"""Makes every unit test hermetic: no AWS account, no home folder, an event loop of its own."""

import asyncio
import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pulumi.runtime.settings import ROOT

from tests.unit import graph

if TYPE_CHECKING:
    from tests.unit.aws_account import Account

NOWHERE = "/nonexistent/aws"


def pytest_configure() -> None:
    """Collect no garbage: all of it is less than a run of the program makes in 20 workers."""
    gc.disable()


def pytest_sessionfinish() -> None:
    """Spare pytest its own collections at the end, which last seconds."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def shared_graphs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build no graph in two workers."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        graph.share(tmp_path_factory.getbasetemp().parent / "graphs")


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
    monkeypatch.setenv("SSL_CERT_DIR", NOWHERE)  # httpx reads all authorities for each client


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
