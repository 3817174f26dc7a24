"""What the registry tests need: the programs, two registries, and nothing of this user's logins."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry.programs import LOGIN, Registry, which

NEEDED = ("docker-registry", "skopeo")
REQUIRED = "MIRROR_TESTS"
"""The variable that, as `required`, makes a missing program a failure."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything where there are no registries to be had; not in CI."""
    missing = [each for each in NEEDED if not shutil.which(each)]
    if missing and os.environ.get(REQUIRED) != "required":
        reason = f"{' and '.join(missing)} not on PATH: apt-get install {' '.join(NEEDED)}"
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide this user's logins, and see what is left behind."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    for each in (home, scratch):
        each.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    # httpx reads all authorities for each client, and nothing here has a certificate.
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    return home


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Registry]:
    """Serve a registry that everybody may read."""
    with Registry(tmp_path / "source").running() as found:
        yield found


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[Registry]:
    """Serve a registry that takes nothing without a password."""
    with Registry(tmp_path / "destination", LOGIN).running() as found:
        yield found


@pytest.fixture(scope="session")
def skopeo() -> Path:
    """Find skopeo."""
    found = which("skopeo")
    assert found, "skopeo is not on PATH"
    return found
