"""The CLI is found or made by the right route, and each failure says what to do.

Proves the order of the routes, the version rules, the messages, and that the cache is filled in one
step, with fake `pulumi` and `go` executables on a PATH that holds nothing else. It does not prove
that Pulumi's installer or a real build works: no network and no compiler is used.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from development import pulumi_cli, pulumi_cli_install
from development.pulumi_cli import PulumiUnavailableError
from langfuse_aws.automation.engine import pulumi_cli as cli

# The fakes must find a shell's commands though PATH is empty of everything else.
SHELL = "#!/bin/sh\nPATH=/usr/bin:/bin\n"
CACHE_NAME = f"pulumi-v{cli.INSTALLED}"

INSTALLER_THAT_CANNOT_CONNECT = """
class PulumiCommand:
    @staticmethod
    def install(root, version):
        raise OSError("no route to get.pulumi.com")
"""
INSTALLER_THAT_WORKS = """
import pathlib
class PulumiCommand:
    @staticmethod
    def install(root, version):
        folder = pathlib.Path(root) / "bin"
        folder.mkdir(parents=True)
        for name in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec"):
            (folder / name).write_text(f"#!/bin/sh\\necho v{version}\\n")
            (folder / name).chmod(0o755)
"""
INSTALLER_WHOSE_SCRIPT_FAILS = """
import subprocess
class PulumiCommand:
    @staticmethod
    def install(root, version):
        raise subprocess.CalledProcessError(1, ["install.sh"], output=b"error: disk full\\n")
"""
INSTALLER_THAT_HANGS = """
import time
class PulumiCommand:
    @staticmethod
    def install(root, version):
        time.sleep(60)
"""


@dataclass(frozen=True)
class Machine:
    """A machine with an empty PATH, an empty cache, and no way to reach Pulumi's installer."""

    programs: Path
    cache: Path
    packages: Path
    log: Path

    @property
    def installed(self) -> Path:
        """The folder that a successful run fills."""
        return self.cache / CACHE_NAME

    def add(self, name: str, script: str, folder: Path | None = None) -> Path:
        """Write an executable shell script."""
        program = (folder or self.programs) / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(SHELL + script + "\n")
        program.chmod(0o755)
        return program

    def add_pulumi(self, version: str, folder: Path | None = None) -> None:
        """Write a `pulumi` that only tells its version."""
        self.add("pulumi", f'[ "$1" = version ] && echo "{version}"', folder)

    def add_language_host(self, folder: Path | None = None) -> None:
        """Write a language host that nothing runs."""
        self.add("pulumi-language-python", "exit 0", folder)

    def fill_cache(self) -> None:
        """Do what an earlier run did."""
        self.add_pulumi(f"v{cli.INSTALLED}", self.installed)
        self.add_language_host(self.installed)
        self.add("pulumi-language-python-exec", "exit 0", self.installed)

    def set_installer(self, source: str) -> None:
        """Shadow `pulumi.automation` in child processes."""
        automation = self.packages / "pulumi" / "automation"
        automation.mkdir(parents=True, exist_ok=True)
        (automation.parent / "__init__.py").write_text("")
        (automation / "__init__.py").write_text(source)

    def add_go(self, *, version: str = "go1.26.0", failing: str = "") -> None:
        """Put a Go on PATH that logs each call and writes a CLI where `-o` points."""
        sdk = self.packages / "sdk"
        executor = sdk / "python" / "cmd" / "pulumi-language-python-exec"
        executor.parent.mkdir(parents=True, exist_ok=True)
        executor.write_text(SHELL)
        executor.chmod(0o444)
        self.add(
            "go",
            f"""
echo "$@" >> {self.log}
cat go.mod >> {self.log} 2>/dev/null
[ -e {self.installed} ] && echo "cache is visible" >> {self.log}
case "$*" in
  *"{failing or "nothing fails"}"*) echo "first line" >&2; echo "no such host" >&2; exit 1;;
  version) echo "go version {version} linux/amd64";;
  "list -m"*) echo {sdk};;
  build*)
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\necho v{cli.INSTALLED}\\n' > "$2"; chmod 755 "$2";;
esac""",
        )

    def calls(self) -> str:
        """Return what Go was asked, and the go.mod at each call."""
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(
        programs=tmp_path / "programs",
        cache=tmp_path / "cache" / "langfuse-aws",
        packages=tmp_path / "packages",
        log=tmp_path / "go.log",
    )
    made.programs.mkdir()
    made.set_installer(INSTALLER_THAT_CANNOT_CONNECT)
    monkeypatch.setenv("PATH", str(made.programs))
    monkeypatch.setenv("PYTHONPATH", str(made.packages))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


def failure_of_ensure() -> str:
    with pytest.raises(PulumiUnavailableError) as failure:
        pulumi_cli.ensure()
    return str(failure.value)


def test_a_recent_pulumi_on_path_comes_before_a_filled_cache(machine: Machine) -> None:
    machine.add_pulumi("v3.250.0")
    machine.add_language_host()
    machine.fill_cache()

    assert pulumi_cli.ensure() == machine.programs


