"""The commands' common part: the plan that is shown, the question, the steps; and the fakes.

It proves that nothing is changed without a yes, that steps run in their order, that the first one
that fails ends the command and says what state things are in, and that what a user can cause is one
line. It does not prove that Pulumi and AWS do what they are told: Pulumi's part runs for real in
tests/engine/test_restore.py, AWS's nowhere.

`Aws` gives real clients, whose parameters botocore checks; only the network is not there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from pulumi import automation as auto
from pulumi.automation import CommandResult
from typer.testing import CliRunner

from langfuse_aws.automation import plan as plan_module
from langfuse_aws.automation import terminal
from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine import deployed as deployed_module
from langfuse_aws.automation.engine import sessions as sessions_module
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.stack_file import InvalidSettingsError
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.plan import Plan, Step, carry_out
from langfuse_aws.automation.restore import command as restore
from langfuse_aws.automation.restore import volume as restore_volume

REGION: Final = "eu-west-1"
CLUSTER: Final = f"arn:aws:ecs:{REGION}:123456789012:cluster/langfuse-prod-1a2b3c4"
NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


# --- AWS


class AwsError:
    """An answer that is an error."""

    def __init__(self, code: str, message: str = "no") -> None:
        self.parsed = {"Error": {"Code": code, "Message": message}}


Answer = dict[str, Any] | AwsError | Callable[[dict[str, Any]], dict[str, Any]]


class Aws:
    """Gives clients, notes what they are asked, and answers by the operation's name.

    Of a list, each answer is given once, and the last one for ever.
    """

    now: "Aws | None" = None

    def __init__(self, answers: Mapping[str, Answer | list[Answer]], log: list[Any]) -> None:
        self.answers: dict[str, Any] = dict(answers)
        self.log = log
        Aws.now = self

    def client(self, service: str) -> Any:
        """Make a client; all of a service are one."""
        return _client(service)

    def note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Remember a call."""
        self.log.append((model.name, params))

    def answer(self, model: Any, **_: Any) -> Any:
        """Answer a call instead of the network."""
        assert model.name in self.answers, f"nobody expected {model.name}"
        answer = self.answers[model.name]
        if isinstance(answer, list):
            rest = cast(list[Answer], answer)
            answer = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(answer, AwsError):
            return SimpleNamespace(status_code=400), answer.parsed
        given: Any = answer(self.log[-1][1]) if callable(answer) else answer
        return SimpleNamespace(status_code=200), {**given}


@cache
def _client(service: str) -> Any:
    session: Any = boto3.Session(region_name=REGION)
    client = session.client(service)
    client.meta.events.register_first("provide-client-params", _note)
    client.meta.events.register_first("before-call", _answer)
    return client


def _note(**event: Any) -> None:
    assert Aws.now is not None
    Aws.now.note(**event)


def _answer(**event: Any) -> Any:
    assert Aws.now is not None
    return Aws.now.answer(**event)


# --- Pulumi


class FakePulumiStack:
    """As much of the Automation API's stack as the commands use."""

    def __init__(
        self, resources: Sequence[dict[str, Any]], config: Mapping[str, Any], log: list[Any]
    ) -> None:
        self.resources = [dict(each) for each in resources]
        self.config: dict[str, Any] = {"aws:region": REGION, **config}
        self.log = log
        self.on_up: Callable[[], None] = lambda: None

    def export_stack(self) -> Any:
        """The state."""
        return SimpleNamespace(deployment={"resources": self.resources})

    def get_all_config(self) -> Any:
        """The stack file, in which lists and mappings are JSON."""
        return {
            key: auto.ConfigValue(value if isinstance(value, str) else json.dumps(value))
            for key, value in self.config.items()
        }

    def set_config(self, key: str, value: auto.ConfigValue, *, path: bool) -> None:
        """Set one key, which may be a path."""
        assert path
        self.log.append(("config set", key, value.value))
        if "[" in key:
            name, index = key.rstrip("]").split("[")
            allowed = self.config.setdefault(name, [])
            assert int(index) == len(allowed), "a gap in the list"
            allowed.append(value.value)
        else:
            section, name = key.rsplit(".", 1)
            self.config[section] = {**self.config.get(section, {}), name: value.value}

    def set_all_config(self, config: auto.ConfigMap, *, path: bool) -> None:
        """Set several keys of sections at once."""
        assert path
        values = {key: each.value for key, each in config.items()}
        self.log.append(("config set-all", values))
        for key, value in values.items():
            name, *middle, last = key.split(".")
            section: Any = self.config.setdefault(name, {})
            for each in middle:
                section = section.setdefault(each, {})
            section[last] = int(value) if value.isdecimal() else value

    def remove_config(self, key: str, *, path: bool = False) -> None:
        """Take a key away, or one of a section."""
        self.log.append(("config rm", key))
        name, *middle = key.split(".") if path else [key]
        if not middle:
            del self.config[name]
            return
        section: Any = self.config[name]
        for each in middle[:-1]:
            section = section[each]
        del section[middle[-1]]

    def up(self, *, exclude: list[str] | None, **options: Any) -> None:
        """Note it, and let the test say what comes of it."""
        assert bool(options["exclude_dependents"]) == bool(exclude)
        names = [urn.split("::")[-1] for urn in exclude or []]
        self.log.append(("up", names, list(self.config.get("langfuse:allowReplace", []))))
        self.on_up()


