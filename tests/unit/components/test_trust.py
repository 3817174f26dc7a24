"""Whom roles and resources of the stack let in when an AWS service asks.

Proves that each names this account, and a source where the service tells one, in every stack that
together have all that the program makes. That AWS's services tell what they are said to tell is
what their pages say (`shared/iam.py`); no test here can show it.
"""

import json
from typing import Any

import pytest

from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.offline.facts import ACCOUNT
from tests.unit.stacks_of_all import graphs

ROLE = "aws:iam/role:Role"


def trusts() -> list[tuple[str, dict[str, Any]]]:
    """The statements by which services take a role, with the stack and the role."""
    return [
        (f"{stack}: {role.name}", statement)
        for stack, graph in graphs().items()
        for role in graph.of_type(ROLE)
        for statement in json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    ]


def test_no_service_takes_a_role_for_somebody_elses_account() -> None:
    found = trusts()
    assert len(found) > 50
    open_to_all = [
        f"{where} lets {statement['Principal']['Service']} in for anybody"
        for where, statement in found
        if statement["Principal"]["Service"] not in iam.SAY_NOTHING
        and not where.endswith("-execution")
        and statement.get("Condition", {}).get("StringEquals") != {"aws:SourceAccount": ACCOUNT}
    ]
    assert open_to_all == []


def test_a_service_that_tells_its_source_takes_a_role_for_its_own_kind_only() -> None:
    for where, statement in trusts():
        service = statement["Principal"]["Service"]
        source = None if where.endswith("-execution") else iam.SOURCES.get(service)
        wanted = {"aws:SourceArn": f"arn:aws:{source}:us-east-1:{ACCOUNT}:*"} if source else None
        assert statement.get("Condition", {}).get("ArnLike") == wanted, where


def test_what_may_tell_no_source_is_let_in_without() -> None:
    """Or AWS could not start what needs the role, and a first `up` would fail."""
    execution = [found for where, found in trusts() if where.endswith("-execution")]
    others = [found for _, found in trusts() if found["Principal"]["Service"] in iam.SAY_NOTHING]
    assert len(execution) > 20
    assert len(others) > 10
    assert not any("Condition" in found for found in execution + others)


def test_every_service_is_known_to_tell_its_source_or_not_to() -> None:
    services = {statement["Principal"]["Service"] for _, statement in trusts()}
    assert services == {*iam.SOURCES, *iam.SAY_NOTHING}, "one that no role is for, or none knows"
    assert not iam.SOURCES.keys() & iam.SAY_NOTHING.keys()
    with pytest.raises(KeyError):
        iam.trust("sagemaker.amazonaws.com", Location("us-east-1", "aws", ACCOUNT))


def test_the_source_is_of_the_stacks_partition() -> None:
    china = Location("cn-north-1", "aws-cn", ACCOUNT)
    (statement,) = json.loads(iam.trust("ecs-tasks.amazonaws.com", china))["Statement"]
    assert statement["Condition"]["ArnLike"] == {
        "aws:SourceArn": f"arn:aws-cn:ecs:cn-north-1:{ACCOUNT}:*"
    }
