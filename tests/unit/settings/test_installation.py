"""How the program is called, in a clone and installed. tests/installed installs it and calls it."""

import runpy
import shutil
from pathlib import Path

from langfuse_aws.settings import installation


def test_remedies_call_it_as_it_was_found(tmp_path: Path) -> None:
    assert installation.COMMAND == "python3 -m automation"
    file = tmp_path / "site-packages/langfuse_aws/settings/installation.py"
    file.parent.mkdir(parents=True)
    shutil.copy(installation.__file__, file)
    installed = runpy.run_path(str(file))
    assert installed["CLONE"] is None
    project = (installation.PROJECT / "pyproject.toml").read_text("utf-8")
    assert f'{installed["COMMAND"]} = "langfuse_aws.automation.' in project
