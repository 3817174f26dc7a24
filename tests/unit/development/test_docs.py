"""The documentation agrees with the program.

It proves that generated parts are current and that names in the text exist: files, headings, make
targets, outputs, settings, components. Whether the sentences around them are true, it cannot tell.
"""

import ast
import fnmatch
import itertools
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from development import configuration_tables, docs
from langfuse_aws.settings.messages import DISCRIMINATORS, VARIANTS, keys
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from langfuse_aws.settings.sizing import SIZING

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
MAKE = re.compile(r"(?:^|[\s(])make ((?:[A-Za-z_]+=\S+ )*)([a-z][a-z-]*)")
KEY = re.compile(r"langfuse:(?!index:)([a-zA-Z][a-zA-Z0-9]*(?:\.[a-zA-Z]+)*)")
REFUSED_KEY = re.compile(r"langfuse:([\w.]+): (?:.+: unknown key|is a secret, and stored)")
TOKEN = re.compile(r'__init__\(\s*"(langfuse:index:\w+)"')
ADDRESS = re.compile(r"https?://\S+")
MODULE = re.compile(r"(?<![\w/.-])(?:[\w-]+/)*[\w-]+\.py\b")
FOLDERS = (
    *("automation", "components", "development", "examples"),
    *("langfuse_aws", "plugin", "policy", "tests"),
)
OF_OTHERS = {
    "awscli/customizations/sessionmanager.py",
    "ecs/executecommand.py",
    "typer/rich_utils.py",
}
"""Modules of other projects that ours are about."""
FREE_MAPPINGS = ("web.environment.", "worker.environment.")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def prose_of(source: Path) -> Iterator[str]:
    """The docstrings and comments of a module, without addresses."""
    text = text_of(source)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield ADDRESS.sub("", str(node.value.value))
    yield from re.findall(r" # .*|^# .*", ADDRESS.sub("", text), re.MULTILINE)


def code_of(document: Path) -> Iterator[str]:
    """Fenced blocks and code spans."""
    text = text_of(document)
    yield from (match[2] for match in FENCE.finditer(text))
    yield from SPAN.findall(FENCE.sub("", text))