def resource(
    kind: str,
    name: str,
    inputs: Mapping[str, Any] = {},
    outputs: Mapping[str, Any] = {},
    **more: Any,
) -> dict[str, Any]:
    """An entry of an exported state."""
    return {
        "type": kind,
        "urn": f"urn:pulumi:prod::langfuse::{kind}::{name}",
        "id": name,
        "inputs": dict(inputs),
        "outputs": {**inputs, **outputs},
        **more,
    }


def failing(code: int, stderr: str) -> Exception:
    """What the Automation API raises when `pulumi` fails."""
    result = CommandResult(stdout="", stderr=stderr, code=code)
    return auto.errors.create_command_error(result)


class World:
    """A stack, its AWS, and what happened to both, in order."""

    def __init__(
        self,
        resources: Sequence[dict[str, Any]],
        config: Mapping[str, Any],
        answers: Mapping[str, Answer | list[Answer]],
    ) -> None:
        self.log: list[Any] = []
        self.stack = FakePulumiStack(resources, {"langfuse:size": "dev", **config}, self.log)
        self.aws = Aws(answers, self.log)

    @property
    def deployed(self) -> Deployed:
        """What the commands are given."""
        return Deployed(
            name="prod",
            prefix="langfuse-prod",
            pulumi=cast(auto.Stack, self.stack),
            aws=self.aws.client,
            region=REGION,
        )

    @property
    def calls(self) -> list[str]:
        """The names of what was asked, told or run, in order."""
        return [each[0] for each in self.log]

    def params(self, operation: str) -> list[dict[str, Any]]:
        """What an operation was called with."""
        return [each[1] for each in self.log if each[0] == operation]

    def changes(self) -> list[str]:
        """What was done that is more than looking."""
        looks = ("Describe", "List", "Get")
        return [name for name in self.calls if not name.startswith(looks)]


def always(value: Any) -> Callable[..., Any]:
    """A function that does not look at its arguments."""

    def give(*_: Any, **__: Any) -> Any:
        return value

    return give


def run(world: World, *arguments: str) -> Any:
    """Run a restore command on a world's stack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "open_stack", always(world.deployed))
        return CliRunner().invoke(app, ["restore", arguments[0], "--stack", "prod", *arguments[1:]])


def refusal(make: Callable[[], object]) -> str:
    """The line of a refusal."""
    with pytest.raises(UserError) as caught:
        make()
    line = str(caught.value)
    assert "\n" not in line
    return line


def numbered(plan: Plan) -> list[str]:
    """The titles of a plan's steps."""
    return [step.title for step in plan.steps]


# --- the plan

runner = CliRunner()


