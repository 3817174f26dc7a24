"""PostgreSQL, Valkey, S3 and the secrets: what is registered for each size and switch."""

import json
from typing import Any

import pytest

from langfuse_aws.offline import invokes
from langfuse_aws.settings.versions import POSTGRES_MAJOR
from tests.unit.stack_graph import Graph, build, shipped, shipped_config, unshared
from tests.unit.stacks_of_all import graphs

AURORA = "aws:rds/cluster:Cluster"
AURORA_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
RDS = "aws:rds/instance:Instance"
CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
BUCKET = "aws:s3/bucket:Bucket"
SECRET = "aws:secretsmanager/secret:Secret"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
PASSWORD = "random:index/randomPassword:RandomPassword"
ALL = ["dev", "staging", "prod"]


def database(graph: Graph) -> dict[str, Any]:
    """The inputs of the stack's database, of either kind."""
    (found,) = [*graph.of_type(AURORA), *graph.of_type(RDS)]
    return found.inputs


def changed() -> Graph:
    """A stack with a KMS key, events that expire, a secret variable and an SMTP server.

    And with more that has nothing to do with the databases: see test_migration.py.
    """
    config: dict[str, Any] = {
        "size": "dev",
        "web": {"cpu": 2048, "memory": 4096, "environment": {"LANGFUSE_LOG_LEVEL": "debug"}},
        "worker": {"maxTasks": 9},
        "auth": {"disableSignup": True, "existingAccounts": True},
        "redis": {"nodeType": "cache.t4g.small"},
        "storage": {"kms": True, "eventsRetentionDays": 30},
        "secretEnvironment": {"LANGFUSE_EE_LICENSE_KEY": "langfuse_ee_0123"},
        "smtp": {"mode": "smtp", "from": "no-reply@example.com"},
        "smtpUrl": "smtps://user:word@smtp.example.com",
    }
    return build("dev", config)


def rules(graph: Graph, stack: str) -> list[dict[str, Any]]:
    """The lifecycle rules of Langfuse's bucket."""
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    return graph.one(token, f"langfuse-{stack}-storage").inputs["rules"]


def test_dev_has_one_instance_and_the_others_aurora() -> None:
    assert shipped("dev").one(RDS).inputs["instanceClass"] == "db.t4g.micro"
    assert shipped("dev").of_type(AURORA) == []
    for stack, instances in (("staging", 1), ("prod", 2)):
        graph = shipped(stack)
        assert graph.of_type(RDS) == []
        found = graph.of_type(AURORA_INSTANCE)
        assert {each.inputs["instanceClass"] for each in found} == {"db.serverless"}
        assert len(found) == instances, stack
    prod = sorted(shipped("prod").of_type(AURORA_INSTANCE), key=lambda each: each.name)
    assert [each.inputs["identifierPrefix"] for each in prod] == [
        "langfuse-prod-postgres-1-",
        "langfuse-prod-postgres-2-",
    ]
    tiers = [each.inputs["promotionTier"] for each in prod]
    assert tiers == [0, 1], "a reader of a lower tier would not keep the writer's capacity"


def test_postgres_gets_its_minor_releases_by_itself() -> None:
    servers = [
        each
        for stack in ALL
        for token in (AURORA_INSTANCE, RDS)
        for each in shipped(stack).of_type(token)
    ]
    assert len(servers) == 4
    assert {each.inputs.get("autoMinorVersionUpgrade") for each in servers} == {True}, (
        "AWS's default, and what docs/operations.md says, but an auditor does not see a default"
    )


@pytest.mark.parametrize("stack", ALL)
def test_postgres_is_encrypted_backed_up_and_not_public(stack: str) -> None:
    inputs = database(shipped(stack))
    assert inputs["engineVersion"] == POSTGRES_MAJOR, "AWS picks the minor"
    assert inputs["storageEncrypted"] is True
    assert inputs["copyTagsToSnapshot"] is True
    assert inputs["backupRetentionPeriod"] >= 7, "one day is what langfuse-with-aws-cdk keeps"
    servers = [*shipped(stack).of_type(RDS), *shipped(stack).of_type(AURORA_INSTANCE)]
    assert {each.inputs["publiclyAccessible"] for each in servers} == {False}


