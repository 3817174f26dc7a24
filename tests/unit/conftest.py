"""Makes every unit test hermetic: no AWS account, no home folder, an event loop of its own.

What it needs is imported where it is used: the process that only hands out tests needs none of it.
"""

import asyncio
import gc
import os
from collections.abc import Generator, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.aws_account import Account

NOWHERE = "/nonexistent/aws"
CALLERS = (
    *("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"),
    *("PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS", "PULUMI_STACK"),
)
"""What the program would take from whoever runs the tests."""
COLORS = ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS")
"""What has Typer print to a terminal that is none: `FORCE_TERMINAL` of typer/rich_utils.py."""


def pytest_configure(config: pytest.Config) -> None:
    """Collect no garbage: all of it is less than a run of the program makes in 20 workers.

    And set no seed before each phase of a test: none draws what it has not seeded. Nor have Typer
    print help in colors, as it does on GitHub.
    """
    gc.disable()
    config.option.randomly_reset_seed = False
    for name in COLORS:
        os.environ.pop(name, None)


def pytest_sessionfinish() -> None:
    """Spare pytest its own collections at the end, which last seconds."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make once what never changes: AWS's models, the commands' options, and each graph.

    A graph is made in one worker, the rest in each.
    """
    from botocore import loaders
    from typer import main

    loader: Any = loaders.create_loader()  # pyright: ignore[reportUnknownMemberType]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda _=None: loader)  # pyright: ignore
        patch.setattr("typer.testing._get_command", cache(main.get_command))
        # A busy machine is no wait that tests are about.
        patch.setattr("langfuse_aws.automation.engine.waiting.QUIET_SECONDS", 600)
        if "PYTEST_XDIST_WORKER" in os.environ:
            from tests.unit.stack_graph import kept_in

            folder = tmp_path_factory.getbasetemp().parent / "graphs"
            patch.setattr("development.recorded_graph._run", kept_in(folder))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_pulumi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the Pulumi CLI that `make` has put into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_aws() -> Iterator[None]:
    """Point the AWS SDK at nothing, and the program at no region or stack of the caller's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLERS:
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "unit-test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "unit-test")
        patch.setenv("AWS_CONFIG_FILE", NOWHERE)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", NOWHERE)
        patch.setenv("PULUMI_ERROR_OUTPUT_STRING", "1")
        # Clients read all authorities that they find, each its own.
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.delenv(name, raising=False)
        patch.setenv("SSL_CERT_DIR", NOWHERE)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Give each test a loop that no other test has touched. A fixture would take longer."""
    from pulumi.runtime.settings import ROOT, SETTINGS

    loop = asyncio.new_event_loop()
    begun: list[asyncio.Task[Any]] = []

    def begin(_: object, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        begun.append(asyncio.Task(coroutine, loop=loop, **options))
        return begun[-1]

    loop.set_task_factory(begin)
    asyncio.set_event_loop(loop)
    ROOT.set(None)  # the stack resource of an earlier test belongs to that test's loop
    SETTINGS.dry_run = False  # pyright: ignore -- and so does its preview
    try:
        return (yield)
    finally:
        # asyncio.all_tasks would look through those of all tests before.
        while left := [task for task in begun if not task.done()]:
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


@pytest.fixture
def account() -> "Iterator[Account]":
    """Give an AWS account in memory. moto is loaded only for tests that ask for it."""
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # moto reads it when it is loaded
    from tests.unit.aws_account import aws_account

    with aws_account() as found:
        yield found
