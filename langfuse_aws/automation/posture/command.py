"""`posture`: the failed rules of the policy pack and of checkov, with what is accepted and why.

Exit code 0: all that fails is accepted. 1: something fails that is not. 2: nothing was looked at.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from langfuse_aws.automation.cli.rows import print_rows
from langfuse_aws.automation.engine.folders import STATE_FOLDER
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.posture.checkov import Failed, Scan, program, scan
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.automation.terminal import console, error_console, one_line_errors
from langfuse_aws.graph.model import STACK_TYPE, ResourceGraph
from langfuse_aws.policy.accepted import accepted
from langfuse_aws.policy.rules import RULES, violations


@dataclass(frozen=True)
class Finding:
    """A rule that fails, in which resources, and why that is accepted; empty: it is not."""

    rule: str
    what: str
    resources: tuple[str, ...]
    because: str


def posture(stack: str, folder: Path, deployed: bool, offline: bool, as_json: bool) -> None:
    """Print which rules a stack fails."""
    with one_line_errors(2):
        checkov = program()
        with waits.silent(as_json), waits(f"the resources of stack {stack}"):
            graph = _resources(stack, folder, deployed=deployed, offline=offline)
        with waits.silent(as_json), waits("checkov"):
            scanned = scan(graph, checkov) if checkov else None
        reasons = accepted()
        found = findings(graph, scanned, reasons)
    missed = [each for each in found if not each.because]
    if as_json:
        typer.echo(_json(stack, scanned, found, reasons))
    else:
        _show(stack, scanned, found, reasons)
    if missed:
        raise typer.Exit(1)


def findings(
    graph: ResourceGraph, scanned: Scan | None, reasons: Mapping[str, str]
) -> list[Finding]:
    """Group what fails by its rule: what is not accepted first, then by the rule's name."""
    broken = [Failed(each.rule.id, each.rule.what, each.resource) for each in violations(graph)]
    failed = [*broken, *(scanned.failed if scanned else ())]
    rules = {each.rule: each.what for each in failed}
    found = [
        Finding(
            rule,
            what,
            tuple(sorted({each.resource.name for each in failed if each.rule == rule})),
            reasons.get(rule, ""),
        )
        for rule, what in rules.items()
    ]
    return sorted(found, key=lambda each: (bool(each.because), each.rule))


def unfailed(
    scanned: Scan | None, found: Sequence[Finding], reasons: Mapping[str, str]
) -> list[str]:
    """The accepted rules that were held against the stack and do not fail."""
    failing = {each.rule for each in found}
    own = {each.id for each in RULES}
    return sorted(rule for rule in reasons if rule not in failing and (scanned or rule in own))


def _resources(name: str, folder: Path, *, deployed: bool, offline: bool) -> ResourceGraph:
    # A preview needs no account. What is deployed offline is in that state.
    state = folder / STATE_FOLDER.name if offline and deployed else None
    alone = offline or not deployed
    with LangfuseStack(name, project=folder, work_dir=state, offline=alone) as stack:
        found = stack.deployed() if deployed else stack.planned()
    if not found.of_type(STACK_TYPE):
        raise UserError(f"stack {name}: nothing is deployed: up first, or leave out --deployed.")
    return found


def _show(
    stack: str, scanned: Scan | None, found: Sequence[Finding], reasons: Mapping[str, str]
) -> None:
    if found:
        print_rows(
            ["rule", "failed resources", "accepted because"],
            [
                [each.rule, f"{len(each.resources)}: {', '.join(each.resources)}", _why(each)]
                for each in found
            ],
        )
    missed = sum(not each.because for each in found)
    console.print(
        f"{stack}: {len(RULES)} rules of the policy pack"
        + (
            f", checkov {scanned.version}: {scanned.passed} checks passed, "
            f"{len(scanned.failed)} failed"
            if scanned
            else ""
        )
        + f". Rules that fail: {len(found)}; not accepted: {missed}.",
        markup=False,
    )
    if stale := unfailed(scanned, found, reasons):
        console.print(f"Accepted, and not failing in this stack: {', '.join(stale)}.", markup=False)
    if not scanned:
        error_console.print(
            "warning: checkov is not on PATH, so only the policy pack was run. Install it in a "
            "virtual environment of its own: pip install checkov.",
            markup=False,
        )


def _why(finding: Finding) -> str:
    return finding.because or f"NOT ACCEPTED: {finding.what}"


def _json(
    stack: str, scanned: Scan | None, found: Sequence[Finding], reasons: Mapping[str, str]
) -> str:
    told = {
        "stack": stack,
        "checkov": scanned
        and {
            "version": scanned.version,
            "passed": scanned.passed,
            "failed": len(scanned.failed),
        },
        "findings": [
            {
                "rule": each.rule,
                "what": each.what,
                "resources": each.resources,
                "acceptedBecause": each.because or None,
            }
            for each in found
        ],
        "acceptedAndNotFailing": unfailed(scanned, found, reasons),
    }
    return json.dumps(told, ensure_ascii=False, indent=2)