def anchors_of(document: Path) -> set[str]:
    """The anchors GitHub makes of a file's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(document)), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {word.strip().replace(" ", "-") for word in words}


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def section(text: str, heading: str) -> str:
    """What stands between a heading of the second level and the next one."""
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[
        0
    ]


def exported_names() -> list[str]:
    """The outputs that `deploy` fills in, all of which the program exports."""
    wiring = ast.parse((ROOT / "components/langfuse.py").read_text(encoding="utf-8"))
    return [
        ast.literal_eval(node.slice)
        for node in ast.walk(wiring)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "outputs"
    ]


def test_every_generated_part_is_current() -> None:
    names = [str(path.relative_to(ROOT)) for path in docs.stale()]
    assert not names, f"{names} are stale: run make docs"


def test_a_generated_file_that_is_gone_or_different_is_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = {"plugin/arguments.py": lambda: "new", "docs/none.svg": lambda: "new"}
    monkeypatch.setattr(docs, "PARTS", {})
    monkeypatch.setattr(docs, "FILES", new)
    assert docs.stale() == {ROOT / name: "new" for name in new}


def test_the_check_names_the_stale_file_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "stale", lambda: {ROOT / "docs/cost.md": "anything"})
    monkeypatch.setattr(sys, "argv", ["docs", "--check"])
    assert docs.main() == 1
    assert "docs/cost.md is stale" in capsys.readouterr().err


def test_the_configuration_table_has_every_key_once() -> None:
    listed = re.findall(
        r"^\| `([^`]+)` \|", configuration_tables.full_configuration(), re.MULTILINE
    )
    sections = {path.partition(".")[0] for path in listed}
    fields = {field.alias or name for name, field in Settings.model_fields.items()}
    assert len(listed) == len(set(listed)), "a key is listed twice"
    assert sections == fields | set(SECRET_KEYS)


def test_every_key_has_a_meaning() -> None:
    silent = [key.path for key in configuration_tables.all_keys() if not key.meaning]
    assert not silent, f"no description in settings/ for {silent}"


def test_a_key_that_several_shapes_have_means_the_same_in_each() -> None:
    differing = [
        f"{section}.{name}"
        for section, shapes in VARIANTS.items()
        for name in {name for model in shapes.values() for name in keys(model)}
        if len(set(meanings(shapes.values(), name))) > 1
    ]
    assert not differing, f"the table has the first shape's description of {differing} alone"


def meanings(models: Iterable[type[BaseModel]], name: str) -> Iterator[str]:
    for model in models:
        for field in model.model_fields.values():
            if field.alias == name:
                yield re.sub(r" \(kind \w+\)$", "", field.description or "")


@pytest.mark.parametrize("section", DISCRIMINATORS)
def test_the_key_that_chooses_a_shape_is_listed_with_every_shape(section: str) -> None:
    path = f"{section}.{DISCRIMINATORS[section]}"
    (key,) = [key for key in configuration_tables.all_keys() if key.path == path]
    assert set(SPAN.findall(key.bounds)) == set(VARIANTS[section])
    assert not key.variants, "it is a key of all of them"


def test_the_key_of_some_shapes_is_listed_with_those() -> None:
    variants = {key.path: key.variants for key in configuration_tables.all_keys()}
    assert variants["postgres.backupRetentionDays"] == ("auroraServerless", "instance")
    assert variants["postgres.host"] == ("external",)
    assert variants["redis.replicas"] == ("elasticache",)


@pytest.mark.parametrize("section", ["clickhouse", "postgres", "redis"])
def test_what_an_external_store_needs_is_listed_as_required(section: str) -> None:
    model = VARIANTS[section]["external"]
    needed = {
        f"{section}.{field.alias}"
        for field in model.model_fields.values()
        if field.is_required() and field.alias != DISCRIMINATORS[section]
    }
    listed = {
        key.path
        for key in configuration_tables.all_keys()
        if key.path.startswith(f"{section}.") and key.bounds.endswith("; required")
    }
    assert listed == needed, "no other shape of a store has a key that must be set"


def test_no_pattern_hides_behind_the_word_text() -> None:
    untold = [
        key.path
        for key in configuration_tables.all_keys()
        if re.match(r"(list of )?text\b", key.bounds) and key.path != "ingress.hostedZone"
    ]
    assert not untold, f"CHECKED_BY_CODE lacks {untold}"


def test_no_bound_is_written_down_for_a_key_that_is_gone() -> None:
    paths = {key.path for key in configuration_tables.all_keys()}
    assert set(configuration_tables.CHECKED_BY_CODE) <= paths


def test_every_size_has_a_stack_file() -> None:
    shipped = {path.suffixes[0].strip(".") for path in ROOT.glob("Pulumi.*.yaml")}
    assert shipped >= set(SIZING)


def in_documents(find: Callable[[str], Iterable[str]]) -> dict[str, set[str]]:
    """What is found in the code of a document, with the documents."""
    found: dict[str, set[str]] = {}
    for document in DOCUMENTS:
        for code in code_of(document):
            for each in find(code):
                found.setdefault(each, set()).add(str(document.relative_to(ROOT)))
    return found


def test_every_relative_link_leads_to_a_file_and_a_heading() -> None:
    broken: list[str] = []
    for document in DOCUMENTS:
        for link in LINK.findall(FENCE.sub("", text_of(document))):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (document.parent / name).resolve() if name else document
            if not target.is_file() or (anchor and anchor not in anchors_of(target)):
                broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert not broken, "links to nowhere"


def test_every_make_target_that_is_named_exists() -> None:
    named = in_documents(lambda code: (match[2] for match in MAKE.finditer(code)))
    assert {each: where for each, where in named.items() if each not in make_targets()} == {}


def test_every_setting_that_is_named_exists() -> None:
    known = {key.path for key in configuration_tables.all_keys()} | set(SECRET_KEYS)
    known |= {path.partition(".")[0] for path in known}
    known |= in_documents(REFUSED_KEY.findall).keys()
    named = in_documents(KEY.findall)
    unknown = {
        each: where
        for each, where in named.items()
        if each not in known and not each.startswith(FREE_MAPPINGS)
    }
    assert unknown == {}, "not in settings/"


def test_the_outputs_table_has_every_output_and_nothing_else() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", section(README, "Outputs"), re.MULTILINE)
    assert sorted(listed) == sorted(exported_names())


def test_every_output_that_is_asked_for_or_named_exists() -> None:
    asked = in_documents(re.compile(r"pulumi stack output (\w+)").findall)
    asked |= in_documents(re.compile(r"\boutputs?\.(\w+)").findall)
    ends = re.compile(r"\w+_(?:url|arn|name|names|usd)")
    named = in_documents(lambda code: [code] if ends.fullmatch(code) else [])
    found = {**asked, **named}
    assert len(found) > 8
    assert {each: where for each, where in found.items() if each not in exported_names()} == {}


def commands_of_the_readme() -> list[list[str]]:
    """Its blocks of commands, in order."""
    return [match[2].splitlines() for match in FENCE.finditer(README) if match[1] == "sh"]


def test_the_first_commands_are_the_two_that_need_no_account() -> None:
    assert commands_of_the_readme()[0] == ["make demo", "make test"]


def test_the_second_commands_are_those_that_deploy() -> None:
    commands = [line.split()[:3] for line in commands_of_the_readme()[1]]
    assert [" ".join(each) for each in commands] == [
        "pulumi stack init",
        "pulumi config set",
        "pulumi config set",
        "python3 -m automation",
        "pulumi up",
    ]


def test_the_architecture_page_has_the_token_of_every_component() -> None:
    page = text_of(ROOT / "docs/architecture.md")
    for file in sorted((ROOT / "components").rglob("*.py")):
        for token in TOKEN.findall(file.read_text(encoding="utf-8")):
            row = f"| `{file.relative_to(ROOT)}` | `{token}` |"
            assert row in page, f"docs/architecture.md lacks the row {row}"


def test_the_architecture_page_names_each_folder() -> None:
    named = set(re.findall(r"([a-z_]+)/", "".join(code_of(ROOT / "docs/architecture.md"))))
    rooms = ("", "components", "langfuse_aws", "langfuse_aws/automation", "tests")
    there = {
        path.name
        for room in rooms
        for path in (ROOT / room).iterdir()
        if path.is_dir() and any(path.glob("*.py"))
    }
    assert there - named == set()


def test_the_architecture_page_names_no_component_that_is_gone() -> None:
    page = text_of(ROOT / "docs/architecture.md")
    gone = [
        name
        for name in re.findall(r"`(components/[\w/]+\.py)`", page)
        if not (ROOT / name).is_file()
    ]
    assert not gone


def test_clickhouse_says_who_may_reach_it() -> None:
    page = (ROOT / "docs/network.md").read_text(encoding="utf-8")
    source = (ROOT / "components/clickhouse/clickhouse.py").read_text(encoding="utf-8")
    said = dict(re.findall(r"at port (\d+) \(\w+\) ([^;.]+)", " ".join(source.split())))
    row = re.compile(r"^\| ([^|]+) \| ClickHouse server \| (8123|9000) \|", re.MULTILINE)
    callers = {
        port: {name.split()[-1].lower() for name in names.split(", ")}
        for names, port in row.findall(page)
    }
    words = {
        port: set(re.findall(r"\w+", text.lower())) - {"the", "and", "itself"}
        for port, text in said.items()
    }
    assert words == callers


def test_every_module_that_a_docstring_or_a_comment_names_exists() -> None:
    sources = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if not path.is_relative_to(ROOT / "langfuse_aws/components")
    ]
    there = {path.relative_to(ROOT).as_posix() for path in sources}
    gone = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in sources
        for text in prose_of(path)
        for name in MODULE.findall(text)
        if not any(each == name or each.endswith(f"/{name}") for each in there)
    }
    assert {name for _, name in gone} == OF_OTHERS, gone


def test_every_fault_says_where_it_is_tested_and_every_test_that_is_named_exists() -> None:
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    table = text.split("| --- | --- | --- |")[1].split("\n\n")[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert len(rows) >= 12
    twice = [fault for fault, times in Counter(row[0] for row in rows).items() if times > 1]
    assert twice == []
    assert all(len(row) == 3 and all(row) for row in rows)
    named = {name for row in rows for name in re.findall(r"test_[a-z_]+\*?\.py", row[2])}
    there = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    missing = [name for name in named if not fnmatch.filter(there, name)]
    assert missing == []
    silent = [row[0] for row in rows if not re.search(r"test_[a-z_]+\*?\.py", row[2])]
    assert silent == [], "a fault without a test"


def test_each_row_of_a_table_is_under_its_head_and_has_its_columns() -> None:
    """GitHub shows other rows as text, or leaves their last cells out."""
    strays: list[str] = []
    for document in DOCUMENTS:
        columns = 0
        lines = FENCE.sub("", text_of(document)).splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if not line.startswith("|"):
                columns = 0
                continue
            cells = len(re.findall(r"(?<!\\)\|", line)) - 1
            if not columns and re.fullmatch(r"(\| :?-+:? )+\|", following):
                columns = cells
            if cells != columns:
                strays.append(f"{document.name}: {line[:60]}")
    assert strays == []


def test_a_shell_example_redirects_into_files_only() -> None:
    """An option such as `cost>10%` is a redirection to a shell, unless it is quoted."""
    targets: set[str] = set()
    for document in DOCUMENTS:
        for language, block in FENCE.findall(text_of(document)):
            if language == "sh":
                words = shlex.shlex(block, posix=True, punctuation_chars="<>")
                words.whitespace_split = True
                found = list(words)
                targets |= {file for to, file in itertools.pairwise(found) if to in (">", ">>")}
    assert targets
    assert [each for each in targets if not re.fullmatch(r"[\w-]+\.\w+", each)] == []
