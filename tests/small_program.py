"""A program of a few lines under the real engine, which reads from WANTED what is wanted of it."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LONGEST_RUN: Final = 600
"""Seconds."""

PROJECT: Final = "name: small\nruntime: python\n"


@dataclass(frozen=True)
class SmallProgram:
    """The program's stack `dev`, with a state file of its own."""

    folder: Path
    environment: Mapping[str, str]

    @staticmethod
    def of(
        folder: Path, program: str, environment: Mapping[str, str], project: str = PROJECT
    ) -> "SmallProgram":
        """Write it into a folder. The environment says where providers and `pulumi` are."""
        work, state, home = (folder / name for name in ("program", "state", "home"))
        for path in (work, state, home):
            path.mkdir(parents=True)
        (work / "Pulumi.yaml").write_text(project)
        (work / "__main__.py").write_text(program)
        places = {
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_HOME": str(home),
            "PULUMI_CONFIG_PASSPHRASE": "offline",
        }
        made = SmallProgram(work, {**environment, **places})
        made.run("stack", "init", "dev")
        return made

    def run(
        self, *arguments: str, check: bool = True, **wanted: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a `pulumi` command; its output is the message when it fails."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, "WANTED": json.dumps(wanted)},
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"pulumi {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done

    def refused(self, command: str, **wanted: Any) -> str:
        """What a command says that must fail."""
        options = ["--yes", "--skip-preview"] if command == "up" else []
        done = self.run(command, *options, check=False, **wanted)
        assert done.returncode != 0, f"{command} was allowed"
        return done.stdout + done.stderr

    def up(self, **wanted: Any) -> None:
        """Bring the stack to what is wanted."""
        self.run("up", "--yes", "--skip-preview", **wanted)

    def state(self) -> list[dict[str, Any]]:
        """The resources of the state."""
        exported = json.loads(self.run("stack", "export").stdout)["deployment"]
        return exported.get("resources") or []
