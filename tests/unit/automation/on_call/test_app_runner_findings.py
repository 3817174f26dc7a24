"""`status` where App Runner runs web: the service, its image, its last operation and its domain."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from langfuse_aws.automation.on_call import app_runner
from langfuse_aws.settings.versions import LANGFUSE
from tests.unit.automation.on_call.stack_that_runs import (
    ACCOUNT,
    NOW,
    Answer,
    OnCall,
    ago,
    on_call_of,
)
from tests.unit.automation.on_call.test_status import found, not_ok
from tests.unit.automation.restore.test_restore import AwsError, always
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.stack_graph import Graph, build_locked

SERVICE: Final = "aws:apprunner/service:Service"
DOMAIN: Final = "aws:apprunner/customDomainAssociation:CustomDomainAssociation"
ARN: Final = f"arn:aws:apprunner:us-east-1:{ACCOUNT}:service/web/1"


@pytest.fixture(autouse=True)
def always_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_runner, "now", always(NOW))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build_locked("platform", APP_RUNNER)


def image_of(graph: Graph) -> str:
    source: Mapping[str, Any] = graph.one(SERVICE).inputs["sourceConfiguration"]
    return source["imageRepository"]["imageIdentifier"]


def service(graph: Graph, status: str = "RUNNING", image: str = "") -> Answer:
    """DescribeService."""
    repository = {
        "ImageIdentifier": image or image_of(graph),
        "ImageRepositoryType": "ECR",
    }
    return {
        "Service": {
            "ServiceName": "langfuse-platform-web-1a2b3c",
            "Status": status,
            "SourceConfiguration": {"ImageRepository": repository},
        }
    }


def operations(*made: tuple[str, str, float]) -> Answer:
    """ListOperations: type, status, minutes since the end."""
    return {
        "OperationSummaryList": [
            {
                "Type": kind,
                "Status": status,
                "StartedAt": ago(minutes=minutes + 5),
                "EndedAt": ago(minutes=minutes),
            }
            for kind, status, minutes in made
        ]
    }


def platform(graph: Graph, **answers: Answer) -> OnCall:
    domain = graph.one(DOMAIN).inputs["domainName"]
    usual: dict[str, Answer] = {
        "DescribeService": service(graph),
        "ListOperations": operations(("CREATE_SERVICE", "SUCCEEDED", 300)),
        "DescribeCustomDomains": {
            "CustomDomains": [{"DomainName": domain, "Status": "active"}],
        },
    }
    return on_call_of(graph, APP_RUNNER, "platform", {**usual, **answers})


def test_a_service_that_runs_what_is_wanted_is_well(graph: Graph) -> None:
    world = platform(graph)
    assert not_ok(world) == {}
    subjects = found(world)
    assert subjects["services/web"].text.startswith(f"running on App Runner, {LANGFUSE} sha256:")
    assert subjects["services/web deployment"].text == "create service succeeded 5 h ago"
    domain = graph.one(DOMAIN).inputs["domainName"]
    assert subjects["certificate/domain"].text == f"{domain}: active on App Runner"
    wanted = subjects["services/web"].facts["images"]["wanted"]
    assert f"{wanted['repository']}@{wanted['digest']}" == image_of(graph)
    assert "services/worker" in subjects


@pytest.mark.parametrize("status", ["PAUSED", "CREATE_FAILED", "DELETED"])
def test_a_service_that_does_not_run_is_wrong(graph: Graph, status: str) -> None:
    wrong = not_ok(platform(graph, DescribeService=service(graph, status)))
    assert set(wrong) == {"services/web"}
    assert wrong["services/web"][1].endswith(status)


def test_another_image_is_wrong(graph: Graph) -> None:
    other = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/langfuse@sha256:{'9' * 64}"
    wrong = not_ok(platform(graph, DescribeService=service(graph, image=other)))
    assert set(wrong) == {"services/web"}
    assert "runs sha256:999999999999, wanted " in wrong["services/web"][1]


def test_the_newest_operation_counts_and_a_rollback_is_wrong(graph: Graph) -> None:
    made = operations(
        ("CREATE_SERVICE", "SUCCEEDED", 9000), ("UPDATE_SERVICE", "ROLLBACK_SUCCEEDED", 30)
    )
    world = platform(graph, ListOperations=made)
    assert not_ok(world) == {
        "services/web deployment": ("wrong", "update service rollback succeeded 30 min ago")
    }
    assert found(world)["services/web deployment"].remedy.startswith("logs web-service")


def test_a_domain_that_does_not_work_is_wrong(graph: Graph) -> None:
    domain = graph.one(DOMAIN).inputs["domainName"]
    pending = {"DomainName": domain, "Status": "pending_certificate_dns_validation"}
    wrong = not_ok(platform(graph, DescribeCustomDomains={"CustomDomains": [pending]}))
    assert set(wrong) == {"certificate/domain"}
    gone = not_ok(platform(graph, DescribeCustomDomains={"CustomDomains": []}))
    assert gone["certificate/domain"] == ("wrong", f"{domain}: gone on App Runner")


@pytest.mark.parametrize(
    ("operation", "subject"),
    [
        ("DescribeService", "services/web"),
        ("ListOperations", "services/web deployment"),
        ("DescribeCustomDomains", "certificate/domain"),
    ],
)
def test_a_right_that_is_missing_is_one_line(graph: Graph, operation: str, subject: str) -> None:
    unread = not_ok(platform(graph, **{operation: AwsError("AccessDeniedException", "no")}))
    assert {each: state for each, (state, _) in unread.items()} == {subject: "unknown"}
