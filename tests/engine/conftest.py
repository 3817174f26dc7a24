"""What the tests with the real engine share: in-memory providers, one set for a module."""

from collections.abc import Iterator

import pytest

from development import pulumi_cli
from offline.serving import providers


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """Serve the providers; gives what tells the engine where they are."""
    with providers() as found:
        yield found


@pytest.fixture(scope="session")
def engine_path() -> str:
    """PATH on which `pulumi` is, and this interpreter before any other."""
    return pulumi_cli.search_path(pulumi_cli.ensure())
