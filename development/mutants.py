# pyright: basic, reportMissingImports=false
# What it imports is in requirements-mutants.txt, which `make mutants` alone installs.
"""Changes the program in one place at a time and tells which changes no check notices.

`make mutants COUNT=60 SEED=1` draws a sample of all mutants of components/ and settings/, makes
each in a copy of the repository, and runs the unit tests there until one fails, the likely ones
first. One that no test notices is given to pyright, as mutmut's `type_check_command` does: it could
not be merged either. It prints each mutant with what killed it, names those that lived, and fails
if more than LIVING_SHARE of them did. The same seed draws the same mutants of the same sources.

The mutants are mutmut's: a number plus one, True for False, an argument left out or None, another
operator, another branch. Left out is what no test should be about: types, decorators, sentences
(a string with a space, `description=`), and the tests that compare generated files, since they
would notice any change and cannot tell a right one.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal, operator_string

REPOSITORY: Final = Path(__file__).resolve().parent.parent
MUTATED: Final = ("components", "langfuse_aws/settings")
TESTS: Final = "tests/unit"
DESELECTED: Final = (
    f"{TESTS}/development/test_docs.py::test_every_generated_part_is_current",
    f"{TESTS}/development/test_stack_schema.py::test_the_shipped_stack_files_fit_and_name_it",
    f"{TESTS}/plugin/test_schema.py::test_the_schema_is_the_one_that_programs_were_generated_from",
)
LIVING_SHARE: Final = 0.03
LIKELY: Final = 7
"""How many files of tests are run first, since a run of all collects for many seconds."""

TYPES: Final = "pyright: "
"""What begins the killer of a mutant that no test has noticed."""

SECONDS: Final = 1200
"""After which a mutant counts as killed: it never ends."""

_TYPES_AND_WORDS: Final = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """A source file with one change."""

    file: str
    line: int
    text: str
    """The whole file."""
    difference: str
    words: frozenset[str]
    """The names in the statement that changes, as they are in Python and in Pulumi's inputs."""

    @property
    def name(self) -> str:
        """Where it is, and what it is instead."""
        return f"{self.file}:{self.line} {self.difference}"


class _Finder(cst.CSTVisitor):
    """Finds each node that can be another, and what else it can be."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.found: list[tuple[cst.CSTNode, cst.CSTNode, int]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_no_behaviour(node):
            return False
        line: int = self.get_metadata(PositionProvider, node).start.line  # type: ignore
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                others = list(operator(node))
                if operator is operator_string:
                    others = others[:1]
                if operator is operator_arg_removal:
                    others = [other for other in others if _words_of(other) == _words_of(node)]
                self.found += [(node, other, line) for other in others]
        return True


def _is_no_behaviour(node: cst.CSTNode) -> bool:
    match node:
        case cst.SimpleString():
            return " " in node.value or node.value.startswith(('"""', 'r"""'))
        case cst.Arg():
            return _is_description(node)
        case cst.Call(func=cst.Name(value="cast" | "TypeVar")):
            return True
        case cst.Assign(value=cst.Call(func=cst.Name(value="TypeVar"))):
            return True
        case cst.Assign(value=cst.Subscript(value=cst.Name(value="Callable" | "Mapping" | "dict"))):
            return True
    return isinstance(node, _TYPES_AND_WORDS)


def _is_description(argument: cst.Arg) -> bool:
    return argument.keyword is not None and argument.keyword.value == "description"


def _words_of(call: cst.CSTNode) -> list[cst.BaseExpression]:
    """What a call has for its readers."""
    arguments = cst.ensure_type(call, cst.Call).args
    return [argument.value for argument in arguments if _is_description(argument)]


def mutants() -> list[tuple[Path, int]]:
    """Name every mutant by its file and its number there."""
    files = sorted(path for folder in MUTATED for path in (REPOSITORY / folder).rglob("*.py"))
    return [(path, number) for path in files for number in range(len(_found(path)[1]))]


@cache
def _found(path: Path) -> tuple[Any, list[tuple[cst.CSTNode, cst.CSTNode, int]]]:
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    finder = _Finder()
    wrapper.visit(finder)
    return wrapper.module, finder.found


def sample(count: int, seed: int) -> Iterator[Mutant]:
    """Draw mutants at random."""
    every = mutants()
    for path, number in random.Random(seed).sample(every, min(count, len(every))):  # noqa: S311 -- no secret
        module, found = _found(path)
        node, other, line = found[number]
        before, after = module.code, module.deep_replace(node, other).code
        changed = list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[3:]
        yield Mutant(
            file=path.relative_to(REPOSITORY).as_posix(),
            line=line,
            text=after,
            difference=" ".join(re.sub(r"\s+", " ", each) for each in changed),
            words=_words(" ".join(each for each in changed if each[0] == "-")),
        )


def _words(code: str) -> frozenset[str]:
    names = set(re.findall(r"[A-Za-z_]\w{3,}", code))
    camel = {re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in names}
    return frozenset(names | camel)


class Tests:
    """The unit tests by file, the likeliest to notice a change first."""

    def __init__(self, repository: Path) -> None:
        self.words = {
            path.relative_to(repository).as_posix(): set(
                re.findall(r"\w+", path.read_text("utf-8"))
            )
            for path in sorted((repository / TESTS).rglob("test_*.py"))
        }
        self.files_with = Counter(word for words in self.words.values() for word in words)
        self.killers: Counter[str] = Counter()

    def for_mutant(self, mutant: Mutant) -> list[str]:
        """Every file, ordered by the rare words that it shares with the mutant."""
        module = mutant.words | {Path(mutant.file).stem}

        def likeliness(file: str) -> float:
            shared = self.words[file] & module
            named = sum(part in file for part in Path(mutant.file).stem.split("_"))
            rare = sum(1 / self.files_with[word] for word in shared)
            return rare + named + self.killers[file] / (20 + self.killers.total())

        return sorted(self.words, key=likeliness, reverse=True)


def run(mutant: Mutant, copy: Path, tests: Tests) -> str | None:
    """Tell which test fails first, or what pyright says; None: the mutant lives."""
    source = copy / mutant.file
    before = source.read_text(encoding="utf-8")
    source.write_text(mutant.text, encoding="utf-8")
    try:
        files = tests.for_mutant(mutant)
        killer = (
            first_failure(copy, files[:LIKELY])
            or first_failure(copy, files[LIKELY:])
            or type_error(copy, mutant.file)
        )
    finally:
        source.write_text(before, encoding="utf-8")
    tests.killers[(killer or "").partition("::")[0]] += 1
    return killer


def first_failure(copy: Path, files: Sequence[str]) -> str | None:
    """Run tests in their order until one fails, and tell which; None: none does."""
    options = ["-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=no"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    command += [part for each in DESELECTED for part in ("--deselect", each)]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "a test that never ends"
    if done.returncode == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", done.stdout, re.MULTILINE)
    return failed[1] if failed else _last_line(done.stdout + done.stderr)


def type_error(copy: Path, file: str) -> str | None:
    """Tell what pyright says first of a file, after TYPES; None: nothing."""
    python = ("--pythonpath", sys.executable)  # a copy has no virtual environment
    command = [sys.executable, "-m", "pyright", *python, file]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    said = re.search(r" - error: (.*)", done.stdout)
    return f"{TYPES}{said[1]}" if said else None


def _last_line(text: str) -> str:
    """Say what ended pytest itself, such as a conftest.py that cannot be imported."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "pytest itself")


