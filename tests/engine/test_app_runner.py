"""App Runner under the real engine: from nothing, to Fargate and back, and a bad start.

It proves what the engine makes of the program on the in-memory AWS, where every service starts. A
service whose first start failed is written into the state, as a refresh would read it. That such a
stack goes again is proven by test_story.py.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import Deployment
from tests.image_lock import copy_of_the_repository, lock_copy, locked

DOMAIN = "langfuse.example.com"
CONFIG = {
    "domain": DOMAIN,
    "network.egress": "natInstance",
    "images.source": "mirror",
    "web.platform": "appRunner",
    "alarms.email": "ops@example.com",
    "alarms.monthlyBudgetUsd": "300",
}
pytestmark = [pytest.mark.xdist_group("app-runner"), pytest.mark.running]

SERVICE = "aws:apprunner/service:Service"
ECS = "aws:ecs/service:Service"
RECORD = "aws:route53/record:Record"
STORES = (
    "aws:rds/instance:Instance",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:s3/bucket:Bucket",
    "aws:ebs/volume:Volume",
    "random:index/randomPassword:RandomPassword",
    "aws:secretsmanager/secret:Secret",
    "aws:ecr/repository:Repository",
)


@pytest.fixture(scope="module")
def deployment(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A stack whose web is on App Runner since the first `up`."""
    copy = copy_of_the_repository(tmp_path_factory.mktemp("app-runner") / "langfuse")
    lock_copy(copy, locked({"size": "dev"}))
    found = Deployment.of("dev", tmp_path_factory.mktemp("dev"), environment, project=copy)
    found.configure_all(CONFIG, {})
    found.up()
    return found


def stores(deployment: Deployment) -> set[tuple[str, str]]:
    return {(each["urn"], each["id"]) for each in deployment.state() if each["type"] in STORES}


def test_one_up_makes_the_service_its_domain_and_all_of_its_records(
    deployment: Deployment,
) -> None:
    (service,) = deployment.of_type(SERVICE)
    source = service["inputs"]["sourceConfiguration"]["imageRepository"]
    variables = source["imageConfiguration"]["runtimeEnvironmentVariables"]
    assert variables["NEXTAUTH_URL"] == f"https://{DOMAIN}"
    types = [each["inputs"]["type"] for each in deployment.of_type(RECORD)]
    assert sorted(types) == ["A", "CNAME", "CNAME"]
    outputs, made = deployment.outputs(), service["outputs"]
    assert (outputs["url"], outputs["health_url"]) == (
        f"https://{DOMAIN}",
        f"https://{DOMAIN}/api/public/health",
    )
    assert outputs["web_service_name"] == made["serviceName"]
    assert outputs["log_group_names"][0] == (
        f"/aws/apprunner/{made['serviceName']}/{made['serviceId']}/application"
    )
    assert outputs["monthly_cost_usd"] > 0
    assert deployment.changes() == set(), "a second up changes something"


def test_the_platform_may_change_and_change_back_and_every_store_stays(
    deployment: Deployment,
) -> None:
    before, (address,) = stores(deployment), alias(deployment)
    deployment.configure("web.platform", "fargate")
    deployment.configure("web.architecture", "x86_64")
    deployment.up()
    assert deployment.of_type(SERVICE) == []
    assert {each["urn"].rpartition("-")[2] for each in deployment.of_type(ECS)} >= {"web"}
    (moved,) = alias(deployment)
    assert (moved["urn"], moved["id"]) == (address["urn"], address["id"]), (
        "the domain's record was made anew, and the old one's end takes the new one along"
    )
    assert moved["inputs"]["aliases"] != address["inputs"]["aliases"]
    deployment.configure("web.platform", "appRunner")
    deployment.up()
    assert len(deployment.of_type(SERVICE)) == 1
    assert {each["urn"].rpartition("-")[2] for each in deployment.of_type(ECS)}.isdisjoint({"web"})
    assert stores(deployment) == before


def alias(deployment: Deployment) -> list[dict[str, Any]]:
    return [each for each in deployment.of_type(RECORD) if each["inputs"]["type"] == "A"]


def test_a_service_that_never_started_is_told_in_one_line_and_replaced_on_demand(
    deployment: Deployment, tmp_path: Path
) -> None:
    (service,) = deployment.of_type(SERVICE)
    exported = json.loads(deployment.run("stack", "export", "--stack", "dev").stdout)
    for each in exported["deployment"]["resources"]:
        if each["urn"] == service["urn"]:
            each["outputs"]["status"] = "CREATE_FAILED"
    file = tmp_path / "state.json"
    file.write_text(json.dumps(exported))
    deployment.run("stack", "import", "--file", str(file), "--stack", "dev")

    done = deployment.up(check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0, "a service that does not run was taken for one that does"
    assert f"run pulumi up --replace '{service['urn']}'." in said
    assert "Traceback" not in said
    deployment.up("--replace", service["urn"])
    (new,) = deployment.of_type(SERVICE)
    assert new["outputs"]["status"] == "RUNNING"
    assert deployment.changes() == set()
