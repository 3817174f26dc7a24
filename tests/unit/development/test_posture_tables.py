"""What checkov found, as the documentation tells it, against the stacks and the reasons of today.

checkov itself does not run here: `make posture-figures` runs it, and these tests say when it must
be run again. That the page is written from the file is a test of test_docs.py.
"""

import re
from typing import Any

import pytest

from development.posture_figures import FURTHER, KEYS, STACKS, figures, graph, resources
from development.posture_tables import (
    further,
    kept,
    posture_counts,
    posture_further,
    posture_rules,
)
from langfuse_aws.automation.posture.checkov import Failed, Scan
from langfuse_aws.cost.prices import HOURS, price_list, rows
from langfuse_aws.policy.accepted import accepted

AGAIN = "run make posture-figures with checkov on PATH, then make docs"


def every_scan() -> list[tuple[str, str, dict[str, Any]]]:
    return [(stack, key, kept()["stacks"][stack][key]) for stack in STACKS for key in KEYS]


def test_the_stacks_are_those_that_checkov_has_seen() -> None:
    found = {(stack, key): each["resources"] for stack, key, each in every_scan()}
    assert found == {
        (stack, key): resources(graph(stack, key)) for stack in STACKS for key in KEYS
    }, AGAIN
    for stack, key, each in every_scan():
        there = {resource.name for resource in graph(stack, key).resources}
        gone = {name for names in each["failed"].values() for name in names} - there
        assert not gone, f"{stack}, {key} a key: {AGAIN}"


def test_each_rule_that_fails_has_a_reason_and_each_reason_a_rule() -> None:
    failing = {rule for _, _, each in every_scan() for rule in each["failed"]}
    assert failing == kept()["rules"].keys()
    assert FURTHER.keys() == kept()["further"].keys(), AGAIN
    assert all(kept()["further"].values()), "a setting with which no further rule fails"
    with_a_setting = {rule for rules in further().values() for rule in rules}
    assert not failing & with_a_setting
    assert failing | with_a_setting == accepted().keys(), "langfuse_aws/policy/accepted.csv"


def test_a_rule_that_fails_with_a_setting_alone_names_it() -> None:
    rows = posture_further().splitlines()
    (waf,) = [row for row in rows if "`CKV2_AWS_76`" in row]
    assert "| `ingress.waf` |" in waf
    (platform,) = [row for row in rows if "`CKV2_AWS_23`" in row]
    assert "| `web.platform` |" in platform


def test_a_reason_names_prices_of_the_price_list() -> None:
    names = {each.name for each in rows() if each.region in ("*", "us-east-1")}
    prices = {name: price_list("us-east-1")[name] for name in names}
    known = {*prices.values()}
    known |= {float(f"{usd * HOURS:.0f}") for usd in prices.values()}
    known.add(round(1.5 * prices["Aurora Serverless v2"] * HOURS, -1))
    for rule, because in accepted().items():
        for said in re.findall(r"([\d.]*\d) USD", because):
            assert float(said) in known, f"{rule}: {said} USD is no price of cost/prices.csv"


def test_a_customer_key_fails_less_and_no_other_rule() -> None:
    for stack in STACKS:
        without, with_key = (kept()["stacks"][stack][key]["failed"] for key in ("without", "with"))
        assert set(with_key) < set(without), stack
        assert all(len(with_key[rule]) <= len(without[rule]) for rule in with_key), stack


def test_the_tables_count_what_failed() -> None:
    counts = [line.split(" | ") for line in posture_counts().splitlines() if "%" in line]
    assert len(counts) == 2 * len(STACKS)
    for row, (stack, key, each) in zip(counts, every_scan(), strict=True):
        failed = sum(map(len, each["failed"].values()))
        assert f"`{stack}`" in row[0]
        assert ("customerKey" in row[0]) is (key == "with")
        assert row[1:4] == [str(each["resources"]), str(each["passed"]), str(failed)]
        share = 100 * failed / (failed + each["passed"])
        assert float(row[4].split(" ")[0]) == pytest.approx(share, abs=0.05)
    (vault,) = [line for line in posture_rules().splitlines() if "`CKV_AWS_166`" in line]
    assert " | 1 (0) | 1 (0) | 1 (0) | " in vault


def test_a_scan_is_kept_by_its_rules() -> None:
    resource = graph("dev", "without").of_type("aws:s3/bucket:Bucket")[0]
    scanned = Scan("3.3.30", 4, (Failed("CKV_A", "a is so", resource),) * 2)
    more = Scan("3.3.30", 4, (*scanned.failed, Failed("CKV_B", "b is so", resource)))
    found = figures({"dev": {"without": scanned}}, {"ingress.waf": more})
    assert found["further"] == {"ingress.waf": {"CKV_B": "b is so"}}
    assert found["checkov"] == "3.3.30"
    assert found["rules"] == {"CKV_A": "a is so"}
    assert found["stacks"]["dev"]["without"] == {
        "resources": resources(graph("dev", "without")),
        "passed": 4,
        "failed": {"CKV_A": [resource.name] * 2},
    }
