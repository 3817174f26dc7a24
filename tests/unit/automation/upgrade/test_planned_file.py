"""The copy of a stack's file that an upgrade previews has one release, whatever the spelling."""

from pathlib import Path

import pytest
import yaml

from langfuse_aws.automation.upgrade.planned_file import planned_file


@pytest.mark.parametrize("spelling", ["langfuse:", "langfuse:config:", ""])
def test_the_release_takes_the_place_of_the_one_that_is_there(
    spelling: str, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    config = {f"{spelling}release": "3.125.0", "aws:region": "eu-west-1"}
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))
    with planned_file("dev", tmp_path, "4.0.0") as copy:
        found = yaml.safe_load(copy.read_text())
    assert found == {"config": {"aws:region": "eu-west-1", "langfuse:release": "4.0.0"}}