@pytest.mark.parametrize(
    ("stack", "token", "family"),
    [
        ("dev", "aws:rds/parameterGroup:ParameterGroup", f"postgres{POSTGRES_MAJOR}"),
        (
            "prod",
            "aws:rds/clusterParameterGroup:ClusterParameterGroup",
            f"aurora-postgresql{POSTGRES_MAJOR}",
        ),
    ],
)
def test_postgres_forces_tls_by_a_group_that_is_attached(
    stack: str, token: str, family: str
) -> None:
    graph = shipped(stack)
    group = graph.one(token)
    values = {each["name"]: each["value"] for each in group.inputs["parameters"]}
    assert group.inputs["family"] == family
    assert values == {"rds.force_ssl": "1"}
    inputs = database(graph)
    attached = inputs.get("parameterGroupName") or inputs.get("dbClusterParameterGroupName")
    assert attached == group.outputs["name"], (
        "a parameter group that nothing uses (langfuse-terraform-aws postgresql.tf:71)"
    )


@pytest.mark.parametrize("stack", ALL)
def test_valkey_never_evicts_and_always_asks_for_tls_and_a_token(stack: str) -> None:
    graph = shipped(stack)
    group = graph.one("aws:elasticache/parameterGroup:ParameterGroup")
    cache = graph.one(CACHE).inputs
    assert group.inputs["parameters"] == [{"name": "maxmemory-policy", "value": "noeviction"}], (
        "default.valkey7 and default.redis7 evict jobs (tubone24 elastic_cache.tf:21, myui "
        "elasticache.tf:31, niklas-palm template.yaml:629)"
    )
    assert cache["parameterGroupName"] == group.outputs["name"]
    assert cache["transitEncryptionEnabled"] is True
    assert cache["transitEncryptionMode"] == "required", "'preferred' lets plain clients in"
    assert cache["atRestEncryptionEnabled"] is True
    token = graph.one(PASSWORD, f"langfuse-{stack}-redis-token")
    assert cache["authToken"] == token.outputs["result"], (
        "REDIS_AUTH from a token that was never set means no authentication "
        "(tubone24 app_runner.tf:37)"
    )
    assert cache["engine"] == "valkey"
    assert "numNodeGroups" not in cache, "cluster mode breaks BullMQ without its own variables"


@pytest.mark.parametrize("stack", ALL)
def test_valkey_has_a_snapshot_of_each_day(stack: str) -> None:
    assert shipped(stack).one(CACHE).inputs["snapshotRetentionLimit"] == 1, (
        "0 turns them off (https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/"
        "API_CreateReplicationGroup.html), and what waits in the queues is nowhere else; each "
        "further day is paid for"
    )


@pytest.mark.parametrize("stack", ALL)
def test_what_up_says_it_changed_is_changed(stack: str) -> None:
    graph = shipped(stack)
    stores = [
        found for token in (AURORA, AURORA_INSTANCE, RDS, CACHE) for found in graph.of_type(token)
    ]
    assert len(stores) >= 2
    for store in stores:
        assert store.inputs["applyImmediately"] is True, (
            f"{store.name}: RDS and ElastiCache would put it off to a maintenance window within a "
            "week, and `up` would be over"
        )


def test_prod_valkey_fails_over_to_a_replica_in_another_zone() -> None:
    prod, dev = shipped("prod").one(CACHE).inputs, shipped("dev").one(CACHE).inputs
    keys = ("numCacheClusters", "automaticFailoverEnabled", "multiAzEnabled")
    assert [prod[key] for key in keys] == [2, True, True]
    assert [dev[key] for key in keys] == [1, False, False]


