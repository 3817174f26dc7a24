"""Checks the variables that a stack file gives the containers itself, by name and value.

Plain ones are `web.environment` and `worker.environment`, secret ones `secretEnvironment`, which
both containers get. Langfuse 4 reads variables that the table lacks, so unknown names are refused
for Langfuse 3 only.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from contract import sign_in, timeouts
from contract.metrics import PUBLISHING_VARIABLE
from contract.runtime import EVENT_PROPAGATION_VARIABLE, QUEUE_CONSUMPTION_VARIABLE
from contract.variables import Variable, known
from settings.releases import LANGFUSE_MAJORS, version_of
from settings.wording import nearest, shown

WIRED: Final = re.compile(
    r"HOSTNAME|PORT|NEXTAUTH_URL|AWS_REGION|DATABASE_\w+|DIRECT_URL|"
    rf"{PUBLISHING_VARIABLE}|{QUEUE_CONSUMPTION_VARIABLE}|{EVENT_PROPAGATION_VARIABLE}|"
    r"CLICKHOUSE_(URL|MIGRATION_URL|MIGRATION_SSL|USER|PASSWORD|CLUSTER_ENABLED)|"
    r"LANGFUSE_AUTO_\w+_MIGRATION_DISABLED|"
    r"LANGFUSE_INIT_(ORG_(ID|NAME)|PROJECT_(ID|NAME|PUBLIC_KEY|SECRET_KEY)|USER_(EMAIL|PASSWORD))|"
    r"LANGFUSE_MIGRATION_V4_(WRITE_MODE|NATIVE_OTEL_BEHAVIOUR|ALLOW_PREVIEW_OPT_IN)|"
    r"LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL|"
    r"REDIS_(HOST|PORT|AUTH|CONNECTION_STRING|TLS_ENABLED|CLUSTER_\w+|SENTINEL_\w+)|"
    r"LANGFUSE_S3_(EVENT|MEDIA)_UPLOAD_\w*(BUCKET|PREFIX|REGION|ENDPOINT|ACCESS_KEY\w*|SSE\w*)|"
    r"LANGFUSE_S3_BATCH_EXPORT_\w*(BUCKET|PREFIX|REGION|ENDPOINT|ACCESS_KEY\w*|SSE\w*)"
)
"""Variables that follow from the stack's own resources. SALT, ENCRYPTION_KEY and NEXTAUTH_SECRET do
not: an installation that moves here brings its own."""

STUCK_KEYS: Final = {
    QUEUE_CONSUMPTION_VARIABLE: "queueConsumptionStuckMinutes",
    EVENT_PROPAGATION_VARIABLE: "eventPropagationStuckMinutes",
}

SECRET: Final = re.compile(
    r"^(SALT|REDIS_AUTH)$|(SECRET|PASSWORD|PASSPHRASE|TOKEN|CREDENTIALS|_KEY)$|(SECRET|PASSWORD|ACCESS|LICENSE)_KEY|"
    r"CONNECTION_(URL|STRING)$"
)
"""Variables whose values nobody should read off a task definition."""

NOT_SECRET: Final = frozenset({"AUTH_DISABLE_USERNAME_PASSWORD"})
"""Switches whose names end like a secret's."""


def problems(
    config: Mapping[str, Any], secrets: Mapping[str, str | None], release: str
) -> list[str]:
    """Find everything wrong with the own variables of a stack file, one line each.

    A secret of None is not known yet: only its name is checked.
    """
    major = version_of(release)[0]
    tables = {"web": known("web", major), "worker": known("worker", major)}
    both = {**tables["web"], **tables["worker"]}
    sections = sign_in.wired(config)
    lines = [
        _line(f"secretEnvironment.{name}", "", *fault)
        for name, value in secrets.items()
        for fault in (
            list(_faults(name, value, both, release, sections)) or _timeout_faults(name, value)
        )
    ]
    for container, table in tables.items():
        section = config.get(container)
        own = cast(Mapping[str, Any], section).get("environment") if _is_map(section) else None
        for name, value in cast(Mapping[str, Any], own).items() if _is_map(own) else ():
            key = f"{container}.environment.{name}"
            value_shown = "" if is_secret(name) else f" {shown(value)}:"
            faults = list(_plain_faults(name, value, table, release, sections))
            if container == "web" and not faults:
                faults = list(_timeout_faults(name, value))
            lines += [_line(key, value_shown, *fault) for fault in faults]
    return lines


def _plain_faults(
    name: str,
    value: Any,
    table: Mapping[str, Variable],
    release: str,
    sections: Mapping[str, str],
) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str):
        return  # the model says so
    if is_secret(name) and not WIRED.fullmatch(name) and name not in sections:
        yield (
            "looks like a secret, and this environment is stored in the clear",
            "Put it into the secret key langfuse:secretEnvironment",
        )
        return
    yield from _faults(name, value, table, release, sections)


def _faults(
    name: str,
    value: str | None,
    table: Mapping[str, Variable],
    release: str,
    sections: Mapping[str, str],
) -> Iterator[tuple[str, str]]:
    if section := sections.get(name):
        yield f"langfuse:{section} sets this", "Remove it"
    elif WIRED.fullmatch(name):
        yield "the program sets this itself", f"{_instead(name)}Remove it"
    elif name not in table:
        if version_of(release)[0] == min(LANGFUSE_MAJORS):
            yield (
                f"Langfuse {release} reads no such variable{nearest(name, table)}",
                "Check its spelling and that this container reads it",
            )
    elif value is not None and (fault := table[name].fault(value)):
        yield f"Langfuse refuses this value: it {fault}", "Correct it"


def _timeout_faults(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Find a value of web's, which Langfuse accepts, that the rest of a request's way does not."""
    if name in timeouts.VARIABLES and isinstance(value, str):
        fault = timeouts.fault(name, float(value))
        if fault is not None:
            yield fault, "Leave it out"


def is_secret(name: str) -> bool:
    """Whether a variable's name says that nobody should read its value."""
    looks_so = SECRET.search(name) is not None
    return looks_so and name not in NOT_SECRET and not name.endswith("_ID_TOKEN")


def _instead(name: str) -> str:
    if name == PUBLISHING_VARIABLE:
        return "Use langfuse:worker.scaleOn backlog, which goes with it. "
    if name in STUCK_KEYS:
        return f"Use langfuse:worker.{STUCK_KEYS[name]}. "
    if "MIGRATION_V4" in name:
        return "Use langfuse:v4, which sets all that go together. "
    return "Use langfuse:bootstrap. " if name.startswith("LANGFUSE_INIT_") else ""


def _line(key: str, value: str, bound: str, remedy: str) -> str:
    return f"langfuse:{key}:{value} {bound}. {remedy}."


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
