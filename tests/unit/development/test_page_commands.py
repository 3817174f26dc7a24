"""What a reader copies from a page works: our command lines, examples of stack files and Python.

Each is held against what reads it: the program's own parser, the settings. It proves that names,
options and keys exist and that values are accepted. Nothing is run here, and what a command does is
not looked at; the commands of docs/story.md are run by tests of their own. AWS's commands are in
test_aws_commands.py.
"""

import ast
import inspect
import pkgutil
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, cast

import typer.main
import yaml
from typer.exceptions import Exit, TyperException

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from tests.unit.development.test_docs import DOCUMENTS, FENCE, ROOT, SPAN, text_of

OURS: Final = re.compile(r"(?:python3 -m automation|langfuse-aws) +(.+)")
PYTHON: Final = re.compile(r"([a-z_]+(?:\.[A-Za-z_]\w*)+)(?:\(.*\))?")
"""A dotted name, with or without its call."""
PLACEHOLDER: Final = re.compile(r"…|does not exist")
"""What stands for a reader's own value, or is a file of the reader's."""
OTHERS: Final = {
    "--all": "helm get values",
    "--applied": "prisma migrate resolve",
    "--auth-token-update-strategy": "aws elasticache modify-replication-group",
    "--help": "every command",
    "--only": "development.mutants",
    "--path": "pulumi config set",
    "--policy-pack-config": "pulumi preview",
    "--refresh": "pulumi up",
    "--run-program": "pulumi refresh",
    "--show-urns": "pulumi stack",
    "--skip-preview": "pulumi up",
    "--sse": "aws s3 cp",
}
"""Options of other programs that a sentence names by themselves."""
AROUND_AN_EXAMPLE: Final = ({"size": "dev"}, {"size": "prod", "domain": "langfuse.example.com"})