@pytest.mark.parametrize("stack", ALL)
def test_passwords_are_alphanumeric(stack: str) -> None:
    passwords = shipped(stack).of_type(PASSWORD)
    assert len(passwords) == 5, "PostgreSQL, Valkey, ClickHouse, SALT, NEXTAUTH_SECRET"
    for password in passwords:
        assert password.inputs["special"] is False, (
            f"{password.name}: a % in it breaks DATABASE_URL in a fifth of fresh deployments "
            "(tubone24 secrets_manager.tf:1)"
        )
        assert password.inputs["length"] >= 32, password.name


def test_the_session_secret_is_the_shortest_with_256_bits() -> None:
    # contract: `openssl rand -base64 32` is what Langfuse asks for
    secret = shipped("dev").one(PASSWORD, "langfuse-dev-nextauth-secret")
    length = secret.inputs["length"]
    assert 62 ** (length - 1) < 2**256 < 62**length


def test_the_encryption_key_is_64_hexadecimal_digits() -> None:
    graph = shipped("dev")
    key = graph.one("random:index/randomBytes:RandomBytes")
    assert key.inputs["length"] == 32
    stored = json.loads(graph.one(SECRET_VERSION, "langfuse-dev-keys").inputs["secretString"])
    assert set(stored) == {"SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET"}
    assert stored["ENCRYPTION_KEY"] == key.outputs["hex"]
    assert len(stored["ENCRYPTION_KEY"]) == 64
    assert int(stored["ENCRYPTION_KEY"], 16) >= 0, (
        "letters beyond f pass Langfuse's length check and fail at the first use "
        "(myui secrets.tf:26)"
    )


@pytest.mark.parametrize("stack", ALL)
def test_secret_values_are_secret_to_pulumi(stack: str) -> None:
    graph = shipped(stack)
    for version in graph.of_type(SECRET_VERSION):
        assert "secretString" in version.secrets, f"{version.name} is in the state in clear"
    assert "authToken" in graph.one(CACHE).secrets
    (store,) = [*graph.of_type(AURORA), *graph.of_type(RDS)]
    assert store.secrets & {"masterPassword", "password"}


