"""A copy of a stack's file with another release: what is asked, locked and previewed with it.

The file itself is changed when somebody has seen the preview and said yes.
"""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from langfuse_aws.automation.engine.offline_workspace import read_stack, write_yaml
from langfuse_aws.settings.messages import NAMESPACE

RELEASE = f"{NAMESPACE}:release"


@contextmanager
def planned_file(name: str, folder: Path, release: str) -> Generator[Path]:
    """Give the copy, beside a copy of the project's own file."""
    with tempfile.TemporaryDirectory(prefix="langfuse-upgrade-") as scratch:
        shutil.copyfile(folder / "Pulumi.yaml", Path(scratch, "Pulumi.yaml"))
        content = read_stack(folder / f"Pulumi.{name}.yaml", folder)
        content["config"][RELEASE] = release
        copy = Path(scratch, f"Pulumi.{name}.yaml")
        write_yaml(copy, content)
        yield copy