class Recorder:
    """A plan of three steps, the second of which can fail."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.done: list[int] = []
        self.error = error

    def plan(self) -> Plan:
        """Make it."""
        return Plan(
            found=["Stack [prod]."],
            lost=["All that was written since."],
            steps=[
                Step(f"Do {number}.", lambda n=number: self._do(n), f"{number} may be half done.")
                for number in (1, 2, 3)
            ],
        )

    def _do(self, number: int) -> None:
        if number == 2 and self.error:
            raise self.error
        self.done.append(number)


def invoke(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder, *, yes: bool, typed: str = ""
) -> Any:
    """Run a command that has this plan; with something typed there is a terminal."""
    monkeypatch.setattr(restore, "open_stack", always(None))
    monkeypatch.setattr(restore_volume, "plan", always(recorder.plan()))
    monkeypatch.setattr(terminal, "has_terminal", always(bool(typed)))
    command = ["restore", "clickhouse-volume", "--stack", "prod", "--snapshot", "snap-1"]
    return runner.invoke(app, [*command, *(["--yes"] if yes else [])], input=typed)


def test_the_plan_is_shown_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    shown = invoke(monkeypatch, recorder, yes=False, typed="n\n").stdout
    lines = ["Found", "  Stack [prod].", "Lost", "  All that was written since.", "Steps"]
    lines += ["  1. Do 1.", "  2. Do 2.", "  3. Do 3.", "Go on? [y/N]"]
    places = [shown.index(line) for line in lines]
    assert places == sorted(places)


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_without_a_yes_nothing_is_done(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    recorder = Recorder()
    result = invoke(monkeypatch, recorder, yes=False, typed=typed)
    assert (result.exit_code, recorder.done) == (1, [])
    assert "error: nothing was changed.\n" in result.stderr


def test_without_a_terminal_and_without_yes_it_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder()
    result = invoke(monkeypatch, recorder, yes=False)
    assert (result.exit_code, recorder.done) == (1, [])
    assert result.stderr == (
        "error: nothing was changed: there is no terminal to ask at. --yes goes on without "
        "asking.\n"
    )


@pytest.mark.parametrize(("yes", "typed"), [(True, ""), (False, "y\n")])
def test_with_a_yes_every_step_is_done_in_order(
    monkeypatch: pytest.MonkeyPatch, yes: bool, typed: str
) -> None:
    recorder = Recorder()
    result = invoke(monkeypatch, recorder, yes=yes, typed=typed)
    assert (result.exit_code, recorder.done) == (0, [1, 2, 3])
    assert ("Go on?" in result.stdout) is not yes
    for number in (1, 2, 3):
        assert f"Step {number} of 3: Do {number}.\nStep {number} of 3: done after 0 s" in (
            result.stdout
        )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("no room"), "no room"),
        (NoCredentialsError(), "Unable to locate credentials"),
        (failing(255, "Logging in\nerror: no\nerror: more"), "pulumi: no"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
    ids=["ours", "AWS's", "Pulumi's", "Ctrl-C"],
)
def test_a_step_that_fails_ends_it_and_says_what_state_things_are_in(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, said: str
) -> None:
    recorder = Recorder(error)
    result = invoke(monkeypatch, recorder, yes=True)
    exit_code = 130 if isinstance(error, KeyboardInterrupt) else 1
    assert (result.exit_code, recorder.done) == (exit_code, [1])
    assert result.stderr.splitlines() == [
        f"error: Step 2 of 3 failed: {said}",
        "2 may be half done.",
        "Correct the cause and run the same command again: it goes on from there.",
    ]


def test_a_mistake_of_ours_has_a_traceback_and_says_the_state_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ZeroDivisionError):
        carry_out(Recorder(ZeroDivisionError("ours")).plan(), yes=True)
    assert "2 may be half done." in capsys.readouterr().err


# --- finding the stack


def opened(monkeypatch: pytest.MonkeyPatch, found: Exception | Any) -> Any:
    def select(name: str, workspace: Any) -> Any:
        assert (name, workspace.work_dir) == ("prod", str(REPOSITORY))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(deployed_module, "Command", Mock)
    monkeypatch.setattr(auto.Stack, "select", select)
    return runner.invoke(app, ["restore", "clickhouse-backup", "--stack", "prod", "--list"])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            failing(255, "error: no stack named 'prod' found"),
            "error: stack prod: this backend has no such stack. pulumi stack ls shows those it has",
        ),
        (failing(255, "error: PULUMI_ACCESS_TOKEN must be set"), "error: pulumi: PULUMI_ACCESS_"),
    ],
    ids=["no stack", "no login"],
)
def test_a_stack_that_cannot_be_opened_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    result = opened(monkeypatch, error)
    assert result.exit_code == 1
    assert result.stderr.startswith(words)
    assert result.stderr.count("\n") == 1


def test_a_machine_without_pulumi_is_told_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = runner.invoke(app, ["restore", "clickhouse-backup", "--stack", "prod", "--list"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: pulumi: not found on PATH. Install it: https://")
    assert result.stderr.count("\n") == 1


def test_a_stack_without_a_region_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    result = opened(monkeypatch, SimpleNamespace(get_all_config=dict))
    assert result.exit_code == 1
    assert result.stderr == (
        "error: stack prod: aws:region: is not set, nor are AWS_REGION and AWS_DEFAULT_REGION. Set "
        "it with pulumi config set aws:region REGION.\n"
    )


def test_region_project_and_profile_are_the_stacks_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[dict[str, Any]] = []

    def session(**options: Any) -> Any:
        sessions.append(options)
        return SimpleNamespace(region_name=options["region_name"])

    monkeypatch.setattr(sessions_module.boto3, "Session", session)
    stack = FakePulumiStack([], {"aws:profile": "operator"}, [])
    settings = SimpleNamespace(name="my-langfuse")
    workspace = SimpleNamespace(project_settings=lambda: settings)
    monkeypatch.setattr(stack, "workspace", workspace, raising=False)
    monkeypatch.setattr(deployed_module, "Command", Mock)
    monkeypatch.setattr(auto.Stack, "select", always(stack))
    found = deployed_module.open_stack("acme/my-langfuse/prod", REPOSITORY)
    assert (found.name, found.prefix, found.region) == ("prod", "my-langfuse-prod", REGION)
    assert sessions == [{"region_name": REGION, "profile_name": "operator"}]


def test_a_stack_with_nothing_in_it_is_one_line() -> None:
    world = World([], {}, {})
    line = refusal(lambda: world.deployed.resource("aws:ebs/volume:Volume", "langfuse-prod"))
    assert line == ("stack prod: nothing is deployed. pulumi up first.")


def test_a_resource_that_is_not_there_is_one_line() -> None:
    replaced = resource("aws:ebs/volume:Volume", "langfuse-prod-clickhouse", delete=True)
    world = World([replaced], {}, {})
    line = refusal(lambda: world.deployed.resource(replaced["type"], "langfuse-prod-clickhouse"))
    assert line == (
        "stack prod: has no aws:ebs/volume:Volume langfuse-prod-clickhouse, though its "
        "configuration asks for it. pulumi up first."
    )


def test_every_mistake_in_the_configuration_is_told() -> None:
    world = World([], {"langfuse:release": "latest", "langfuse:wroker": "1"}, {})
    with pytest.raises(InvalidSettingsError) as caught:
        _ = world.deployed.settings
    release, worker = caught.value.messages
    assert release.startswith('stack prod: langfuse:release: "latest": must be an exact Langfuse')
    assert worker.startswith("stack prod: langfuse:wroker: ")


# --- letting a store be replaced


def test_a_store_is_added_to_those_that_may_be_replaced_once() -> None:
    world = World([], {"langfuse:allowReplace": ["other"]}, {})
    for _ in range(2):
        world.deployed.allow_replacement("ours")
    assert world.stack.config["langfuse:allowReplace"] == ["other", "ours"]
    assert world.calls == ["config set"]


@pytest.mark.parametrize(
    ("before", "after"),
    [(["ours"], None), (["a", "ours", "b"], ["a", "b"]), (["a"], ["a"]), (None, None)],
)
def test_a_store_is_taken_from_those_that_may_be_replaced_and_the_others_stay(
    before: list[str] | None, after: list[str] | None
) -> None:
    world = World([], {} if before is None else {"langfuse:allowReplace": before}, {})
    world.deployed.forbid_replacement("ours")
    assert world.stack.config.get("langfuse:allowReplace") == after


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        (
            "error: the stack is currently locked by 1 lock(s)",
            "stack prod is locked by another update. Wait for its end; if it is dead: pulumi "
            "cancel --stack prod.",
        ),
        ("error: update failed", "pulumi up failed; its output is above."),
    ],
)
def test_an_update_that_fails_is_one_line(stderr: str, line: str) -> None:
    world = World([], {}, {})

    def fail() -> None:
        raise failing(255, stderr)

    world.stack.on_up = fail
    assert refusal(world.deployed.up) == line


def test_an_arn_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:langfuse"
    plan_module.show(Plan(found=[arn], lost=[], steps=[]))
    assert arn in capsys.readouterr().out, "rich draws :secret: as a picture"
