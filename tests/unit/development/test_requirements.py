"""What is locked is what requirements*.txt ask for, on each Python and system.

It proves that the locks agree with the ranges and with each other, and that each archive has a
hash. It asks no index: whether the archives are still there, an installation tells.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[3]
LOCKS: Final = {
    "requirements.lock": ("requirements.txt", "plugin/requirements.txt"),
    "requirements-dev.lock": (
        "requirements.txt",
        "requirements-dev.txt",
        "policy/requirements.txt",
        "requirements-release.txt",
    ),
    "requirements-release.lock": ("requirements-release.txt",),
    "requirements-engine.lock": ("requirements-engine.txt",),
    "requirements-mutants.lock": ("requirements-mutants.txt",),
}
PYTHONS: Final = ("3.10", "3.11", "3.12", "3.13", "3.14")
SYSTEMS: Final = (
    ("linux", "Linux", "x86_64"),
    ("linux", "Linux", "aarch64"),
    ("darwin", "Darwin", "arm64"),
)
ENVIRONMENTS: Final[list[dict[str, str]]] = [
    {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "os_name": "posix",
        "extra": "",
    }
    for python, (sys_platform, system, machine) in product(PYTHONS, SYSTEMS)
]


def wanted(file: Path) -> Iterator[Requirement]:
    """The ranges of a file and of those that it reads."""
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.split(" #")[0].strip()
        if text.startswith("-r "):
            yield from wanted(file.parent / text.removeprefix("-r "))
        elif text and not text.startswith(("#", "-c ")):
            yield Requirement(text)


@cache
def locked(lock: str) -> tuple[Requirement, ...]:
    """Every line of a lock that names a package."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return tuple(
        Requirement(line.rstrip("\\").strip())
        for line in text.splitlines()
        if line and not line.startswith(("#", " "))
    )


