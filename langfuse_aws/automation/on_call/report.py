"""What `status` found of a stack at one moment, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from langfuse_aws.automation.hours.asleep import Asleep
from langfuse_aws.automation.on_call.findings import Finding, State, iso

WORDS: Final[Mapping[State, tuple[str, str]]] = {
    "ok": ("ok", "green"),
    "wrong": ("wrong", "bold red"),
    "unknown": ("?", "yellow"),
}
HEADINGS: Final[Mapping[str, State]] = {"WRONG": "wrong", "NOT READ": "unknown"}
WIDE: Final = 100
"""Columns from which on a table has room for its third one."""
WRONG: Final = 3
UNREAD: Final = 4
"""Exit codes of a stack that is not well, and of one that nobody can say it of."""


@dataclass(frozen=True)
class Report:
    """Everything that was found, in the order of the screen."""

    stack: str
    region: str
    account: str
    at: datetime
    findings: Sequence[Finding]
    asleep: Asleep | None = None
    """None too if nobody could say."""

    @property
    def state(self) -> State:
        """`ok` only if everything was read, and all of it is."""
        states = {each.state for each in self.findings}
        return "wrong" if "wrong" in states else "unknown" if "unknown" in states else "ok"

    @property
    def exit_code(self) -> int:
        """0: well. WRONG: something is not. UNREAD: nothing is wrong, but not all was read."""
        return {"ok": 0, "wrong": WRONG, "unknown": UNREAD}[self.state]

    @property
    def headline(self) -> str:
        """The first line: what matters most."""
        where = f"{self.stack} in {self.region}, account {self.account}"
        wrong = [each.subject for each in self.findings if each.state == "wrong"]
        unread = [each.subject for each in self.findings if each.state == "unknown"]
        said = [
            *([f"{len(wrong)} wrong: {', '.join(wrong)}"] if wrong else []),
            *([f"{len(unread)} not read: {', '.join(unread)}"] if unread else []),
        ]
        said = said or ["all is well"]
        if self.asleep is not None:
            said.insert(0, f"asleep {self.asleep.until_text} ({self.asleep.remedy} wakes it)")
        return f"{where}: {'; '.join(said)}"

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`; docs/status.md promises its shape."""
        return {
            "stack": self.stack,
            "region": self.region,
            "account": self.account,
            "at": iso(self.at),
            "state": self.state,
            "asleep": self.asleep.to_json() if self.asleep else None,
            "findings": [asdict(each) for each in self.findings],
        }

    def lines(self) -> list[str]:
        """A line for each finding, for a pipe."""
        return [
            f"{iso(self.at)} {self.headline}",
            *(
                f"{WORDS[each.state][0]}\t{each.section}\t{each.subject}\t{_whole(each)}"
                for each in self.findings
            ),
        ]

    def screen(self, width: int) -> RenderableType:
        """The screen of a terminal: a table, or what fits one of few columns."""
        layout = _table if width >= WIDE else _stacked
        headline = Text(self.headline, WORDS[self.state][1])
        return Group(headline, Text(iso(self.at), "dim"), layout(self.findings))


def _groups(findings: Sequence[Finding]) -> Iterator[tuple[str, list[tuple[str, Finding]]]]:
    """Give what is not well first, for a screen with few lines; then the rest by its section."""
    for heading, state in HEADINGS.items():
        if found := [each for each in findings if each.state == state]:
            yield heading, [(f"{each.section} {each.subject}", each) for each in found]
    well = (each for each in findings if each.state == "ok")
    for section, inside in groupby(well, lambda each: each.section):
        yield section.upper(), [(each.subject, each) for each in inside]


def _table(findings: Sequence[Finding]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for heading, inside in _groups(findings):
        table.add_row("", Text(heading, "bold"), "")
        for subject, each in inside:
            word, style = WORDS[each.state]
            text = Text(each.text)
            if each.remedy:
                text.append("\n").append(_remedy(each))
            table.add_row(Text(word, style), Text(subject), text)
    return table


def _stacked(findings: Sequence[Finding]) -> RenderableType:
    lines: list[RenderableType] = []
    for heading, inside in _groups(findings):
        lines.append(Text(heading, "bold"))
        for subject, each in inside:
            word, style = WORDS[each.state]
            lines.append(Text.assemble((f"{word:5} ", style), f"{subject}: {each.text}"))
            if each.remedy:
                lines.append(_remedy(each))
    return Group(*lines)


def _remedy(finding: Finding) -> Text:
    """Write it; an address stays one for a terminal that can open it, wherever it is broken."""
    address = finding.remedy if finding.remedy.startswith("https://") else None
    return Text.assemble(("→ ", "dim"), (finding.remedy, Style(dim=True, link=address)))


def _whole(finding: Finding) -> str:
    text = " ".join(finding.text.split())
    return f"{text} → {finding.remedy}" if finding.remedy else text
