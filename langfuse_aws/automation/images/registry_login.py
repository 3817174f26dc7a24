"""The user's own logins at registries, as `docker login` and `podman login` leave them.

They are only read. Logins by an identity token, which few registries give, count as none.
"""

import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.images.registry import Login
from langfuse_aws.settings.images import DOCKER_HUB

DOCKER_HUB_KEY: Final = "https://index.docker.io/v1/"
"""What `docker login` calls Docker Hub."""
PODMANS: Final = "containers/auth.json"
WITHOUT_SESSION: Final = "/run/containers/{}/auth.json"
"""Podman's file of a user ID that has no session, such as a container's root."""
HELPER_SECONDS: Final = 30
IDENTITY_TOKEN: Final = "<token>"  # noqa: S105  what a helper says in place of a user


@dataclass(frozen=True)
class Logins:
    """Docker's configuration, with the logins of Podman and skopeo below its own."""

    # It has passwords.
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @classmethod
    def of_user(cls) -> "Logins":
        """Read them from where the tools look. Raises UserError for a file that is no JSON."""
        docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        config = _read(docker / "config.json")
        files = [*map(_read, _podmans()), config]
        auths = {name: each for file in files for name, each in file.get("auths", {}).items()}
        return cls({**config, "auths": auths})

    def at(self, host: str) -> Login | None:
        """The login at a registry, such as `docker.io`; None if there is none that can be had."""
        names = (host, f"https://{host}", *((DOCKER_HUB_KEY,) if host == DOCKER_HUB else ()))
        for name in names:
            helper = self.config.get("credHelpers", {}).get(name, self.config.get("credsStore"))
            found = _by_helper(helper, name) if helper else None
            if found := found or _in_clear(self.config.get("auths", {}).get(name, {})):
                return found
        return None


def _podmans() -> Iterator[Path]:
    """The files of Podman and skopeo; what a later one has goes before.

    macOS has the first alone: https://man.archlinux.org/man/containers-auth.json.5
    """
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
        return
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", PODMANS)
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(session, PODMANS)
    else:
        yield Path(WITHOUT_SESSION.format(os.getuid()))


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}. Correct it, or log in again.") from None


def _in_clear(entry: Mapping[str, Any]) -> Login | None:
    username, _, password = b64decode(entry.get("auth") or "").decode().partition(":")
    return Login(username, password) if username and password else None


def _by_helper(helper: str, name: str) -> Login | None:
    """Ask one of Docker's helpers, which keep logins in a keychain.

    https://github.com/docker/docker-credential-helpers
    """
    try:
        done = subprocess.run(  # noqa: S603
            [f"docker-credential-{helper}", "get"],
            input=name,
            capture_output=True,
            text=True,
            timeout=HELPER_SECONDS,
            check=True,
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    username, password = answer.get("Username", ""), answer.get("Secret", "")
    return Login(username, password) if password and username != IDENTITY_TOKEN else None
