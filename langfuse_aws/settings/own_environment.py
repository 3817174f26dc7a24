"""Checks the variables that a stack file gives the containers itself, by name and value.

Plain ones are `web.environment` and `worker.environment`, secret ones `secretEnvironment`, which
both containers get. What may be set, and why the rest may not, is in the table of
`contract.variables`. A name that the table lacks is refused for every release up to the one that
the table of its major was read off; a later release may have it, so there it passes unchecked.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from langfuse_aws.contract import node_options, timeouts
from langfuse_aws.contract.ports_and_health import (
    EVENT_PROPAGATION_VARIABLE,
    QUEUE_CONSUMPTION_VARIABLE,
)
from langfuse_aws.contract.variables import Variable, is_complete, known, number_of
from langfuse_aws.settings import sign_in_variables as sign_in
from langfuse_aws.settings.versions import version_of
from langfuse_aws.settings.wording import nearest, shown

STUCK_KEYS: Final = {
    QUEUE_CONSUMPTION_VARIABLE: "queueConsumptionStuckMinutes",
    EVENT_PROPAGATION_VARIABLE: "eventPropagationStuckMinutes",
}

SECRET: Final = re.compile(
    r"^(SALT|REDIS_AUTH)$|(SECRET|PASSWORD|PASSPHRASE|TOKEN|CREDENTIALS|_KEY)$|(SECRET|PASSWORD|ACCESS|LICENSE)_KEY|"
    r"CONNECTION_(URL|STRING)$|OTLP_HEADERS$"
)
"""Variables whose values nobody should read off a task definition."""

NOT_SECRET: Final = frozenset({"AUTH_DISABLE_USERNAME_PASSWORD"})
"""Switches whose names end like a secret's."""


def problems(
    config: Mapping[str, Any], secrets: Mapping[str, str | None], release: str
) -> list[str]:
    """Find everything wrong with the own variables of a stack file, one line each.

    `config` is the stack file over the row of its size. A secret of None is not known yet: only its
    name is checked.
    """
    checks = _Checks(config, release)
    plain = {container: own_variables(config, container) for container in checks.tables}
    lines = [
        _line(f"secretEnvironment.{name}", "", *problem)
        for name, value in secrets.items()
        for problem in checks.of_secret(name, value)
    ]
    for container, own in plain.items():
        for name, value in own.items():
            key = f"{container}.environment.{name}"
            value_shown = "" if is_secret(str(name)) else f" {shown(value)}:"
            problems = checks.of_plain(container, name, value)
            lines += [_line(key, value_shown, *problem) for problem in problems]
    return lines + list(_contradictions(plain, checks.both))


class _Checks:
    """The rules for one stack file; each yields what is wrong, and what to do."""

    def __init__(self, config: Mapping[str, Any], release: str) -> None:
        self._release = release
        major = version_of(release)[0]
        self.tables = {"web": known("web", major), "worker": known("worker", major)}
        self.both = {**self.tables["web"], **self.tables["worker"]}
        self._all = {**known("migration", major), **self.both}
        self._sections = sign_in.wired(config)
        self._memory = {container: _memory(config, container) for container in self.tables}

    def of_secret(self, name: str, value: str | None) -> Iterator[tuple[str, str]]:
        problems = list(self._problems(name, value, self.both))
        if not problems and value is not None:
            for container, table in self.tables.items():
                problems += self._beyond_langfuse(container, name, value) if name in table else []
        yield from dict.fromkeys(problems)

    def of_plain(self, container: str, name: str, value: Any) -> Iterator[tuple[str, str]]:
        if not isinstance(name, str) or not isinstance(value, str):  # pyright: ignore
            return  # the model says so
        problems = list(self._problems(name, value, self.tables[container], in_the_clear=True))
        yield from problems or self._beyond_langfuse(container, name, value)

    def _problems(
        self,
        name: str,
        value: str | None,
        table: Mapping[str, Variable],
        *,
        in_the_clear: bool = False,
    ) -> Iterator[tuple[str, str]]:
        row = table.get(name)
        if section := self._sections.get(name):
            yield f"langfuse:{section} sets this", "Remove it"
        elif (anywhere := self._all.get(name)) and anywhere.refusal:
            yield anywhere.refusal, f"{_instead(anywhere)}Remove it"
        elif in_the_clear and is_secret(name):
            yield (
                "looks like a secret, and this environment is stored in the clear",
                "Put it into the secret key langfuse:secretEnvironment",
            )
        elif row is None:
            if is_complete(version_of(self._release)):
                settable = [each for each in table if table[each].refusal is None]
                yield (
                    f"Langfuse {self._release} reads no such variable{nearest(name, settable)}",
                    "Check its spelling and that this container reads it",
                )
        elif row.use == "fixed":
            if value not in (None, row.constraint):
                yield f"must be {row.constraint}: {row.reason}", "Remove it"
        elif value is not None and (problem := row.problem(value)):
            yield f"Langfuse refuses this value: it {problem}", "Correct it"

    def _beyond_langfuse(self, container: str, name: str, value: str) -> Iterator[tuple[str, str]]:
        """Find a value that Langfuse accepts, and what surrounds it does not."""
        memory = self._memory[container]
        if name == node_options.VARIABLE and memory is not None:
            problem = node_options.problem(value, memory)
            if problem is not None:
                yield problem, f"Lower it, leave it out, or raise langfuse:{container}.memory"
        if container == "web" and name in timeouts.VARIABLES:
            problem = timeouts.problem(name, number_of(value) or 0)
            if problem is not None:
                yield problem, "Leave it out"


def _contradictions(
    plain: Mapping[str, Mapping[str, Any]], table: Mapping[str, Variable]
) -> Iterator[str]:
    web, worker = plain["web"], plain["worker"]
    for name, value in web.items():
        shared = name in table and table[name].use == "shared" and not is_secret(name)
        if shared and name in worker and worker[name] != value:
            yield _line(
                f"web.environment.{name}",
                f" {shown(value)}:",
                f"web and worker must agree on this, and worker.environment has "
                f"{shown(worker[name])}",
                "Write it once: both get it, whichever has it",
            )


def is_secret(name: str) -> bool:
    """Whether a variable's name says that nobody should read its value."""
    looks_so = SECRET.search(name) is not None
    return looks_so and name not in NOT_SECRET and not name.endswith("_ID_TOKEN")


def _instead(row: Variable) -> str:
    if row.name == "NEXT_PUBLIC_SIGN_UP_DISABLED":
        return "Use langfuse:auth.disableSignup. "
    if row.use != "program":
        return ""
    if row.name in STUCK_KEYS:
        return f"Use langfuse:worker.{STUCK_KEYS[row.name]}. "
    if "MIGRATION_V4" in row.name:
        return "Use langfuse:v4, which sets all that go together. "
    return "Use langfuse:bootstrap. " if row.name.startswith("LANGFUSE_INIT_") else ""


def _line(key: str, value: str, bound: str, remedy: str) -> str:
    return f"langfuse:{key}:{value} {bound}. {remedy}."


def own_variables(config: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    """The variables that a stack file gives a container in the clear, right or wrong."""
    return _map(_map(config.get(container)).get("environment"))


def _memory(config: Mapping[str, Any], container: str) -> int | None:
    """The memory of a container's task, MiB; None if the stack file has no number there."""
    memory = str(_map(config.get(container)).get("memory"))
    return int(memory) if re.fullmatch("[0-9]{1,9}", memory) else None


def _map(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}