@pytest.mark.parametrize("stack", ALL)
@pytest.mark.parametrize("label", ["storage", "clickhouse-backups", "access-logs"])
def test_each_bucket_is_private_encrypted_owned_and_tls_only(label: str, stack: str) -> None:
    graph, name = shipped(stack), f"langfuse-{stack}-{label}"
    assert len(graph.of_type(BUCKET)) == 3
    bucket = graph.one(BUCKET, name)
    block = graph.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", name).inputs
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert [block[flag] for flag in flags] == [True] * 4
    ownership = graph.one("aws:s3/bucketOwnershipControls:BucketOwnershipControls", name).inputs
    assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    encryption = graph.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        name,
    ).inputs["rules"]
    assert encryption[0]["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    guards = [block, ownership, graph.one("aws:s3/bucketPolicy:BucketPolicy", name).inputs]
    assert [guard["bucket"] for guard in guards] == [bucket.id] * 3
    policy = json.loads(guards[-1]["policy"])
    # Whom the bucket of the access logs lets write: test_access_logs.py.
    allowed = [each for each in policy["Statement"] if each["Effect"] != "Deny"]
    assert bool(allowed) is (label == "access-logs")
    policy["Statement"] = [each for each in policy["Statement"] if each not in allowed]
    every = [bucket.outputs["arn"], f"{bucket.outputs['arn']}/*"]
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": every}
    assert policy["Statement"] == [
        {
            **denied,
            "Sid": "DenyPlainHttp",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            **denied,
            "Sid": "DenyOldTls",
            "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        },
    ]


def test_uploads_from_the_browser_are_allowed_from_the_stacks_own_origin_only() -> None:
    token = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
    (rule,) = shipped("prod").one(token).inputs["corsRules"]
    assert rule["allowedOrigins"] == ["https://langfuse.example.com"]
    assert rule["allowedMethods"] == ["GET", "HEAD", "PUT"]
    assert rule["allowedHeaders"] == ["content-type", "x-amz-checksum-sha256"]


def test_only_events_can_expire_and_only_when_asked_to() -> None:
    assert rules(shipped("dev"), "dev") == [
        {
            "id": "abort-multipart-uploads",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        },
        {
            # A bucket that was versioned once would keep its old versions for ever.
            "id": "expire-old-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrentVersionExpiration": {"noncurrentDays": 1},
            "expiration": {"expiredObjectDeleteMarker": True},
        },
    ]
    graph = changed()
    _, _, expire = rules(graph, "dev")
    assert expire == {
        "id": "expire-events",
        "status": "Enabled",
        "filter": {"prefix": "events/"},
        "expiration": {"days": 30},
    }
    assert graph.environment("web")["LANGFUSE_ENABLE_BLOB_STORAGE_FILE_LOG"] == "false"


def test_deleted_objects_can_be_had_back_for_as_long_as_asked_for() -> None:
    token = "aws:s3/bucketVersioning:BucketVersioning"
    names = {each.name for each in shipped("dev").of_type(token)}
    logs = "langfuse-dev-access-logs"
    assert names - {logs} == {"langfuse-dev-clickhouse-backups"}, "otherwise a deletion is one"
    prod = shipped("prod")
    versioning = prod.one(token, "langfuse-prod-storage").inputs
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}
    expire = rules(prod, "prod")[-1]
    assert expire["noncurrentVersionExpiration"] == {"noncurrentDays": 14}
    assert expire["expiration"] == {"expiredObjectDeleteMarker": True}, (
        "the markers of deletions would stay; what nobody deleted must never expire"
    )


def test_a_kms_key_rotates_and_the_containers_may_use_it() -> None:
    graph = changed()
    key = graph.one("aws:kms/key:Key")
    assert key.inputs["enableKeyRotation"] is True
    for container in ("web", "worker"):
        statements = graph.policy(f"langfuse-dev-{container}-task")
        assert {
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": [key.outputs["arn"]],
        } in statements


def test_secret_variables_of_the_stack_file_reach_both_containers_as_references() -> None:
    graph = changed()
    secret = graph.one(SECRET, "langfuse-dev-environment").id
    for container in ("web", "worker"):
        reference = graph.secrets(container)["LANGFUSE_EE_LICENSE_KEY"]
        assert reference == f"{secret}:LANGFUSE_EE_LICENSE_KEY::"
        assert "LANGFUSE_EE_LICENSE_KEY" not in graph.environment(container)
        read = graph.policy(f"langfuse-dev-{container}-execution")[1]
        assert secret in read["Resource"]


@pytest.mark.parametrize("stack", ALL)
def test_a_store_is_behind_its_own_group_and_no_other(stack: str) -> None:
    graph = shipped(stack)
    groups = {each.id: each.name for each in graph.of_type("aws:ec2/securityGroup:SecurityGroup")}
    behind = {
        found.name: [groups[group] for group in found.inputs[key]]
        for token, key in (
            (AURORA, "vpcSecurityGroupIds"),
            (RDS, "vpcSecurityGroupIds"),
            (CACHE, "securityGroupIds"),
        )
        for found in graph.of_type(token)
    }
    stores = (f"langfuse-{stack}-postgres", f"langfuse-{stack}-redis")
    assert behind == {store: [store] for store in stores}, (
        "without one AWS takes the VPC's default group, which lets nobody in"
    )


def test_a_store_is_in_the_stacks_own_subnets() -> None:
    """Without a group of its own AWS takes that of the default VPC, and refuses the stack's."""
    for graph in graphs().values():
        for found in (*graph.of_type(AURORA), *graph.of_type(AURORA_INSTANCE), *graph.of_type(RDS)):
            (group,) = graph.of_type("aws:rds/subnetGroup:SubnetGroup")
            assert found.inputs["dbSubnetGroupName"] == group.outputs["name"], found.name
        for found in graph.of_type(CACHE):
            (group,) = graph.of_type("aws:elasticache/subnetGroup:SubnetGroup")
            assert found.inputs["subnetGroupName"] == group.outputs["name"], found.name


@pytest.mark.parametrize("stack", ALL)
def test_langfuses_database_is_made_with_the_server(stack: str) -> None:
    graph = shipped(stack)
    made = [found.inputs["dbName"] for found in graph.of_type(RDS)]
    made += [found.inputs["databaseName"] for found in graph.of_type(AURORA)]
    assert made == ["langfuse"], "RDS makes none without a name, and Langfuse makes none itself"


def test_an_instances_storage_grows_ten_times_before_it_is_full() -> None:
    inputs = shipped("dev").one(RDS).inputs
    assert (inputs["allocatedStorage"], inputs["maxAllocatedStorage"]) == (20, 200), (
        "without a most RDS does not grow it at all: https://docs.aws.amazon.com/AmazonRDS/latest/"
        "UserGuide/USER_PIOPS.Autoscaling.html"
    )


def test_a_database_of_a_larger_snapshot_has_the_storage_of_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RDS lowers no storage."""
    told: Any = {"allocatedStorage": 150, "engineVersion": "16.4"}
    monkeypatch.setattr(invokes, "usual_snapshot", lambda *_: told)  # pyright: ignore
    with unshared():
        graph = build("dev", {"size": "dev", "postgres": {"snapshotIdentifier": "before"}})
    inputs = graph.one(RDS).inputs
    assert (inputs["allocatedStorage"], inputs["maxAllocatedStorage"]) == (150, 200)
    assert inputs["engineVersion"] == "16.4"


@pytest.mark.parametrize("allowed", [[], ["postgres"], ["redis"], ["postgres", "redis"]])
def test_a_final_snapshot_has_a_new_name_only_where_the_store_may_be_replaced(
    allowed: list[str],
) -> None:
    names = [f"langfuse-prod-{store}" for store in allowed]
    graph = build("prod", {**shipped_config("prod"), "allowReplace": names})
    renamed = {
        each.name.removesuffix("-final-snapshot")
        for each in graph.of_type("random:index/randomId:RandomId")
        if each.inputs.get("keepers")
    }
    assert renamed == set(names)


KEYS: Any = {
    "auth": [{"azureAd", "google"}],
    "bootstrap": [{"public_key", "secret_key", "user_password"}],
    "clickhouse-credentials": [{"password"}, {"password", "interserver"}],
    "clickhouse-reader": [{"password"}],
    "grafana": [{"password", "secret-key"}],
    "keys": [{"ENCRYPTION_KEY", "NEXTAUTH_SECRET", "SALT"}],
    "postgres-credentials": [{"password"}],
    "redis-credentials": [{"token"}],
}
"""What a secret holds, by what follows the stack's prefix in its name."""


def test_the_values_of_a_secret_have_the_names_that_running_stacks_read() -> None:
    """A task that starts anew reads them by these names, by its definition of another release."""
    seen = set[str]()
    for graph in graphs().values():
        for version in graph.of_type(SECRET_VERSION):
            label = version.name.split("-", 2)[2]
            seen.add(label)
            assert set(json.loads(version.inputs["secretString"])) in KEYS[label], version.name
    assert seen == set(KEYS)


def test_a_bucket_with_a_kms_key_asks_it_once_for_many_objects() -> None:
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    for graph, by_key in ((changed(), True), (shipped("dev"), False)):
        (rule,) = graph.one(token, "langfuse-dev-storage").inputs["rules"]
        assert rule["bucketKeyEnabled"] is by_key, (
            "each event would be a request to KMS, which are paid for and bounded by a quota: "
            "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html"
        )