def there(requirement: Requirement, environment: dict[str, Any]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def versions(lock: str, environment: dict[str, Any]) -> dict[str, Version]:
    """What a lock installs on a Python and system."""
    found: dict[str, Version] = {}
    for each in locked(lock):
        if there(each, environment):
            name = canonicalize_name(each.name)
            assert name not in found, f"{lock}: two versions of {name} for {environment}"
            (only,) = each.specifier
            assert only.operator == "==", f"{lock}: {each} is no version"
            found[name] = Version(only.version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_version_in_each_range(lock: str) -> None:
    ranges = [each for file in LOCKS[lock] for each in wanted(ROOT / file)]
    assert ranges
    for environment in ENVIRONMENTS:
        pinned = versions(lock, environment)
        for each in ranges:
            if there(each, environment):
                where = f"{lock} on Python {environment['python_version']}: run make lock"
                found = pinned.get(canonicalize_name(each.name))
                assert found is not None, f"no {each.name} in {where}"
                assert each.specifier.contains(found), f"{found} is not {each}, {where}"


@pytest.mark.parametrize("lock", [each for each in LOCKS if each != "requirements-dev.lock"])
def test_what_two_locks_have_is_the_same(lock: str) -> None:
    for environment in ENVIRONMENTS:
        ours, developers = (
            versions(lock, environment),
            versions("requirements-dev.lock", environment),
        )
        assert ours.keys() & developers.keys()
        for name in ours.keys() & developers.keys():
            assert ours[name] == developers[name], f"{name}, {environment['python_version']}"


def test_the_program_brings_pip_which_environments_of_uv_lack() -> None:
    """Pulumi's language host lists the packages of an environment by it, and ends without.

    https://github.com/pulumi/pulumi/blob/v3.250.0/sdk/python/toolchain/pip.go
    """
    assert "pip" in {each.name for each in wanted(ROOT / "requirements.txt")}


def test_every_lock_is_tested() -> None:
    assert {path.name for path in ROOT.glob("*.lock")} == set(LOCKS)
    tested = {file for files in LOCKS.values() for file in files}
    there_are = [*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements.txt")]
    assert {path.relative_to(ROOT).as_posix() for path in there_are} == tested


@pytest.mark.parametrize("lock", LOCKS)
def test_every_version_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[^\s#])", text)[1:]
    assert len(entries) == len(locked(lock))
    for entry in entries:
        assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", entry), entry.splitlines()[0]


def test_make_and_the_workflows_install_nothing_that_is_not_locked() -> None:
    files = [ROOT / "Makefile", *(ROOT / ".github").rglob("*.yml")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    installing = [line.strip() for line in lines if re.search(r"\bpip install\b", line)]
    assert installing
    for line in installing:
        assert "--require-hashes" in line, line


def test_make_takes_the_pythons_that_are_locked_and_tells_others(tmp_path: Path) -> None:
    """With a newer one pip builds what has no wheel for it yet, and fails somewhere inside."""
    for name in ("Makefile", "requirements-dev.lock"):
        shutil.copy2(ROOT / name, tmp_path)
    told: dict[str, str] = {}
    for version in ("3.9", *PYTHONS, f"3.{int(PYTHONS[-1].removeprefix('3.')) + 1}"):
        python = tmp_path / f"python{version}"
        info = tuple(map(int, [*version.split("."), "1"]))
        python.write_text(
            f"#!{sys.executable}\nimport sys\nsys.version_info = {info}\n"
            "exec(sys.argv[2]) if sys.argv[1] == '-c' else sys.exit('fit')\n"
        )
        python.chmod(0o755)
        done = subprocess.run(
            ["make", f"PYTHON={python}", ".venv/.stamp"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        (told[version],) = [
            line for line in done.stderr.splitlines() if not line.startswith(("make", "making"))
        ]
    refused = (
        f"error: {{}} is none of Python {PYTHONS[0]} to {PYTHONS[-1]}, for which the packages are "
        "locked: name one, as in 'make PYTHON=python3.12'"
    )
    assert told == {
        version: "fit" if version in PYTHONS else refused.format(tmp_path / f"python{version}")
        for version in told
    }


def test_renovate_can_run_what_wrote_a_lock() -> None:
    """Options and their values with an equals sign, under the name of the lock.

    https://docs.renovatebot.com/modules/manager/pip-compile/
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for lock in LOCKS:
        command = (ROOT / lock).read_text(encoding="utf-8").splitlines()[1].removeprefix("#    ")
        assert command.startswith("uv pip compile --universal --generate-hashes --python-version=")
        assert command.endswith(f" --output-file={lock}")
        sources = command.split("--python-version=3.10 ")[1]
        assert f"$(LOCK) {sources}" in makefile, f"make lock writes {lock} otherwise"


def test_renovate_renews_the_locks_so_that_they_agree() -> None:
    """It renews the locks of a file by their names, and a file after the locks that it names by -c.

    A lock that keeps to another by `--constraints` is renewed before that one, unless each of its
    files is one of that one's, too. A file that another reads by -r has its locks turned round.
    https://github.com/renovatebot/renovate/blob/main/lib/modules/manager/pip-compile/extract.ts
    """
    for lock, others in LOCKS.items():
        command = (ROOT / lock).read_text(encoding="utf-8").splitlines()[1]
        for other in re.findall(r"--constraints=(\S+)", command):
            assert other < lock
            assert set(sources_of(lock)) <= set(sources_of(other)), lock
        for source in sources_of(lock):
            text = (ROOT / source).read_text(encoding="utf-8")
            assert not set(re.findall(r"^-r (\S+)$", text, re.MULTILINE)) & sources(), source
            assert source in others


def sources_of(lock: str) -> list[str]:
    """The files that a lock is made from, by its command; not what these read."""
    command = (ROOT / lock).read_text(encoding="utf-8").splitlines()[1]
    return re.findall(r" ([\w-]+\.txt)", command)


def sources() -> set[str]:
    """The files that locks are made from."""
    return {source for lock in LOCKS for source in sources_of(lock)}


@pytest.mark.parametrize("target", ["types", "engine", "move-in"])
def test_what_reads_tests_with_the_clickhouse_engine_installs_it(target: str) -> None:
    """`make` alone, as CI calls it: pyright knows no package that is not there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (needs,) = re.findall(rf"^{target}: (\S+) ##", makefile, re.MULTILINE)
    assert needs == "$(ENGINE_STAMP)"


def test_the_builder_of_the_archives_is_that_of_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (named,) = re.findall(r'^requires = \["(.+)"\]$', text, re.MULTILINE)
    assert Requirement(named) in set(wanted(ROOT / "requirements-release.txt"))
