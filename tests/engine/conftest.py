"""What the tests with the real engine share: in-memory providers, and a Python that is warm.

Every `pulumi` that they start saves its state at its end only, instead of after each resource. A
test that kills an engine must have it otherwise.
"""

from collections.abc import Iterator

import pytest

from development import pulumi_cli
from langfuse_aws.offline.serving import providers
from tests.warm_python import warm_python


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Save the time that says nothing of the program."""
    with warm_python() as warm, pytest.MonkeyPatch.context() as patch:
        # https://github.com/pulumi/pulumi/issues/10668
        for name, value in {**warm, "PULUMI_SKIP_CHECKPOINTS": "true"}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """Serve the providers; gives what tells the engine where they are."""
    with providers() as found:
        yield found


@pytest.fixture(scope="session")
def engine_path() -> str:
    """PATH on which `pulumi` is, and this interpreter before any other."""
    return pulumi_cli.search_path(pulumi_cli.ensure())


@pytest.fixture
def engine_on_path(engine_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what runs in this process find it."""
    monkeypatch.setenv("PATH", engine_path)