def repository_copy(folder: Path) -> Path:
    """Copy what git does not ignore into a repository of its own: tests ask for its commits."""

    def git(where: Path, *arguments: str) -> str:
        command = ["git", "-C", str(where), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    listed = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if os.path.lexists(REPOSITORY / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    identity = ("-c", "user.name=mutants", "-c", "user.email=mutants@localhost")
    git(folder, *identity, "commit", "--quiet", "--no-verify", "--message", "Unchanged")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, run and tell; 1 if too many live."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="which")
    parser.add_argument("--workers", type=int, default=2, help="how many at a time")
    parser.add_argument("--only", default="", help="those whose line in the report has this text")
    options = parser.parse_args(arguments)
    for file, name in (each.split("::") for each in DESELECTED):
        if f"def {name}(" not in (REPOSITORY / file).read_text(encoding="utf-8"):
            raise SystemExit(f"error: {file} has no {name}: correct DESELECTED")
    tests = Tests(REPOSITORY)
    drawn = [each for each in sample(options.count, options.seed) if options.only in each.name]
    lived: list[str] = []
    by_types: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.workers):
            copies.put(repository_copy(Path(folder, str(number))))
        if failing := first_failure(Path(folder, "0"), list(tests.words)):
            raise SystemExit(f"error: {failing} fails without any mutant: mend that first")
        for folder_of_sources in MUTATED:
            if error := type_error(Path(folder, "0"), folder_of_sources):
                raise SystemExit(f"error: {error} without any mutant: mend that first")
        printing = threading.Lock()

        def judge(mutant: Mutant) -> None:
            copy = copies.get()
            try:
                killer = run(mutant, copy, tests)
            finally:
                copies.put(copy)
            with printing:
                print(f"{'killed' if killer else 'LIVED '} {mutant.name}", flush=True)
                print(f"       by {killer}" if killer else "", flush=True)
                if not killer:
                    lived.append(mutant.name)
                elif killer.startswith(TYPES):
                    by_types.append(mutant.name)

        with ThreadPoolExecutor(options.workers) as pool:
            list(pool.map(judge, drawn))
    print(f"{len(lived)} of {len(drawn)} lived, seed {options.seed}")
    print(f"{len(by_types)} more were noticed by types alone")
    print("\n".join(sorted(lived)))
    return int(len(lived) > LIVING_SHARE * len(drawn))


if __name__ == "__main__":
    sys.exit(main())
