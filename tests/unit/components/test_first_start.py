"""Who makes the first organization, project, keys and user: one task alone, whatever `minTasks` is.

It proves what the program registers, for every size and both platforms, and runs the task's script
in a shell with stubs for `node` and `wget`. That Next.js answers 200 only once Langfuse has made
what it is asked for is Langfuse's own (web/src/instrumentation.ts, web/src/initialize.ts).
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from langfuse_aws.components.authorities import OPENSSL_VARIABLE
from langfuse_aws.components.environment import NO_MIGRATIONS
from langfuse_aws.components.migration.migration import (
    ATTEMPTS,
    CPU_UNITS,
    FUNCTION_SECONDS,
    command,
)
from langfuse_aws.contract.start_and_stop import WEB_START_SECONDS, start_seconds
from langfuse_aws.contract.variables import known
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.stack_graph import Graph, build, build_locked, shipped_config

INVOCATION: Final = "aws:lambda/invocation:Invocation"
SERVICE: Final = "aws:ecs/service:Service"
BOOTSTRAP: Final = {"userEmail": "ada@example.com"}
NEEDED: Final = {
    "CLICKHOUSE_PASSWORD",
    "CLICKHOUSE_URL",
    "CLICKHOUSE_USER",
    "DATABASE_HOST",
    "LANGFUSE_S3_EVENT_UPLOAD_BUCKET",
    "NEXTAUTH_SECRET",
    "NEXTAUTH_URL",
    "SALT",
}
"""Without them web ends at once: what its schemas require (web/src/env.mjs and
packages/shared/src/env.ts, 3.225.4 and 4.16.0)."""


def stack(size: str, **keys: Any) -> Graph:
    return build(size, {**shipped_config(size), "bootstrap": BOOTSTRAP, **keys})


def first_variables(graph: Graph, container: str) -> dict[str, str]:
    told = {**graph.environment(container), **graph.secrets(container)}
    return {name: value for name, value in told.items() if name.startswith("LANGFUSE_INIT_")}


OWN: Final = {"LANGFUSE_INIT_USER_NAME": "Ada", "LANGFUSE_DEFAULT_PROJECT_ROLE": "VIEWER"}


def some_tasks() -> Graph:
    """A dev stack on Langfuse 3 that scales."""
    return stack("dev", release=LANGFUSE_3, web={"minTasks": 2, "maxTasks": 9})


def many_tasks() -> Graph:
    """A dev stack that does not scale, with variables of its user's."""
    return stack(
        "dev",
        web={
            "minTasks": 9,
            "maxTasks": 9,
            "environment": {**OWN, "LANGFUSE_LOG_LEVEL": "debug"},
        },
        secretEnvironment=json.dumps(
            {"SALT": "moved-in", "LANGFUSE_EE_LICENSE_KEY": "langfuse_ee"}
        ),
    )


def prod() -> Graph:
    return stack("prod", release=LANGFUSE)


@pytest.mark.parametrize(
    ("graph", "release"),
    [
        (some_tasks, LANGFUSE_3),
        (lambda: stack("staging", release=LANGFUSE), LANGFUSE),
        (prod, LANGFUSE),
        (lambda: stack("prod", release=LANGFUSE_3), LANGFUSE_3),
    ],
    ids=["dev", "staging", "prod", "prod on 3"],
)
def test_one_task_alone_makes_the_first_start_in_every_size(
    graph: Callable[[], Graph], release: str
) -> None:
    made = graph()
    assert not first_variables(made, "web"), "each of its tasks would look, and then make"
    assert not first_variables(made, "worker")
    assert len(first_variables(made, "migration")) == 8
    assert made.container("migration")["command"] == command(first_start=True)
    given = {*made.environment("migration"), *made.secrets("migration")}
    assert given >= NEEDED
    assert not given & set(NO_MIGRATIONS)
    table = known("web", int(release[0]))
    faults = {
        name: table[name].problem(value)
        for name, value in made.environment("migration").items()
        if name != OPENSSL_VARIABLE
    }
    assert set(faults.values()) == {None}, faults


@pytest.mark.parametrize(("graph_of", "tasks"), [(some_tasks, 2), (many_tasks, 9)])
def test_as_many_web_tasks_as_there_may_be_wait_for_it(
    graph_of: Callable[[], Graph], tasks: int
) -> None:
    graph = graph_of()
    service = graph.one(SERVICE, "langfuse-dev-web")
    assert service.inputs["desiredCount"] == tasks
    invocation = graph.one(INVOCATION)
    assert graph.urns[INVOCATION, invocation.name] in graph.options_of(service).dependencies
    target = graph.one("aws:appautoscaling/target:Target", "langfuse-dev-web")
    assert target.inputs["minCapacity"] == tasks, "it comes after the service"
    assert not first_variables(graph, "web")


def test_app_runners_instances_wait_for_it_too() -> None:
    graph = build_locked("platform", APP_RUNNER)
    service = graph.one("aws:apprunner/service:Service")
    image = service.inputs["sourceConfiguration"]["imageRepository"]["imageConfiguration"]
    told = {*image["runtimeEnvironmentVariables"], *image["runtimeEnvironmentSecrets"]}
    assert not [name for name in told if name.startswith("LANGFUSE_INIT_")]
    assert len(first_variables(graph, "migration")) == 8
    urn = graph.urns[INVOCATION, graph.one(INVOCATION).name]
    assert urn in graph.options_of(service).dependencies