def lines_of_blocks(languages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each line of the blocks in these languages, with its page; continued ones are one."""
    for document in DOCUMENTS:
        for match in FENCE.finditer(text_of(document)):
            if match[1] in languages:
                for line in match[2].replace("\\\n", " ").splitlines():
                    yield str(document.relative_to(ROOT)), line


def spans() -> Iterator[tuple[str, str]]:
    """Each code span, with its page."""
    for document in DOCUMENTS:
        for span in SPAN.findall(FENCE.sub("", text_of(document))):
            yield str(document.relative_to(ROOT)), span


def words_of(line: str) -> list[str]:
    """The first command's words, as a shell would take them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("();<>|&"):
            break
        words.append(word)
    return words


def refused(words: list[str]) -> str | None:
    """What the program's parser says of a command line."""
    command = command_line()
    context = None
    while commands := getattr(command, "commands", None):
        if not words or words[0].startswith("-"):
            return None  # the program's own, such as --version
        name, *words = words
        if name.isupper() or name == "…":
            return None
        if name not in commands:
            return f"there is no command {name}"
        command = commands[name]
        context = command.context_class(command, info_name=name, parent=context)
    try:
        command.make_context(command.name, words, parent=context)
    except Exit:  # --help
        return None
    except TyperException as error:
        said = f"{type(error).__name__}: {error}"
        return None if PLACEHOLDER.search(said) else said
    return None


def test_every_command_line_in_a_block_is_one_that_the_program_takes() -> None:
    found = {
        (page, line): said
        for page, line in lines_of_blocks(("sh", "console"))
        if (match := OURS.search(line)) and (said := refused(words_of(match[1])))
    }
    assert found == {}


def test_a_shell_takes_no_part_of_our_command_lines_for_a_redirection() -> None:
    """As it does with `cost>10%`, which wants quotes."""
    quoted = re.compile(r"'[^']*'|\"[^\"]*\"")
    found = {
        (page, line)
        for page, line in lines_of_blocks(("sh", "console"))
        if OURS.search(line) and re.search(r"[^\s\d<>&][<>]", quoted.sub("", line))
    }
    assert found == set()


def test_every_command_line_in_a_sentence_exists_with_its_options() -> None:
    names = "|".join(commands())
    short = re.compile(rf"((?:{names})\b.* --.+)")
    found = {
        (page, span): said
        for page, span in spans()
        if (match := OURS.search(span) or short.fullmatch(span))
        and (said := refused(words_of(match[1])))
        and not re.match(r"MissingParameter|.+ requires an argument", said)  # it is not whole
    }
    assert found == {}


def test_every_option_that_is_named_alone_is_ours_or_listed() -> None:
    ours = set(options_of(command_line()))
    found = {
        (page, span)
        for page, span in spans()
        if (match := re.match(r"--[a-z][a-z-]*", span)) and match[0] not in ours | set(OTHERS)
    }
    assert found == set()


@cache
def command_line() -> Any:
    return typer.main.get_group(app)


def commands() -> Mapping[str, Any]:
    """The program's commands, by their names."""
    return command_line().commands


def options_of(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for each in getattr(command, "commands", {}).values():
        yield from options_of(each)


def test_every_example_of_a_stack_file_is_taken() -> None:
    wrong: list[str] = []
    looked_at = 0
    for document in DOCUMENTS:
        if document.name in ("errors.md", "story.md"):  # held by what their own tests run
            continue
        for match in FENCE.finditer(text_of(document)):
            found: Any = yaml.safe_load(match[2]) if match[1] == "yaml" else None
            if not isinstance(found, dict):
                continue
            file = cast("dict[str, Any]", found)
            if not (given := of_namespace(file.get("config") or file)):
                continue
            looked_at += 1
            by_size = [problems_of({**each, **given}) for each in AROUND_AN_EXAMPLE]
            if all(by_size):
                wrong.append(f"{document.name}: {min(by_size, key=len)}")
    assert wrong == []
    assert looked_at > 10


def problems_of(given: dict[str, Any]) -> list[str]:
    """What is wrong, but for secrets, which no file has in the clear, and a reader's own values."""
    try:
        load(given)
    except SettingsError as error:
        left_out = re.compile(rf"langfuse:({'|'.join(SECRET_KEYS)})\S*: is not set|.*\\u2026")
        return [line for line in error.problems if not left_out.match(line)]
    return []


def test_every_key_is_set_as_pulumi_wants_it() -> None:
    """A key with a dot by --path, or it is one key with a dot in its name; a secret as one."""
    wrong: list[str] = []
    for page, line in (*lines_of_blocks(("sh", "console")), *spans()):
        for command in re.findall(r"pulumi config set (.*)", line):
            words = words_of(command)
            key = next((word for word in words if ":" in word), None)
            if key is None:  # `pulumi config set --path …`
                continue
            path = re.search(r"[.[]", key.partition(":")[2]) is not None
            secret = key.removeprefix("langfuse:") in SECRET_KEYS
            if ("--path" in words, "--secret" in words) != (path, secret):
                wrong.append(f"{page}: {line}")
    assert wrong == []


def test_every_dotted_name_of_python_can_be_had() -> None:
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"policy"}
    found = {
        (page, span)
        for page, span in spans()
        if (match := PYTHON.fullmatch(span))
        and match[1].partition(".")[0] in ours
        and page != "CHANGELOG.md"  # which tells of names that are gone
        and not (ROOT / match[1]).is_file()
        and not can_be_had(match[1])
    }
    assert found == set()


def can_be_had(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_every_source_that_is_named_is_there() -> None:
    """By its path, or by the end of it."""
    sources = [
        f"/{path.relative_to(ROOT)}"
        for pattern in ("**/*.py", "**/*.csv", "**/*.js")
        for path in ROOT.glob(pattern)
        if ".venv" not in path.parts
    ]
    found = {
        (page, span)
        for page, span in spans()
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)*\.(py|csv|js)", span)
        and not any(source.endswith(f"/{span}") for source in sources)
    }
    assert found == set()


def test_every_example_in_python_imports_and_calls_what_there_is() -> None:
    wrong: list[str] = []
    looked_at = 0
    for document in DOCUMENTS:
        for match in FENCE.finditer(text_of(document)):
            if match[1] != "python":
                continue
            looked_at += 1
            tree = ast.parse(match[2])
            names: dict[str, Any] = {}
            imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module([*imports], []), document.name, "exec"), names)  # noqa: S102
            wrong += [f"{document.name}: {line}" for line in unfit_calls(tree, names)]
    assert wrong == []
    assert looked_at >= 3


def unfit_calls(tree: ast.AST, names: dict[str, Any]) -> Iterator[str]:
    """Calls of imported names, and of the stack that they make, with other arguments than those."""
    known: dict[str, Any] = {**names, "stack": LangfuseStack}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        text = ast.unparse(node.func)
        first, *attributes = text.split(".")
        if first not in known:
            continue
        called = known[first]
        for attribute in attributes:
            called = getattr(called, attribute, "no such thing")
        itself = [None] if first == "stack" else []
        by_name = {each.arg or "": None for each in node.keywords}
        try:
            inspect.signature(cast("Any", called)).bind(*itself, *node.args, **by_name)
        except TypeError as error:
            yield f"{text}: {error}"


def test_the_page_of_the_library_has_its_arguments_and_methods() -> None:
    page = text_of(ROOT / "docs/automation.md")
    arguments, methods = (
        re.search(rf"^\| {head} \|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
        for head in ("`LangfuseStack`", "Method")
    )
    assert arguments
    assert methods
    cells = [line.split(" | ")[0] for line in arguments[1].splitlines()[1:]]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(inspect.signature(LangfuseStack).parameters) - {"name"}
    cells = [line.split(" | ")[0] for line in methods[1].splitlines()[1:]]
    calls = [f"stack.{code}" for cell in cells for code in re.findall(r"`([^`]+)`", cell)]
    assert list(unfit_calls(ast.parse("\n".join(calls)), {})) == []
