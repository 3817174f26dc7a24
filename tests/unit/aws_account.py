"""An AWS account in memory for the tests of `preflight`: moto, and what moto lacks.

moto knows the quotas of VPC only, and has no policy simulator. Both are added where moto's own
answers come from, so that botocore reads them by its model of the service. The simulator here
follows no policies: a test says what is refused.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from botocore.stub import Stubber
from moto import mock_aws
from moto.core.responses import ActionResult
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.iam.responses import IamResponse
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from langfuse_aws.automation.aws.answers import Caller, NewStack
from langfuse_aws.automation.preflight.domain import Dns
from langfuse_aws.settings.loading import load_without_secrets

ACCOUNT = "123456789012"
REGION = "us-east-1"
DEPLOYER = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/deployer", "aws")
PLENTY = 1000.0


@cache
def session() -> Any:
    """Make a session once for all tests: it reads AWS's models, which takes longest."""
    return boto3.Session()


def session_loader() -> Any:
    """Let moto read AWS's models where the session did."""
    return session()._session.get_component("data_loader")


@cache
def aws(service: str, region: str = REGION) -> Any:
    """Give the client of a service, which is moto's in every test."""
    return session().client(service, region_name=region)


def _nothing(_: str) -> list[str]:
    return []


NO_DNS = Dns(_nothing, _nothing)
"""Who would ask it learns nothing."""


def stubbed(service: str, *answers: tuple[str, dict[str, Any]]) -> Any:
    """Make a client that gives these answers to these operations, in this order.

    botocore checks them against its model of the service.
    """
    client = session().client(service, region_name=REGION)
    stubber: Any = Stubber(client)
    for operation, answer in answers:
        stubber.add_response(operation, answer)
    stubber.activate()
    return client


class Account:
    """The account, and what a test has it say."""

    def __init__(self) -> None:
        self.quotas: dict[tuple[str, str], float | None] = {}
        """Values of the account's own by service and code; None: it has none."""
        self.default_quota: float | None = PLENTY
        """AWS's own value of any quota."""
        self.refusals: dict[str, Mapping[str, Any]] = {}
        """By action, what the simulator's answer has besides."""
        self.simulated: list[Mapping[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        """Pages of VPC links."""

    def stack(self, region: str = REGION, /, **config: Any) -> NewStack:
        """A stack `dev` that is to come up, with a `langfuse:` configuration over size dev."""

        def client(service: str, other: str | None = None) -> Any:
            if service != "apigatewayv2":
                return aws(service, other or region)
            # moto's HTTP APIs need a package that takes half a second to load.
            pages = self.links or [{"Items": []}]
            return stubbed(service, *[("get_vpc_links", page) for page in pages])

        settings = load_without_secrets({"size": "dev", **config})
        return NewStack("dev", "langfuse-dev", region, settings, client)

    def usage(self, service: str, usage_class: str, *counts: float) -> None:
        """Have CloudWatch count vCPUs every six minutes, the last time a minute ago."""
        now = datetime.now(timezone.utc)
        for index, count in enumerate(reversed(counts)):
            dimensions = {
                "Service": service,
                "Type": "Resource",
                "Resource": "vCPU",
                "Class": usage_class,
            }
            aws("cloudwatch").put_metric_data(
                Namespace="AWS/Usage",
                MetricData=[
                    {
                        "MetricName": "ResourceCount",
                        "Dimensions": [
                            {"Name": name, "Value": value} for name, value in dimensions.items()
                        ],
                        "Timestamp": datetime.fromtimestamp(
                            now.timestamp() - 60 - 360 * index, timezone.utc
                        ),
                        "Value": count,
                    }
                ],
            )


@contextmanager
def aws_account() -> Generator[Account]:
    """Have an account that is empty but for the default VPC of each region."""
    account = Account()

    def own_quota(_: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        asked = (service_code, quota_code)
        if asked not in account.quotas:
            raise NoSuchResource
        return {"QuotaCode": quota_code, "Value": account.quotas[asked]}

    def default_quota(response: Any) -> ActionResult:
        if account.default_quota is None:
            raise NoSuchResource
        code = response._get_param("QuotaCode")
        return ActionResult({"Quota": {"QuotaCode": code, "Value": account.default_quota}})

    def simulate(response: Any) -> ActionResult:
        asked = {
            name: response._get_param(name)
            for name in ("PolicySourceArn", "ActionNames", "ResourceArns", "ContextEntries")
        }
        account.simulated.append(asked)
        return ActionResult(
            {
                "IsTruncated": False,
                "EvaluationResults": [
                    {
                        "EvalActionName": action,
                        "EvalResourceName": asked["ResourceArns"][0],
                        "EvalDecision": "implicitDeny" if action in account.refusals else "allowed",
                        **account.refusals.get(action, {}),
                    }
                    for action in asked["ActionNames"]
                ],
            }
        )

    def default_key(_: Any) -> ActionResult:
        return ActionResult({"KmsKeyId": "alias/aws/ebs"})

    with (
        mock_aws(),
        patch("moto.core.utils.create_loader", session_loader),
        patch.object(ServiceQuotasBackend, "get_service_quota", own_quota),
        patch.object(
            ServiceQuotasResponse, "get_aws_default_service_quota", default_quota, create=True
        ),
        patch.object(ElasticBlockStore, "get_ebs_default_kms_key_id", default_key, create=True),
        patch.object(IamResponse, "simulate_principal_policy", simulate, create=True),
    ):
        yield account
