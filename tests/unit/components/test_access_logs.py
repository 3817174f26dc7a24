"""The access logs of the buckets and of the load balancer: who writes them, and for how long.

Proves what is registered. That AWS delivers them it does not: the bucket's policy is the one that
AWS's pages ask for.
"""

import json
import re
from typing import Any, Final

import pytest
from botocore import loaders

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.components.protection.access_logs import BALANCERS
from langfuse_aws.cost.bill import bill
from langfuse_aws.cost.usage import IDLE
from tests.unit.stack_graph import Graph, build, shipped

BUCKET: Final = "aws:s3/bucket:Bucket"
LOGGING: Final = "aws:s3/bucketLogging:BucketLogging"
POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ENCRYPTION: Final = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"
ACCOUNT: Final = "123456789012"


def writers(graph: Graph, stack: str) -> dict[str, dict[str, Any]]:
    """The statements of the bucket's policy that allow something."""
    policy = graph.one(POLICY, f"langfuse-{stack}-access-logs").inputs["policy"]
    statements = json.loads(policy)["Statement"]
    return {each["Sid"]: each for each in statements if each["Effect"] == "Allow"}


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_every_other_bucket_has_its_requests_logged_below_its_name(stack: str) -> None:
    graph = shipped(stack)
    logs = graph.one(BUCKET, f"langfuse-{stack}-access-logs")
    others = {each.name: each.id for each in graph.of_type(BUCKET) if each.name != logs.name}
    assert len(others) == 2
    found = {each.name: each.inputs for each in graph.of_type(LOGGING)}
    assert found == {
        name: {"bucket": own, "targetBucket": logs.id, "targetPrefix": f"{name}/"}
        for name, own in others.items()
    }, "one that logs its own requests never comes to rest"


def test_the_load_balancer_logs_its_requests() -> None:
    graph = shipped("prod")
    assert graph.one(BALANCER).inputs["accessLogs"] == {
        "enabled": True,
        "bucket": graph.one(BUCKET, "langfuse-prod-access-logs").id,
        "prefix": "load-balancer",
    }


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_they_go_after_the_days_of_all_logs(stack: str) -> None:
    graph = shipped(stack)
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    (rule,) = graph.one(token, f"langfuse-{stack}-access-logs").inputs["rules"]
    group = graph.one("aws:cloudwatch/logGroup:LogGroup", f"langfuse-{stack}-web").inputs
    assert rule == {
        "id": "expire-logs",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "expiration": {"days": group["retentionInDays"]},
        "noncurrentVersionExpiration": {"noncurrentDays": 7},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }


def test_s3_and_load_balancers_may_write_and_nobody_may_read() -> None:
    graph = shipped("prod")
    arn = graph.one(BUCKET, "langfuse-prod-access-logs").outputs["arn"]
    found = writers(graph, "prod")
    assert found["Buckets"] == {
        "Sid": "Buckets",
        "Effect": "Allow",
        "Action": ["s3:PutObject"],
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Resource": f"{arn}/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    assert found["LoadBalancer"] == {
        "Sid": "LoadBalancer",
        "Effect": "Allow",
        "Action": ["s3:PutObject"],
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Resource": f"{arn}/load-balancer/AWSLogs/{ACCOUNT}/*",
    }
    assert {*found} == {"Buckets", "LoadBalancer"}


def test_elsewhere_the_load_balancers_account_may_write_too() -> None:
    graph = build("dev", {"size": "dev"}, region="us-gov-west-1")
    assert writers(graph, "dev")["LoadBalancer"]["Principal"] == {
        "Service": "logdelivery.elasticloadbalancing.amazonaws.com",
        "AWS": "arn:aws-us-gov:iam::048591011584:root",
    }


def test_each_region_elsewhere_has_its_account() -> None:
    loader: Any = loaders.create_loader()  # pyright: ignore[reportUnknownMemberType]
    endpoints = loader.load_data("endpoints")
    elsewhere = {
        region
        for partition in endpoints["partitions"]
        if partition["partition"] in ("aws-us-gov", "aws-cn")
        for region in partition["regions"]
    }
    assert BALANCERS.keys() == elsewhere
    assert all(re.fullmatch(r"\d{12}", account) for account in BALANCERS.values())
    assert len(set(BALANCERS.values())) == len(BALANCERS)


def test_logs_expire_with_all_others_and_a_deleted_one_can_be_had_back() -> None:
    graph = build("dev", {"size": "dev", "logs": {"retentionDays": 365}})
    (rule,) = graph.one(LIFECYCLE, "langfuse-dev-access-logs").inputs["rules"]
    assert rule["expiration"] == {"days": 365}
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 7}
    (rule,) = shipped("prod").one(LIFECYCLE, "langfuse-prod-access-logs").inputs["rules"]
    assert rule["expiration"] == {"days": 90}
    versioning = graph.one("aws:s3/bucketVersioning:BucketVersioning", "langfuse-dev-access-logs")
    assert versioning.inputs["versioningConfiguration"] == {"status": "Enabled"}


def test_no_customer_key_keeps_the_services_from_writing() -> None:
    graph = build("dev", {"size": "dev", "encryption": "customerKey"})
    (rule,) = graph.one(ENCRYPTION, "langfuse-dev-access-logs").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}, (
        "the load balancer and S3 write access logs with S3's own keys only"
    )


def test_the_bucket_goes_with_a_stack_that_is_not_protected_and_is_no_store() -> None:
    for stack, protected in (("dev", False), ("prod", True)):
        graph = shipped(stack)
        logs = graph.one(BUCKET, f"langfuse-{stack}-access-logs")
        assert logs.inputs["forceDestroy"] is not protected
        assert graph.options_of(logs).protect is protected
        stores = graph.one("pulumi:index:Stash", f"langfuse-{stack}-stores").inputs["input"]
        assert f"{BUCKET} langfuse-{stack}-storage" in stores
        assert f"{BUCKET} {logs.name}" not in stores, "logs are not data"


def test_access_logs_cost_what_their_requests_take_to_store() -> None:
    graph = recorded("prod", shipped_config("prod"))
    assert "Access logs" not in {each.what for each in bill(graph, "us-east-1").lines}
    usage = IDLE.with_figures({"events_per_month": 10_000_000})
    (found,) = [
        each for each in bill(graph, "us-east-1", usage).lines if each.what == "Access logs"
    ]
    assert found.on_demand == pytest.approx(2 * 10 * 0.6 * 3 * 0.023)