def test_another_version_of_the_keys_runs_it_again_and_starts_no_web_task() -> None:
    """The migration's definition is another one, and so is what the function is called with."""
    one = prod()
    other = stack("prod", release=LANGFUSE, bootstrap={**BOOTSTRAP, "keyVersion": 2})
    keys = [
        each.one("random:index/randomUuid:RandomUuid", "langfuse-prod-bootstrap-public-key")
        for each in (one, other)
    ]
    assert keys[0].inputs["keepers"] != keys[1].inputs["keepers"]
    task = one.one("aws:ecs/taskDefinition:TaskDefinition", "langfuse-prod-migration")
    origins = one.options_of(task).origins["containerDefinitions"]
    for kind in (
        "random:index/randomUuid:RandomUuid",
        "aws:secretsmanager/secretVersion:SecretVersion",
    ):
        name = keys[0].name if "Uuid" in kind else "langfuse-prod-bootstrap"
        assert one.urns[kind, name] in origins, "it would start before the key is stored"
    invoked = one.options_of(one.one(INVOCATION)).origins["input"]
    assert one.urns[task.type, task.name] in invoked
    web = one.one("aws:ecs/taskDefinition:TaskDefinition", "langfuse-prod-web")
    assert (
        one.urns[keys[0].type, keys[0].name]
        not in one.options_of(web).origins["containerDefinitions"]
    )


def test_its_role_reads_the_secrets_that_it_needs() -> None:
    graph = prod()
    allowed = [
        arn
        for each in graph.policy("langfuse-prod-migration-execution")
        if "secretsmanager:GetSecretValue" in json.dumps(each["Action"])
        for arn in ([each["Resource"]] if isinstance(each["Resource"], str) else each["Resource"])
    ]
    wanted = {value.rsplit(":", 3)[0] for value in graph.secrets("migration").values()}
    assert set(allowed) == wanted


def test_a_stack_that_asks_for_no_first_project_migrates_and_starts_nothing() -> None:
    graph = build("dev", shipped_config("dev"))
    assert graph.container("migration")["command"] == ["echo", "migrated"]
    assert not first_variables(graph, "migration")
    assert not NEEDED & {"SALT", "NEXTAUTH_SECRET"} & set(graph.secrets("migration"))


def test_what_a_stack_file_says_of_the_first_start_reaches_it_and_not_web() -> None:
    graph = many_tasks()
    plain, secret = graph.environment("migration"), graph.secrets("migration")
    assert {name: plain.get(name) for name in OWN} == OWN
    assert "LANGFUSE_LOG_LEVEL" not in plain
    assert secret["SALT"] == graph.secrets("web")["SALT"], "the keys' hashes would not fit"
    assert "LANGFUSE_EE_LICENSE_KEY" in secret
    assert "LANGFUSE_INIT_USER_NAME" not in graph.environment("web")
    assert graph.environment("web")["LANGFUSE_DEFAULT_PROJECT_ROLE"] == "VIEWER"


# --- the script

NODE: Final = """#!/bin/sh
echo "$@" > "$NOTES/started"
[ "$SERVER" = ends ] && exit 7
exec /bin/sleep 60
"""
WGET: Final = """#!/bin/sh
until [ -s "$NOTES/started" ]; do /bin/sleep 0.01; done
echo "$@" >> "$NOTES/asked"
while read -r code; do
  [ "$code" = "$(wc -l < "$NOTES/asked" | tr -d ' ')" ] && exit 0
done < "$NOTES/answers"
exit 1
"""
SLEEP: Final = """#!/bin/sh
echo "$1" >> "$NOTES/slept"
exec /bin/sleep 0.01
"""


@dataclass(frozen=True)
class Run:
    """What a run of the script left behind."""

    code: int
    output: str
    asked: int
    """How often web was asked."""


def run(folder: Path, answers: int | None, server: str = "runs") -> Run:
    """Run the task's command, with `answers` as the number of the request that is answered."""
    for name, text in {"node": NODE, "wget": WGET, "sleep": SLEEP}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    (folder / "answers").write_text("" if answers is None else f"{answers}\n", encoding="utf-8")
    environment: Mapping[str, str] = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "NOTES": str(folder),
        "SERVER": server,
    }
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            command(first_start=True),
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(60)
        finally:
            # As the container's end does: web would go on.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    asked = (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []
    assert {each.split()[-1] for each in asked} == {"http://127.0.0.1:3000/api/public/health"}
    return Run(code, (folder / "output").read_text(), len(asked))


@pytest.mark.parametrize("answers", [1, 4])
def test_the_task_ends_well_once_web_answers(tmp_path: Path, answers: int) -> None:
    done = run(tmp_path, answers)
    assert (done.code, done.asked) == (0, answers), done.output
    assert (tmp_path / "started").read_text() == "./web/server.js\n"
    assert "are there" in done.output


def test_a_web_that_answers_500_for_good_fails_the_task(tmp_path: Path) -> None:
    done = run(tmp_path, None)
    assert (done.code, done.asked) == (1, ATTEMPTS)
    assert "are not made: web did not answer with 200" in done.output
    assert (tmp_path / "slept").read_text().split() == ["2"] * ATTEMPTS
    assert 12 * ATTEMPTS < FUNCTION_SECONDS, "each may take 10 s, and the function waits"
    assert start_seconds(WEB_START_SECONDS, CPU_UNITS) < 2 * ATTEMPTS == 2 * 60, "two minutes"


def test_a_web_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    done = run(tmp_path, None, server="ends")
    assert done.code == 1
    assert done.asked < ATTEMPTS
    assert "are not made: web ended before it answered" in done.output
