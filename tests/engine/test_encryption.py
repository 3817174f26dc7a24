"""`langfuse:encryption` under the real engine: a new stack, and one that has run without.

It proves that a stack with the key comes up and stays as it is, that a preview refuses to replace
the stores of one without, and type by type what the switch does where that is allowed. AWS is the
in-memory one, which replaces what `langfuse_aws/offline/rules.csv` says.
"""

import json
from pathlib import Path
from typing import Final

import pytest

from langfuse_aws.components.protection.encryption import ENCRYPTED
from tests.deployment import Deployment
from tests.unit.settings.test_external_stores import EXTERNAL, password

STORES: Final = {
    "aws:backup/vault:Vault": "langfuse-dev-backups",
    "aws:ebs/volume:Volume": "langfuse-dev-clickhouse",
    "aws:elasticache/replicationGroup:ReplicationGroup": "langfuse-dev-redis",
    "aws:rds/instance:Instance": "langfuse-dev-postgres",
}
"""What AWS gives another key only by replacing it."""

NOT_HERE: Final = {
    "aws:apprunner/service:Service",
    "aws:rds/cluster:Cluster",
    "aws:rds/clusterInstance:ClusterInstance",
}
"""Types that the stack has none of."""

MIRRORED: Final = {
    "images.source": "pullThrough",
    "images.githubSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
    "ecr-pullthroughcache/github-AbCdEf",
    "images.dockerHubSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
    "ecr-pullthroughcache/docker-hub-AbCdEf",
    "alarms.email": "ops@example.com",
}


@pytest.mark.running
def test_the_switch_replaces_no_store_and_changes_the_rest_in_place(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    deployment.configure_all(MIRRORED, {})
    deployment.up()
    deployment.configure("encryption", "customerKey")
    done = deployment.run("preview", "--stack", "dev", check=False)
    assert done.returncode != 0
    printed = done.stdout + done.stderr
    for kind, name in STORES.items():
        refused = f"{name} ({kind}) would be replaced by an empty one: kmsKey"
        assert refused in printed, f"{name}\n{printed}"
    deployment.configure_all(
        {f"allowReplace[{place}]": name for place, name in enumerate(STORES.values())}, {}
    )
    operations: dict[str, set[str]] = {}
    for step in deployment.steps():
        kind = step["urn"].split("$")[-1].split("::")[0]
        operations.setdefault(kind, set()).add(step["op"])
    assert ENCRYPTED.keys() - {each["type"] for each in deployment.state()} == NOT_HERE
    for kind in ENCRYPTED.keys() - NOT_HERE:
        done_to = operations.get(kind, {"same"})
        assert any("replace" in each for each in done_to) == (kind in STORES), f"{kind}: {done_to}"
        if kind == "aws:ecr/repository:Repository":
            assert done_to == {"same"}, "it keeps the key that it was made with"
        elif kind not in STORES:
            assert "update" in done_to, kind


@pytest.mark.running
def test_a_stack_with_the_key_comes_up_and_stays_as_it_is(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    deployment.configure_all({"encryption": "customerKey", "backups.copyRegion": "eu-west-1"}, {})
    deployment.up()
    assert deployment.changes() == set()
    keys = deployment.of_type("aws:kms/key:Key")
    assert [each["protect"] for each in keys] == [True, True]
    done = deployment.run("config", "rm", "--path", "langfuse:encryption", "--stack", "prod")
    assert done.returncode == 0
    refused = deployment.run("preview", "--stack", "prod", check=False)
    assert refused.returncode != 0
    assert "langfuse-prod-encryption (aws:kms/key:Key) would be deleted" in (
        refused.stdout + refused.stderr
    )


@pytest.mark.running
def test_a_key_of_the_users_is_neither_taken_away_nor_exchanged(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Without a store of its own a stack has nothing else that would refuse it."""
    key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-00000000000"
    deployment = Deployment.of("dev", tmp_path, environment)
    plain = {
        f"{store}.{field}": value if isinstance(value, str) else json.dumps(value)
        for store, fields in EXTERNAL.items()
        for field, value in fields.items()
    }
    secret = {f"{store}Password": password(store) for store in EXTERNAL}
    deployment.configure_all({**plain, "encryption": f"{key}1"}, secret)
    deployment.up()
    assert deployment.changes() == set()
    deployment.configure("encryption", f"{key}2")
    assert "encryption changes from" in _refused(deployment)
    deployment.run("config", "rm", "--path", "langfuse:encryption", "--stack", "dev")
    assert "langfuse-dev-encryption (langfuse:index:Encryption) would be deleted" in _refused(
        deployment
    )
    deployment.configure("allowReplace[0]", "langfuse-dev-encryption")
    deployment.up()


def _refused(deployment: Deployment) -> str:
    done = deployment.run("preview", "--stack", "dev", check=False)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr
