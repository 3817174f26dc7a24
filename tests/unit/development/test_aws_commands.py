"""Each command of the AWS CLI that a page, a message or a script tells somebody to run.

Proves, by botocore's models, from which the CLI is made: the operation or the waiter exists and has
each option, none that it cannot do without is missing, values are of their enumerations, members
of structures are spelt so, and `--query` finds something in an answer. A command without a single
option is taken for its name. It does not prove that AWS does what the sentence around it says.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import botocore
import jmespath
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from tests.unit.development.test_docs import DOCUMENTS, ROOT, code_of
from tests.unit.stack_graph import build, shipped, shipped_config

COMMAND: Final = re.compile(r"(?<![\w./-])aws (?=[a-z0-9-]+ [a-z0-9-]+)")
SCRIPTS: Final = ("components", "langfuse_aws", "policy", "plugin", "automation")
FILLED_IN: Final = "FILLED-IN"
"""What stands for a value that a message gets when it is written."""

GLOBAL: Final = {"region", "profile", "query", "output", "max-items", "cli-input-json"}
"""https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html"""

OWN: Final[Mapping[str, set[str]]] = {
    "configure": set(),
    "sso login": {"profile"},
    "logs tail": {"since", "follow", "format", "filter-pattern"},
    "s3 cp": {"recursive", "metadata-directive", "sse", "sse-kms-key-id"},
    "s3 sync": set(),
}
"""Commands of the CLI's own with their options. https://docs.aws.amazon.com/cli/latest/reference/"""

OWN_OPTIONS: Final[Mapping[str, set[str]]] = {
    # One metric without MetricData.
    "cloudwatch put-metric-data": {"metric-name", "unit", "dimensions", "value"}
}
"""What the CLI adds to an operation."""

DEPTH: Final = 12
"""How far a sample follows structures, some of which have themselves in them."""

NOT_COMMANDS: Final = {"aws and random", "aws provider says", "aws by its", "aws need not"}
"""Sentences about the provider `aws`."""


@dataclass(frozen=True)
class Command:
    """A command line, as it was found."""

    where: str
    text: str

    @property
    def words(self) -> list[str]:
        """As a shell has them, but for what it would fill in."""
        return [word.strip("\"'") for word in re.findall(r"""(?:"[^"]*"|'[^']*'|\S)+""", self.text)]

    @property
    def name(self) -> str:
        """Service and operation; `rds wait db-cluster-available`."""
        words = self.words[1:4]
        return " ".join(words if words[1:2] == ["wait"] else words[:2])

    @property
    def options(self) -> dict[str, list[str]]:
        """The values of each option, and the words of a sentence that goes on behind the last."""
        found: dict[str, list[str]] = {}
        for word in self.words[1 + len(self.name.split()) :]:
            if word.startswith("--"):
                found[word[2:]] = []
            elif found:
                found[next(reversed(found))].append(word)
        return found


def until_its_end(text: str) -> str:
    """What of a text is its first command: up to a sign of the shell, or the end of a clause."""
    quote = ""
    for index, sign in enumerate(text):
        behind = text[index + 1 : index + 2]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif (sign in "`;|\n><&)" and text[index - 1] != "\\") or (
            sign in ",." and behind in ("", " ", "\n")
        ):
            return text[:index]
    return text


def literals(path: Path) -> Iterator[str]:
    """The texts of a module, each as one piece."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in formatted for part in node.values}
    for node in formatted:
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else FILLED_IN for part in node.values
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def sources() -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        yield from ((path, code) for code in code_of(path))
    for folder in SCRIPTS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix == ".py":
                yield from ((path, literal) for literal in literals(path))
            elif path.suffix == ".sh":
                yield path, path.read_text(encoding="utf-8")


@cache
def commands() -> Sequence[Command]:
    found = [
        Command(str(path.relative_to(ROOT)), until_its_end(text[match.start() :]))
        for path, text in sources()
        for match in COMMAND.finditer(text)
    ]
    return [each for each in found if not any(each.text.startswith(no) for no in NOT_COMMANDS)]


@cache
def model(service: str) -> Any:
    loader: Any = Loader()
    name = {"s3api": "s3"}.get(service, service)
    return ServiceModel(loader.load_service_model(name, "service-2"))


def option(name: str) -> str:
    """What the CLI calls an operation or a member."""
    sdk: Any = botocore
    return sdk.xform_name(name, "-")


@cache
def operations(service: str) -> dict[str, Any]:
    """By the CLI's names; waiters are the operation that they repeat."""
    found = {
        option(each): model(service).operation_model(each)
        for each in model(service).operation_names
    }
    loader: Any = Loader()
    try:
        waiters = loader.load_service_model(service, "waiters-2")["waiters"]
    except UnknownServiceError:
        return found
    for each, waiter in waiters.items():
        found[f"wait {option(each)}"] = model(service).operation_model(waiter["operation"])
    return found


def operation(command: Command) -> Any:
    service, _, name = command.name.partition(" ")
    try:
        return operations(service).get(name)
    except UnknownServiceError:
        return None


def members(shape: Any) -> dict[str, Any]:
    """The members of an operation's input, by the CLI's options."""
    return {option(name): each for name, each in shape.members.items()} if shape else {}


def needed(command: Command) -> set[str]:
    """The options that a command cannot do without.

    ECS takes a cluster `default` for none: no stack has it.
    """
    shape = operation(command).input_shape
    required: list[str] = shape.required_members if shape else []
    found = {option(name) for name in required}
    if command.name.startswith("ecs ") and "cluster" in members(shape):
        found.add("cluster")
    return found


def wrong_value(shape: Any, value: str) -> str | None:
    """What is wrong with one word of an option's value."""
    if shape.type_name == "list":
        return wrong_value(shape.member, value)
    if shape.type_name == "string" and shape.enum:
        filled_in = "$" in value or FILLED_IN in value or not value.isascii()
        return None if filled_in or value in shape.enum else f"{value} is none of {shape.enum}"
    if shape.type_name == "structure" and re.match(r"\w+=", value):
        named = re.findall(r"(?:^|,)(\w+)=", re.sub(r"\{.*\}", "", value))
        unknown = sorted(set(named) - set(shape.members))
        return f"{value}: no member {', '.join(unknown)}" if unknown else None
    return None


def sample(shape: Any, depth: int = 0) -> Any:
    """An answer with one of everything."""
    if shape.type_name == "structure":
        inner = shape.members.items() if depth < DEPTH else ()
        return {name: sample(each, depth + 1) for name, each in inner}
    if shape.type_name == "list":
        return [sample(shape.member, depth + 1)]
    return "text"


def empty(found: Any) -> bool:
    """Whether a query has found nothing somewhere; an empty list may be a filter's."""
    return found is None or (isinstance(found, list) and any(map(empty, cast("list[Any]", found))))


def faults(command: Command) -> Iterator[str]:
    """Say what the CLI would refuse."""
    if command.name in OWN or command.name.split()[0] in OWN:
        known = OWN.get(command.name, set()) | GLOBAL
        yield from (f"no option --{each}" for each in set(command.options) - known)
        return
    if FILLED_IN in command.name:
        return
    if not (found := operation(command)):
        yield "no such command"
        return
    options, shapes = command.options, members(found.input_shape)
    own = OWN_OPTIONS.get(command.name, set())
    for name, values in options.items():
        positive = name.removeprefix("no-")
        boolean = positive in shapes and shapes[positive].type_name == "boolean"
        shape = shapes[positive] if boolean else shapes.get(name)
        if shape is None:
            if name not in GLOBAL | own:
                yield f"no option --{name}"
        elif values and (wrong := wrong_value(shape, values[0])):
            yield wrong
    if options and "…" not in command.text and (missing := needed(command) - set(options)):
        yield f"without --{', --'.join(sorted(missing))}"
    for query in options.get("query", [])[:1]:
        if empty(jmespath.search(query, sample(found.output_shape))):
            yield f"{query} finds nothing"


def test_the_cli_takes_every_command() -> None:
    wrong = [
        f"{command.where}: {command.text}: {fault}"
        for command in commands()
        for fault in faults(command)
    ]
    assert wrong == []


def test_commands_of_every_kind_of_source_are_found() -> None:
    found = {Path(each.where).suffix for each in commands()}
    assert (found, len(commands()) > 150) == ({".md", ".py", ".sh"}, True)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("aws ecs describe-task --cluster C", "no such command"),
        ("aws nowhere list-tasks", "no such command"),
        ("aws ecs list-tasks --cluster C --status STOPPED", "no option --status"),
        ("aws ecs list-tasks --cluster C --desired-status STOP", "STOP is none of"),
        ("aws ecs update-service --force-new-deployment", "without --cluster, --service"),
        ("aws rds wait db-cluster-ready --db-cluster-identifier C", "no such command"),
        ("aws rds wait db-cluster-available --name C", "no option --name"),
        ("aws ec2 describe-subnets --filters Name=vpc-id,Value=V", "no member Value"),
        ("aws acm describe-certificate --certificate-arn A --query Domain", "finds nothing"),
        ("aws logs tail GROUP --last 1h", "no option --last"),
    ],
)
def test_a_mistake_is_found(text: str, fault: str) -> None:
    assert any(fault in each for each in faults(Command("here", text)))


@pytest.mark.parametrize(
    "text",
    [
        "aws ecs describe-tasks",
        "aws ecs update-service --cluster … --force-new-deployment",
        "aws rds modify-db-cluster --db-cluster-identifier C --no-deletion-protection",
        "aws iam list-policies shows what there is",
    ],
)
def test_a_right_command_passes(text: str) -> None:
    assert list(faults(Command("here", text))) == []


def test_what_a_command_looks_for_by_name_is_there() -> None:
    """Names that the program gives, without what Pulumi appends: tags, families, prefixes."""
    three = {**shipped_config("prod"), "clickhouse": {"replicas": 3}}
    waf: dict[str, Any] = {"ingress": {"kind": "alb", "waf": {}}}
    alarms = {"alarms": {"email": "you@example.com"}}
    stacks = [build("prod", {**three, **waf, **alarms}), shipped("prod"), shipped("staging")]
    registered = [each for stack in stacks for each in stack.registrations]
    names = {each.name for each in registered}
    tagged: list[Mapping[str, Any]] = [each.inputs for each in registered]
    tagged += [part for each in tagged for part in each.get("tagSpecifications") or ()]
    tags: set[str] = {each["tags"]["Name"] for each in tagged if "Name" in each.get("tags", {})}
    looked_for = {
        r"Name=tag:Name,Values=(\S+)": tags,
        r"--family (\S+)": names,
        r"--task-definition (langfuse-\S+)": names,
        r"--alarm-name-prefix (\S+)": {each.rpartition("-")[0] for each in names},
        r"--log-group-name-prefix (\S+)": names,
        r"--name-prefix (\S+)": names,
    }
    for pattern, known in looked_for.items():
        found: list[str] = [name for each in commands() for name in re.findall(pattern, each.text)]
        told = {each for each in found if FILLED_IN not in each}
        assert (told - known, bool(told)) == (set(), True), pattern