def test_the_minimum_version_itself_is_recent_enough(machine: Machine) -> None:
    machine.add_pulumi("v" + cli.format_version(cli.MINIMUM))
    machine.add_language_host()

    assert pulumi_cli.ensure() == machine.programs


@pytest.mark.parametrize("version", ["v3.249.9", "v3.99.0", "v2.300.0", "v4.0.0"])
def test_a_pulumi_of_another_age_is_passed_over_and_named(
    machine: Machine, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add_pulumi(version)
    machine.add_language_host()
    machine.fill_cache()

    assert pulumi_cli.ensure() == machine.installed
    said = capsys.readouterr().err
    assert f"pulumi is {version[1:]}; 3.250.0 or newer, below 4.0, is needed" in said


def test_a_language_host_elsewhere_on_path_will_do(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.add_pulumi("v3.250.0")
    machine.add_language_host(tmp_path / "hosts")
    monkeypatch.setenv("PATH", f"{machine.programs}{os.pathsep}{tmp_path / 'hosts'}")

    assert pulumi_cli.ensure() == machine.programs


def test_a_pulumi_without_a_python_language_host_is_passed_over(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add_pulumi("v3.250.0")
    machine.fill_cache()

    assert pulumi_cli.ensure() == machine.installed
    assert "has no pulumi-language-python beside it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'cannot run here' >&2; exit 3", "version` failed: cannot run here"),
        ("echo shim", "answered 'shim', not a version"),
    ],
)
def test_a_pulumi_that_does_not_tell_its_version_is_passed_over(
    machine: Machine, script: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add("pulumi", script)
    machine.add_language_host()
    machine.fill_cache()

    assert pulumi_cli.ensure() == machine.installed
    assert said in capsys.readouterr().err


def test_a_filled_cache_comes_before_the_installer(machine: Machine) -> None:
    machine.set_installer(INSTALLER_THAT_WORKS)
    machine.fill_cache()
    before = machine.installed.stat().st_ino

    assert pulumi_cli.ensure() == machine.installed
    assert machine.installed.stat().st_ino == before, "the cache was filled again"


@pytest.mark.parametrize("missing", cli.CACHED_FILES)
def test_a_cache_that_lacks_a_file_is_filled_again(machine: Machine, missing: str) -> None:
    machine.set_installer(INSTALLER_THAT_WORKS)
    machine.fill_cache()
    (machine.installed / missing).unlink()

    assert pulumi_cli.ensure() == machine.installed
    assert (machine.installed / missing).is_file()


def test_the_official_installer_comes_before_a_build(machine: Machine) -> None:
    machine.set_installer(INSTALLER_THAT_WORKS)
    machine.add_go()

    assert pulumi_cli.ensure() == machine.installed
    assert machine.calls() == "", "Go was called though the installer worked"


def test_the_pulumi_of_the_installer_is_asked_for_its_version(machine: Machine) -> None:
    machine.set_installer(INSTALLER_THAT_WORKS.replace("echo v{version}", "exit 1"))

    assert "version` failed: it said nothing" in failure_of_ensure()
    assert not machine.installed.exists()


def test_a_build_follows_an_installer_that_cannot_connect(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add_go()

    assert pulumi_cli.ensure() == machine.installed
    for name in cli.CACHED_FILES:
        mode = (machine.installed / name).stat().st_mode
        assert mode & stat.S_IXUSR, f"{name} is not executable"
    assert "OSError: no route to get.pulumi.com" in capsys.readouterr().err


def test_the_build_names_its_versions_and_the_replaced_module(machine: Machine) -> None:
    machine.add_go()
    pulumi_cli.ensure()

    calls = machine.calls()
    assert "require github.com/pulumi/pulumi/pkg/v3 v3.250.0" in calls
    assert "require github.com/pulumi/pulumi/sdk/v3 v3.79.0" in calls
    assert f"replace {pulumi_cli_install.CLIPBOARD_REPLACEMENT}" in calls
    assert "common/version.Version=v3.250.0" in calls
    assert calls.count("mod tidy") == 2


def test_what_the_installer_script_said_is_quoted(machine: Machine) -> None:
    machine.set_installer(INSTALLER_WHOSE_SCRIPT_FAILS)

    assert "the installer failed: error: disk full" in failure_of_ensure()


def test_an_installer_that_hangs_is_stopped(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.set_installer(INSTALLER_THAT_HANGS)
    monkeypatch.setattr(pulumi_cli_install, "DOWNLOAD_SECONDS", 0.5)
    started = time.monotonic()

    assert "downloading Pulumi took longer than 0 s" in failure_of_ensure()
    assert time.monotonic() - started < 20, "the installer was waited for"


@pytest.mark.parametrize("version", ["go1.24.9", "go1.9"])
def test_an_old_go_is_refused_with_the_version_it_needs(machine: Machine, version: str) -> None:
    machine.add_go(version=version)

    assert "1.25 or newer is needed" in failure_of_ensure()
    assert "mod tidy" not in machine.calls()


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ("mod tidy", "fetching the sources of the CLI failed"),
        ("cmd/pulumi-language-python", "building pulumi-language-python failed"),
        ("list -m", "finding the sources of the SDK failed"),
    ],
)
def test_a_failing_step_of_the_build_is_named_and_quoted(
    machine: Machine, failing: str, said: str
) -> None:
    machine.add_go(failing=failing)

    message = failure_of_ensure()
    assert said in message
    assert "no such host" in message


@pytest.mark.parametrize("failing", ["", "cmd/pulumi-language-python"])
def test_the_cache_is_never_half_filled(machine: Machine, failing: str) -> None:
    machine.add_go(failing=failing)
    if failing:
        failure_of_ensure()
    else:
        pulumi_cli.ensure()

    assert "cache is visible" not in machine.calls(), "the cache appeared before the build ended"
    left = {path.name for path in machine.cache.iterdir()}
    assert left == {f"{CACHE_NAME}.lock", *([] if failing else [CACHE_NAME])}


def test_the_remains_of_a_killed_run_are_removed(machine: Machine) -> None:
    machine.add_go()
    remains = machine.cache / f".{CACHE_NAME}-killed"
    (remains / "built").mkdir(parents=True)

    pulumi_cli.ensure()

    assert not remains.exists()


def test_a_second_run_waits_for_the_first_and_uses_what_it_made(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoke = threading.Semaphore(0)
    say = pulumi_cli_install.say

    def say_and_tell(message: str) -> None:
        say(message)
        spoke.release()

    monkeypatch.setattr(pulumi_cli_install, "say", say_and_tell)
    monkeypatch.setattr(pulumi_cli_install, "LOCK_SECONDS", 1 / 64)
    monkeypatch.setattr(pulumi_cli_install, "HEARTBEAT_SECONDS", 1 / 64)
    machine.add_go()
    machine.cache.mkdir(parents=True)
    found: list[Path] = []
    with (machine.cache / f"{CACHE_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: found.append(pulumi_cli.ensure()))
        second.start()
        assert spoke.acquire(timeout=120), "the second run neither waited nor installed"
        assert spoke.acquire(timeout=120), "the second run waits without a word"
        assert second.is_alive(), "the second run did not wait"
        machine.fill_cache()
    second.join(timeout=120)

    assert found == [machine.installed]
    assert machine.calls() == "", "the second run built what the first had made"
    assert "another run is installing pulumi-v" in capsys.readouterr().err


def test_the_final_error_lists_every_route_in_order_and_the_remedies(machine: Machine) -> None:
    machine.add_pulumi("v3.100.0")

    message = failure_of_ensure()

    numbered = re.findall(r"^ {2}(\d)\. (.*)$", message, re.MULTILINE)
    assert [number for number, _ in numbered] == ["1", "2", "3", "4"]
    starts = ["`pulumi` on PATH", "the cache", "the official installer", "a build from source"]
    for (_, route), start in zip(numbered, starts, strict=True):
        assert route.startswith(start)
    assert "3.100.0" in numbered[0][1]
    assert "Go is not on PATH; 1.25 or newer is needed" in numbered[3][1]
    assert cli.PULUMI_SITE in message
    assert pulumi_cli.GO_SITE in message


def test_a_cache_that_cannot_be_written_names_the_variable_that_moves_it(machine: Machine) -> None:
    machine.cache.parent.write_text("a file where a folder should be")

    message = failure_of_ensure()

    assert "Set XDG_CACHE_HOME to a folder that you can write to" in message
    assert str(machine.cache) in message


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")

    assert cli.cache_folder() == tmp_path / ".cache" / "langfuse-aws" / CACHE_NAME


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.250.0\n", (3, 250, 0)),
        ("3.250.0-alpha.1+dirty", (3, 250, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.25 darwin/arm64", (1, 25, 0)),
        ("no version here", None),
        ("", None),
    ],
)
def test_versions_are_read_from_what_commands_say(text: str, version: cli.Version | None) -> None:
    assert cli.parse_version(text) == version


def test_this_interpreter_comes_first_on_the_search_path(machine: Machine, tmp_path: Path) -> None:
    path = pulumi_cli.search_path(tmp_path / "cli").split(os.pathsep)

    assert path == [str(Path(sys.executable).parent), str(tmp_path / "cli"), str(machine.programs)]


def test_the_command_prints_the_folder_alone_on_stdout(machine: Machine) -> None:
    machine.fill_cache()

    result = run_command()

    assert (result.returncode, result.stdout) == (0, f"{machine.installed}\n")


@pytest.mark.usefixtures("machine")
def test_the_command_fails_with_a_message_and_no_traceback() -> None:
    result = run_command()

    assert result.returncode == 1
    assert result.stdout == ""
    assert "error: no usable Pulumi CLI here" in result.stderr
    assert "Traceback" not in result.stderr


def run_command() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "development.pulumi_cli"],
        cwd=pulumi_cli_install.REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_project_asks_for_the_same_cli_as_make() -> None:
    project = yaml.safe_load(
        (Path(__file__).parents[3] / "Pulumi.yaml").read_text(encoding="utf-8")
    )
    least = cli.format_version(cli.MINIMUM)
    assert project["requiredPulumiVersion"] == f">={least}"
