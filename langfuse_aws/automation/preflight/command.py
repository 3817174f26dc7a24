"""`preflight`: checks before the first `up` that a stack can come up in an account and region.

It only reads, and changes nothing. It needs no deployed stack, no backend and no Pulumi CLI.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import typer
from rich.text import Text

from langfuse_aws.automation.aws.answers import (
    Caller,
    Check,
    NewStack,
    Result,
    Status,
    answers,
    unknown,
)
from langfuse_aws.automation.aws.clients import new_stack
from langfuse_aws.automation.engine.stack_file import read_stack_file
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.images.registry import new_client
from langfuse_aws.automation.preflight import zones
from langfuse_aws.automation.preflight.account import (
    APP_RUNNER,
    BACKUPS,
    DISKS,
    PARTITION,
    REGION,
    backs_up_aurora,
    check_app_runner,
    check_backups,
    check_disks,
    check_partition,
    check_region,
    find_caller,
)
from langfuse_aws.automation.preflight.domain import (
    AUTHORITY,
    CERTIFICATE,
    HOSTED_ZONE,
    RECORD,
    Dns,
    check_authority,
    check_certificate,
    check_hosted_zone,
    check_record,
    issuers,
    name_servers,
)
from langfuse_aws.automation.preflight.endpoints import SERVICES, check_endpoints
from langfuse_aws.automation.preflight.images import image_checks
from langfuse_aws.automation.preflight.needs import needs_of
from langfuse_aws.automation.preflight.permissions import (
    PERMISSIONS,
    SERVICE_ROLES,
    check_permissions,
    check_service_linked_roles,
)
from langfuse_aws.automation.preflight.policies import POLICIES, check_policies
from langfuse_aws.automation.preflight.quotas import quota_checks
from langfuse_aws.automation.preflight.stores import store_checks
from langfuse_aws.automation.terminal import console, error_console, one_line_errors
from langfuse_aws.settings.closed_network import closed

NOTHING_CHECKED: Final = 2
"""Exit code."""
AT_ONCE: Final = 8
COLORS: Final[dict[Status, str]] = {"ok": "green", "failed": "red", "unknown": "yellow"}


def preflight(stack: str | None, folder: Path, as_json: bool) -> None:
    """Check before the first up that this account and region can have the stack."""
    with one_line_errors(NOTHING_CHECKED):
        new = new_stack(read_stack_file(stack, folder))
    results: list[Result] = []
    with waits.silent(as_json), waits("asking AWS"), new_client() as client:
        for result in run(new, client, Dns(name_servers, issuers)):
            results.append(result)
            _show_json(result) if as_json else _show(result)
    if not as_json:
        _sum_up(new, results)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def run(stack: NewStack, client: httpx.Client, ask_dns: Dns) -> Iterator[Result]:
    """Run every check that the stack needs, side by side; give the answers in a fixed order."""
    first, caller = find_caller(stack)
    yield first
    if caller is None:
        yield unknown("account", "without credentials, AWS says nothing of the account and region.")
    of_account = checks_of_account(stack, caller, ask_dns) if caller else ()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        images = image_checks(stack, client, needs_of(stack.settings).images)
        for found in pool.map(answers, (*of_account, *images, *store_checks(stack, client))):
            yield from found


def checks_of_account(stack: NewStack, caller: Caller, ask_dns: Dns) -> Iterator[Check]:
    """Give the checks that ask AWS with the caller's credentials, as the stack needs them."""
    settings, needs = stack.settings, needs_of(stack.settings)
    yield Check(REGION, partial(check_region, stack))
    yield Check(PARTITION, partial(check_partition, stack))
    if settings.web.platform == "appRunner":
        yield Check(APP_RUNNER, partial(check_app_runner, stack))
    yield Check(zones.ZONES, partial(zones.check_zones, stack, needs))
    if closed(settings):
        yield Check(SERVICES, partial(check_endpoints, stack))
    if needs.vpc_links:
        yield Check(zones.VPC_LINK, partial(zones.check_vpc_link, stack))
    if needs.machines:
        yield Check(zones.MACHINES, partial(zones.check_machines, stack, needs))
        if settings.encryption is None:
            yield Check(DISKS, partial(check_disks, stack))
    if needs.db_instances:
        yield Check(zones.DATABASE, partial(zones.check_database, stack))
    yield from quota_checks(stack, needs)
    if backs_up_aurora(settings):
        yield Check(BACKUPS, partial(check_backups, stack))
    if settings.hosted_zone:
        yield Check(HOSTED_ZONE, partial(check_hosted_zone, stack, ask_dns.name_servers))
        yield Check(RECORD, partial(check_record, stack))
    if settings.domain and not settings.ingress.certificate_arn:
        yield Check(AUTHORITY, partial(check_authority, stack, ask_dns.issuers))
    if settings.ingress.certificate_arn:
        yield Check(CERTIFICATE, partial(check_certificate, stack))
    if settings.policies:
        yield Check(POLICIES, partial(check_policies, stack, caller))
    yield Check(PERMISSIONS, partial(check_permissions, stack, caller))
    yield Check(SERVICE_ROLES, partial(check_service_linked_roles, stack, caller))


def _show(result: Result) -> None:
    line = Text.assemble((f"{result.status:8}", COLORS[result.status]), f"{result.check}: ")
    console.print(line.append(result.message))
    if result.remedy:
        console.print(Text(f"        → {result.remedy}"))


def _show_json(result: Result) -> None:
    typer.echo(json.dumps(asdict(result), ensure_ascii=False))


def _sum_up(stack: NewStack, results: Sequence[Result]) -> None:
    where = f"stack {stack.name} in {stack.region}"
    count = {status: sum(each.status == status for each in results) for status in COLORS}
    if count["unknown"]:
        error_console.print(
            Text(f"warning: {count['unknown']} of {len(results)} could not be checked.")
        )
    if count["failed"]:
        error_console.print(
            Text(f"error: {where}: {count['failed']} of {len(results)} checks failed.")
        )
    else:
        console.print(Text(f"Nothing that was checked stands in the way of {where}."))
