"""Host names of external stores that say what they are.

Proves that AWS's endpoints which are no primary of a Redis or no writer of a PostgreSQL are refused
by their names, in all partitions with such names, and that the right ones are not. It does not
prove that a store with another name is what it has to be: nobody is asked here.
"""

from typing import Any

import pytest

from langfuse_aws.settings.loading import SettingsError, load


def problems(store: str, host: str) -> list[str]:
    keys: dict[str, Any] = {store: {"mode": "external", "host": host}, f"{store}Password": "x"}
    try:
        load({"size": "dev", **keys})
    except SettingsError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("lf-ab12cd.serverless.use1.cache.amazonaws.com", "is an ElastiCache Serverless cache"),
        ("lf-ab12cd.serverless.cnn1.cache.amazonaws.com.cn", "is an ElastiCache Serverless cache"),
        ("clustercfg.lf.ab12cd.use1.cache.amazonaws.com", "is an ElastiCache cluster in cluster"),
        ("clustercfg.lf.ab12cd.cnw1.cache.amazonaws.com.cn", "is an ElastiCache cluster in clust"),
        ("lf.ab12cd.clustercfg.euw1.cache.amazonaws.com", "is an ElastiCache cluster in cluster"),
        ("lf-0001-001.lf.ab12cd.use1.cache.amazonaws.com", "is an ElastiCache cluster in cluster"),
        ("lf-0002-001.ab12cd.0001.use1.cache.amazonaws.com", "is an ElastiCache cluster in clust"),
        ("clustercfg.lf.ab12cd.memorydb.us-east-1.amazonaws.com", "is a MemoryDB cluster"),
        ("replica.lf.ab12cd.use1.cache.amazonaws.com", "is the reader endpoint of an ElastiCache"),
        ("lf-ro.ab12cd.ng.0001.use1.cache.amazonaws.com", "is the reader endpoint of an ElastiC"),
        ("lf-ro.ab12cd.ng.0001.cnn1.cache.amazonaws.com.cn", "is the reader endpoint of an Elas"),
        ("lf.ab12cd.cfg.use1.cache.amazonaws.com", "is an ElastiCache cluster for Memcached"),
    ],
)
def test_an_endpoint_of_aws_that_is_no_primary_is_refused_by_its_name(host: str, what: str) -> None:
    (line,) = problems("redis", host)
    assert line.startswith(f'langfuse:redis.host: "{host}": {what}'), "what it is"
    assert line.endswith(
        "Name the primary endpoint of a replication group that is not in cluster mode, "
        "master.NAME.… with TLS; or let the stack make one, with redis.mode elasticache."
    ), "and what to name instead"


@pytest.mark.parametrize(
    "host",
    [
        "master.lf.ab12cd.use1.cache.amazonaws.com",
        "master.clustercfg.ab12cd.use1.cache.amazonaws.com",
        "master.serverless.ab12cd.use1.cache.amazonaws.com",
        "lf.ab12cd.ng.0001.use1.cache.amazonaws.com",
        "lf-ro.ab12cd.0001.use1.cache.amazonaws.com",
        "replica.ab12cd.ng.0001.use1.cache.amazonaws.com",
        "lf-001.lf.ab12cd.use1.cache.amazonaws.com",
        "master.lf.ab12cd.cnn1.cache.amazonaws.com.cn",
        "serverless.example.com",
        "clustercfg.example.com",
        "cache.amazonaws.com.example.com",
        "10.0.0.7",
    ],
)
def test_a_primary_is_not_taken_for_something_else(host: str) -> None:
    assert problems("redis", host) == [], "a false refusal leaves no way out"


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("lf.cluster-ro-ab12cd.us-east-1.rds.amazonaws.com", "is the reader endpoint of a cluster"),
        ("lf.cluster-ro-ab12cd.cn-north-1.rds.amazonaws.com.cn", "is the reader endpoint of a clu"),
        ("lf.cluster-custom-ab12cd.eu-west-1.rds.amazonaws.com", "is a custom endpoint of an Auro"),
        ("lf.endpoint.proxy-ab12cd.us-east-1.rds.amazonaws.com", "is an additional endpoint of an"),
        ("ab12cd.dsql.us-east-1.on.aws", "is Aurora DSQL"),
    ],
)
def test_an_endpoint_of_aws_that_is_no_writer_is_refused_by_its_name(host: str, what: str) -> None:
    (line,) = problems("postgres", host)
    assert line.startswith(f'langfuse:postgres.host: "{host}": {what}'), "what it is"
    assert line.endswith(
        "Name the writer's endpoint, such as NAME.cluster-….REGION.rds.amazonaws.com."
    ), "and what to name instead"


@pytest.mark.parametrize(
    "host",
    [
        "lf.cluster-ab12cd.us-east-1.rds.amazonaws.com",
        "lf.cluster-ro123456789.us-east-1.rds.amazonaws.com",
        "cluster-ro-lf.ab12cd.us-east-1.rds.amazonaws.com",
        "lf.ab12cd.cn-north-1.rds.amazonaws.com.cn",
        "lf.global-ab12cd.global.rds.amazonaws.com",
        "lf.proxy-ab12cd.us-east-1.rds.amazonaws.com",
        "cluster-ro-x.example.com",
    ],
)
def test_a_writer_is_not_taken_for_something_else(host: str) -> None:
    assert problems("postgres", host) == [], "a false refusal leaves no way out"
