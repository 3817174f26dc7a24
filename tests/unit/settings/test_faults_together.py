"""All faults of a stack file at once: every known fault beside every other.

Proves that no fault hides another one, within a section or between sections, whenever the two
can be written into one file. What each line says is in test_settings_errors.py and its like. It
does not prove that a fault brings no line along that follows from it; those are tested there.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from langfuse_aws.settings.loading import SettingsError, load
from tests.releases import READ
from tests.unit.settings.test_settings_errors import (
    CERTIFICATE,
    CLICKHOUSE,
    LONG_DOMAIN,
    POSTGRES,
    REDIS,
)

Keys = dict[str, Any]

DOMAIN: Final = "langfuse.example.com"
ON_APP_RUNNER: Final[Keys] = {
    "domain": DOMAIN,
    "ingress": {"kind": "appRunner"},
    "web": {"platform": "appRunner"},
    "network": {"egress": "natInstance"},
    "images": {"source": "mirror"},
}
NO_ACCOUNT: Final[Keys] = {
    "adopted": [],
    "postgres": {"mode": "instance"},
    "secretEnvironment": "{}",
}
"""Nothing that could bring one, or another way to sign in."""
FIRST: Final = {"bootstrap": {"userEmail": "ada@example.com"}}
GOOGLE: Final = {"google": {"clientId": "id", "allowAccountLinking": False}}


LARGE_DATABASE: Final = {"postgres": {"mode": "auroraServerless"}}


def on_app_runner(section: str, **keys: Any) -> Keys:
    return {**ON_APP_RUNNER, section: {**ON_APP_RUNNER.get(section, {}), **keys}}


# Each is a whole fault, with all that it needs beside it.
FAULTS: Final[list[Keys]] = [
    # of one section
    {"size": "production"},
    {"release": "latest"},
    {"release": 3},
    {"domain": "example.com"},
    {"deletionProtection": "maybe"},
    {"allowReplace": ["*"]},
    {"adopted": ["clickhouse"]},
    {"kubernetes": {}},
    {"network": "big"},
    {"network": {"zones": 7}},
    {"network": {"cidr": "10.0.0.0/8"}},
    {"network": {"egress": "all"}},
    {"network": {"egress": "natGateway", "endpoints": ["lambda"]}},
    {
        "network": {"egress": "endpoints", "endpoints": ["com.amazonaws.x/lambda"]},
        "images": {"source": "mirror"},
    },
    {"network": {"flowLogs": "maybe"}},
    {"network": {"vpcId": "vpc-1", "privateSubnetIds": ["a"], "publicSubnetIds": []}},
    {"ingress": {"kind": "nlb"}},
    {"ingress": {"kind": "apiGateway", "rateLimit": 0}},
    {"ingress": {"kind": "apiGateway", "internal": True}},
    {"ingress": {"kind": "alb", "allowedCidrs": ["office"]}, "domain": DOMAIN},
    {"ingress": {"kind": "alb", "waf": {"countedRules": ["x"]}}, "domain": DOMAIN},
    {"web": {"cpu": 3}},
    {"web": {"cpu": 1024, "memory": 512}},
    {"web": {"minTasks": 3, "maxTasks": 2}},
    {"web": {"architecture": "mips"}},
    {"web": {"spott": True}},
    {"web": {"policyArns": ["AdministratorAccess"]}},
    {"worker": {"policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"] * 2}},
    {"permissionsBoundary": "arn:aws:iam::123456789012:role/deploy"},
    {"web": {"environment": {"PORT": "1"}}},
    {"web": {"environment": {"LANGFUSE_LOG_FORMAT": 1}}},
    {"worker": {"cpu": 3}},
    {"worker": {"scaleOn": "memory"}},
    {"worker": {"maxLagSeconds": 0}},
    {"worker": {"backlogPerTask": 500}},
    {"worker": {"environment": {"LANGFUSE_LOG_LEVEL": "loud"}}},
    {"clickhouse": {"mode": "cloud"}},
    {"clickhouse": {"mode": "ec2", "volumeGib": 1}},
    {"clickhouse": {"mode": "ec2", "instanceType": "t3.nano"}},
    {"clickhouse": {**CLICKHOUSE, "url": "http://h"}, "clickhousePassword": "x"},
    {"postgres": {"mode": "instance", "instanceClass": "large"}},
    {"postgres": {"mode": "auroraServerless", "minAcu": 4, "maxAcu": 2}},
    {"postgres": {**POSTGRES, "connectionLimit": 0}, "postgresPassword": "x"},
    {"postgres": {**POSTGRES, "connectTimeoutSeconds": 0}, "postgresPassword": "x"},
    {"postgres": {**POSTGRES, "port": 0}, "postgresPassword": "x"},
    {"redis": {"mode": "elasticache", "replicas": 6}},
    {"redis": {"mode": "elasticache", "nodeType": "cache.r6gd.xlarge"}},
    {"storage": {"eventsRetentionDays": 1}},
    {"backups": {"copyRegion": "eu"}},
    {"bootstrap": {"userEmail": "ada"}},
    {"bootstrap": {"userEmail": "ada@example.com", "keyVersion": 0}},
    {"auth": {"disablePassword": "maybe"}},
    {"auth": {"enforceSsoDomains": ["A"], "providers": GOOGLE}, "authSecrets": '{"google": "x"}'},
    {"smtp": {"mode": "ses", "from": "nobody"}},
    {"alarms": {"email": "nobody"}},
    {"alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 0}},
    {"logs": {"retentionDays": 2}},
    {"v4": {"writeMode": "both"}},
    {"grafana": {"enabled": "maybe"}},
    {"images": {"source": "ecr"}},
    {"images": {"source": "upstream", "githubSecretArn": "x"}},
    # of secrets
    {"secretEnvironment": "x"},
    {"secretEnvironment": '{"ENCRIPTION_KEY": "x"}', "release": READ[3]},
    {"postgresPassword": "x", "postgres": {"mode": "instance"}},
    {"redis": REDIS, "redisPassword": ""},
    {"auth": {"providers": GOOGLE}, "authSecrets": "{}"},
    {"smtp": {"mode": "smtp", "from": "a@example.com"}},
    # between sections
    {"release": "3.125.0", "smtp": {"mode": "ses", "from": "a@example.com"}},
    {"ingress": {"kind": "alb"}, "domain": None},
    {"ingress": {"kind": "apiGateway", "certificateArn": CERTIFICATE}, "domain": None},
    {"ingress": {"kind": "apiGateway", "hostedZone": "example.com"}, "domain": None},
    {"ingress": {"kind": "apiGateway", "certificateArn": None}, "domain": LONG_DOMAIN},
    {"ingress": {"kind": "alb", "hostedZone": "example.org"}, "domain": DOMAIN},
    {"ingress": {"kind": "appRunner"}, "web": {"platform": "fargate"}, "domain": DOMAIN},
    {"network": {"zones": 2}, "clickhouse": {"mode": "ec2", "replicas": 3}},
    {"adopted": ["postgres"], "postgres": {"mode": "instance"}},
    {"adopted": ["redis"], "redis": REDIS, "redisPassword": "x"},
    {"grafana": {"enabled": False, "clickhouseUser": "reader"}},
    {"grafana": {"enabled": True}, "clickhouse": CLICKHOUSE, "clickhousePassword": "x"},
    {"images": {"source": "pullThrough"}, "clickhouse": {"mode": "ec2"}},
    {"network": {"egress": "endpoints"}, "images": {"source": "upstream"}},
    {
        "network": {"egress": "endpoints"},
        "images": {"source": "mirror"},
        "grafana": {"enabled": True},
    },
    on_app_runner("network", egress="none"),
    on_app_runner("ingress", kind="alb"),
    on_app_runner("web", cpu=8192, memory=16384),
    on_app_runner("web", cpu=512, memory=2048),
    on_app_runner("web", maxTasks=26) | LARGE_DATABASE,
    on_app_runner("web", spot=True),
    on_app_runner("web", architecture="arm64"),
    on_app_runner("grafana", enabled=True),
    on_app_runner("images", source="upstream"),
    {"web": {"maxTasks": 60}, "postgres": {"mode": "instance", "instanceClass": "db.t4g.micro"}},
    {
        "network": {"cidr": "10.0.0.0/24", "zones": 2},
        "web": {"platform": "fargate", "minTasks": 1, "maxTasks": 1},
        "worker": {"maxTasks": 90},
        "postgres": {"mode": "auroraServerless", "minAcu": 1, "maxAcu": 64},
    },
    {**NO_ACCOUNT, "auth": {"disableSignup": True}, "bootstrap": None},
    {**NO_ACCOUNT, "auth": {"disablePassword": True, "providers": {}}},
    {
        **NO_ACCOUNT,
        **FIRST,
        "auth": {"disablePassword": True, "providers": GOOGLE},
        "authSecrets": '{"google": "x"}',
    },
    {
        **NO_ACCOUNT,
        **FIRST,
        "auth": {"enforceSsoDomains": ["example.com"], "providers": GOOGLE},
        "authSecrets": '{"google": "x"}',
    },
]


class ContradictionError(Exception):
    """Two faults that cannot be in one file."""


def merge_dimensions(one: Mapping[str, Any], other: Mapping[str, Any]) -> Keys:
    found = {**one}
    for key, value in other.items():
        if key not in one:
            found[key] = value
        elif value and isinstance(value, Mapping) and one[key] and isinstance(one[key], Mapping):
            found[key] = merge_dimensions(one[key], cast("Mapping[str, Any]", value))
        elif value != one[key]:
            raise ContradictionError
    if "vpcId" in found and found.keys() & {"zones", "cidr", "egress", "flowLogs"}:
        raise ContradictionError  # a network that is adopted, and one that is made
    return found


def lines(keys: Keys) -> list[str]:
    try:
        load({"size": "dev", **keys})
    except SettingsError as error:
        return error.problems
    return []


def files() -> Iterator[tuple[list[Keys], Keys]]:
    """Files full of faults, in which every fault is beside every other that can be in one file."""
    left = {(one, other) for one, other in PAIRS if _fit(FAULTS[one], FAULTS[other])}
    assert len(left) > 3000, "nearly every pair can be in one file"
    while left:
        one, other = min(left)
        members: list[int] = [one, other]
        file = merge_dimensions(FAULTS[one], FAULTS[other])
        for each, fault in enumerate(FAULTS):
            news = {(min(each, member), max(each, member)) for member in members} & left
            if each not in members and news and _fit(file, fault):
                members.append(each)
                file = merge_dimensions(file, fault)
        left -= set(itertools.combinations(sorted(members), 2))
        yield [FAULTS[member] for member in members], file


PAIRS: Final = list(itertools.combinations(range(len(FAULTS)), 2))


def _fit(one: Keys, other: Keys) -> bool:
    try:
        merge_dimensions(one, other)
    except ContradictionError:
        return False
    return True


def told_of(line: str) -> str:
    """A line without its remedy, which may know of the other fault."""
    return line.split(". ")[0]


def test_no_fault_hides_another() -> None:
    alone = {json.dumps(keys): Counter(map(told_of, lines(keys))) for keys in FAULTS}
    assert [keys for keys, told in alone.items() if not told] == [], "no fault by themselves"
    hidden: list[str] = []
    for faults, file in files():
        found = Counter(map(told_of, lines(file)))
        for fault in faults:
            missing = alone[json.dumps(fault)] - found
            if missing:
                hidden.append(f"{list(missing)} is hidden in {json.dumps(file)}")
    assert hidden == [], f"{len(hidden)} faults cost one more run"


def test_five_faults_of_app_runner_are_told_in_one_round() -> None:
    keys = {
        "domain": DOMAIN,
        "web": {"platform": "appRunner", "spot": True, "maxTasks": 26},
        "network": {"egress": "none"},
        "grafana": {"enabled": True},
        "images": {"source": "upstream"},
        **LARGE_DATABASE,
    }
    assert [line.split(": ")[0] for line in lines(keys)] == [
        "langfuse:web.platform",
        "langfuse:web.maxTasks",
        "langfuse:web.spot",
        "langfuse:grafana.enabled",
        "langfuse:images.source",
    ]


def test_both_secrets_of_the_registries_are_asked_for_at_once() -> None:
    found = lines({"images": {"source": "pullThrough"}})
    assert [line.split(": ")[0] for line in found] == [
        "langfuse:images.githubSecretArn",
        "langfuse:images.dockerHubSecretArn",
    ]
