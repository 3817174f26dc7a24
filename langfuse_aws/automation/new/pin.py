"""The line of a project's requirements.txt that says which release of this program it is of."""

import json
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from langfuse_aws import __version__
from langfuse_aws.automation.errors import CommandLineError
from langfuse_aws.settings.installation import CLONE, REPOSITORY_URL

FILE: Final = "requirements.txt"
DISTRIBUTION: Final = "langfuse-aws"
_LINE: Final = re.compile(rf"^{DISTRIBUTION}\s*(?:@|==).*$", re.MULTILINE)
_RELEASE: Final = re.compile(r"(?:==\s*|[@/]v)(\d+\.\d+\.\d+)")
_COMMIT: Final = re.compile(r"@([0-9a-f]{40})\b")


def requirement() -> str:
    """What installs this release elsewhere: from where it was installed here, if others reach that.

    https://packaging.python.org/en/latest/specifications/direct-url/
    """
    released = (
        f"{REPOSITORY_URL}/releases/download/v{__version__}/"
        f"langfuse_aws-{__version__}-py3-none-any.whl"
    )
    if CLONE is not None:
        return f"{DISTRIBUTION} @ {released}"
    told = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    if told is None:  # from an index
        return f"{DISTRIBUTION}=={__version__}"
    origin: dict[str, Any] = json.loads(told)
    url = str(origin["url"])
    if url.startswith("file:"):
        return f"{DISTRIBUTION} @ {released}"
    if commit := origin.get("vcs_info"):
        return f"{DISTRIBUTION} @ {commit['vcs']}+{url}@{commit['commit_id']}"
    hashes: Mapping[str, str] = origin.get("archive_info", {}).get("hashes") or {}
    fragment = "".join(f"#{name}={value}" for name, value in [*hashes.items()][:1])
    return f"{DISTRIBUTION} @ {url}{fragment}"


def check_release(folder: Path) -> None:
    """Raise CommandLineError if a project is of another release, as far as its line tells."""
    file = folder / FILE
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    line = _LINE.search(text)
    if not line:
        return
    pinned, own = line[0], requirement()
    release = _RELEASE.search(pinned)
    commits = [_COMMIT.search(each) for each in (pinned, own)]
    if release and release[1] != __version__:
        wanted, here = release[1], __version__
    elif all(commits) and len({each[1] for each in commits if each}) > 1:
        wanted, here = (each[1][:12] for each in commits if each)
    else:
        return
    raise CommandLineError(
        f"{file}: names {DISTRIBUTION} {wanted}, and this command is {here}: nothing was done. "
        f"Install that one, or name this one there: {own}"
    )
