"""The user's own logins: where they are found.

Helpers are scripts here, which speak Docker's protocol for them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.images import registry_login
from langfuse_aws.automation.images.registry import Login
from langfuse_aws.automation.images.registry_login import Logins
from tests.unit.registry_stand_in import LOGIN


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(registry_login, "WITHOUT_SESSION", f"{tmp_path}/{{}}/auth.json")
    return tmp_path


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def entry(login: Login) -> dict[str, str]:
    return {"auth": login.encoded}


def test_who_is_logged_in_nowhere_has_no_login() -> None:
    logins = Logins.of_user()
    assert logins.at("ghcr.io") is None
    assert logins.config == {"auths": {}}


def test_docker_s_own_file_is_read_and_docker_hub_has_another_name_in_it(home: Path) -> None:
    hub = Login("joe", "other:with-colon")
    auths = {"ghcr.io": entry(LOGIN), "https://index.docker.io/v1/": entry(hub)}
    write(home / ".docker/config.json", {"auths": auths})
    logins = Logins.of_user()
    assert LOGIN.encoded not in repr(logins)
    assert logins.at("ghcr.io") == LOGIN
    assert logins.at("docker.io") == hub
    assert logins.at("quay.io") is None


def test_docker_config_names_another_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "elsewhere/config.json", {"auths": {"ghcr.io": entry(LOGIN)}})
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "elsewhere"))
    assert Logins.of_user().at("ghcr.io") == LOGIN


@pytest.mark.parametrize(
    ("variable", "value"),
    [("XDG_RUNTIME_DIR", "run"), ("REGISTRY_AUTH_FILE", "run/containers/auth.json")],
)
def test_podmans_logins_count_below_dockers(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    theirs = Login("podman", "p")
    write(
        home / "run/containers/auth.json",
        {"auths": {"ghcr.io": entry(theirs), "docker.io": entry(theirs)}},
    )
    write(home / ".docker/config.json", {"auths": {"ghcr.io": entry(LOGIN)}})
    monkeypatch.setenv(variable, str(home / value))
    logins = Logins.of_user()
    assert (logins.at("ghcr.io"), logins.at("docker.io")) == (LOGIN, theirs)


def test_podmans_logins_of_macos_and_of_its_config_folder_count_below_those_of_the_session(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """containers-auth.json(5): macOS has no runtime folder, and keeps them below the home."""
    theirs, session = Login("podman", "p"), Login("session", "s")
    write(
        home / ".config/containers/auth.json",
        {"auths": {"ghcr.io": entry(theirs), "docker.io": entry(theirs)}},
    )
    assert Logins.of_user().at("ghcr.io") == theirs
    write(home / "run/containers/auth.json", {"auths": {"ghcr.io": entry(session)}})
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    logins = Logins.of_user()
    assert (logins.at("ghcr.io"), logins.at("docker.io")) == (session, theirs)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    assert Logins.of_user().at("docker.io") is None


def test_podmans_logins_of_a_user_without_a_session_count(home: Path) -> None:
    write(home / f"{os.getuid()}/auth.json", {"auths": {"ghcr.io": entry(LOGIN)}})
    assert Logins.of_user().at("ghcr.io") == LOGIN


def test_a_file_that_is_named_is_the_only_one_of_podman(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".config/containers/auth.json", {"auths": {"ghcr.io": entry(LOGIN)}})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "none.json"))
    assert Logins.of_user().at("ghcr.io") is None


def helper(home: Path, monkeypatch: pytest.MonkeyPatch, name: str, answer: str) -> None:
    """A helper that answers for what is asked for on its standard input."""
    script = home / f"bin/docker-credential-{name}"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r host\n{answer}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")


def test_a_helper_is_asked_for_what_a_keychain_has(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = 'echo "{\\"Username\\": \\"u\\", \\"Secret\\": \\"secret of $host\\"}"'
    helper(home, monkeypatch, "keychain", answer)
    write(home / ".docker/config.json", {"credsStore": "keychain", "auths": {"ghcr.io": {}}})
    assert Logins.of_user().at("ghcr.io") == Login("u", "secret of ghcr.io")
    write(home / ".docker/config.json", {"credHelpers": {"quay.io": "keychain"}})
    assert Logins.of_user().at("quay.io") == Login("u", "secret of quay.io")
    assert Logins.of_user().at("ghcr.io") is None


@pytest.mark.parametrize(
    "answer",
    [
        "echo 'credentials not found in native keychain'; exit 1",
        "echo no JSON",
        'echo \'{"Username": "<token>", "Secret": "identity"}\'',
        'echo \'{"Username": "", "Secret": ""}\'',
    ],
)
def test_a_helper_without_a_password_is_no_login(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    helper(home, monkeypatch, "keychain", answer)
    write(home / ".docker/config.json", {"credsStore": "keychain"})
    assert Logins.of_user().at("ghcr.io") is None


def test_a_helper_that_is_not_there_is_no_login(home: Path) -> None:
    write(home / ".docker/config.json", {"credsStore": "gone-4711"})
    assert Logins.of_user().at("ghcr.io") is None


def test_a_file_that_is_no_json_is_one_line(home: Path) -> None:
    path = write(home / ".docker/config.json", {})
    path.write_text("{")
    with pytest.raises(UserError, match=f"^{path}: cannot be read: .*log in again"):
        Logins.of_user()
