"""The stores of the Terraform repository, imported and deployed through the real AWS provider.

boto3 makes what Terraform would have made. What is proven is that the stores are updated where they
are, neither replaced nor deleted, that nothing is made beside them, and that Langfuse is given them
and the old keys. The simulation moves no data, gives no token to a cache that had none, and refuses
no change of an engine's version.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.offline_workspace import prepare
from tests import terraform_state
from tests.deployment import Deployment
from tests.provider.aws import client
from tests.provider.ecs_scheduler import EcsScheduler
from tests.provider.readback import Account

REGION: Final = "us-west-2"
CLUSTER: Final = "langfuse-postgres"
INSTANCE: Final = "serverless-v2-instance"
CACHE: Final = "langfuse-cache"
BUCKET: Final = "acme-langfuse-blob-prod"
STACK: Final = "moving"
"""A name of its own: roles and buckets are of no region."""


def make_network() -> Mapping[str, Any]:
    """A VPC with two private and two public subnets."""
    ec2 = client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.9.{number}.0/24",
            AvailabilityZone=f"{REGION}{'ab'[number % 2]}",
        )["Subnet"]["SubnetId"]
        for number in range(4)
    ]
    group = ec2.create_security_group(GroupName="langfuse-db-sg", Description="db", VpcId=vpc)
    return {"vpc": vpc, "private": subnets[:2], "public": subnets[2:], "group": group["GroupId"]}


def make_stores(network: Mapping[str, Any]) -> str:
    """What Terraform would have made, and an object; gives the ID that AWS knows the data by."""
    rds, cache, s3 = (client(name, REGION) for name in ("rds", "elasticache", "s3"))
    key = client("kms", REGION).create_key()["KeyMetadata"]["Arn"]
    subnets = {"SubnetIds": network["private"]}
    rds.create_db_subnet_group(
        DBSubnetGroupName="postgres_subnet_grp", DBSubnetGroupDescription="Langfuse", **subnets
    )
    cluster = rds.create_db_cluster(
        DBClusterIdentifier=CLUSTER,
        Engine="aurora-postgresql",
        EngineVersion="16.6",
        EngineMode="provisioned",
        DatabaseName="langfuse",
        MasterUsername="langfuse",
        MasterUserPassword=terraform_state.DATABASE_PASSWORD,
        StorageEncrypted=True,
        KmsKeyId=key,
        DBSubnetGroupName="postgres_subnet_grp",
        VpcSecurityGroupIds=[network["group"]],
        BackupRetentionPeriod=5,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 10},
    )["DBCluster"]
    rds.create_db_instance(
        DBInstanceIdentifier=INSTANCE,
        DBClusterIdentifier=CLUSTER,
        DBInstanceClass="db.serverless",
        Engine="aurora-postgresql",
    )
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="langfuse-cache-subnet-group",
        CacheSubnetGroupDescription="Langfuse",
        **subnets,
    )
    cache.create_replication_group(
        ReplicationGroupId=CACHE,
        ReplicationGroupDescription="Langfuse",
        Engine="valkey",
        EngineVersion="8.0",
        CacheNodeType="cache.t4g.small",
        NumCacheClusters=1,
        CacheSubnetGroupName="langfuse-cache-subnet-group",
        AtRestEncryptionEnabled=True,
        TransitEncryptionEnabled=True,
        TransitEncryptionMode="preferred",
    )
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key="project/picture.png", Body=b"picture")
    return str(cluster["DbClusterResourceId"])


def written_state(network: Mapping[str, Any], folder: Path) -> Path:
    """The state that Terraform would have of it."""
    state = terraform_state.terraform_state()
    changes = {
        "aws_rds_cluster.langfuse_aurora_cluster": {
            "arn": f"arn:aws:rds:{REGION}:123456789012:cluster:{CLUSTER}"
        },
        "aws_db_subnet_group.postgres_subnet_grp": {"subnet_ids": network["private"]},
        "aws_security_group.langfuse_db": {"vpc_id": network["vpc"]},
    }
    for kind, attributes in changes.items():
        terraform_state.attributes_of(state, kind).update(attributes)
    return terraform_state.write(terraform_state.without(state, "aws_subnet.edge"), folder)


def leave_out_empty_inputs(deployment: Deployment, file: Path) -> None:
    """Have no empty inputs, which Pulumi's bridge leaves out when it reads for an import."""
    state = json.loads(deployment.run("stack", "export", "--stack", STACK).stdout)
    for each in state["deployment"]["resources"]:
        each["inputs"] = {
            key: value for key, value in each.get("inputs", {}).items() if value not in (None, "")
        }
    file.write_text(json.dumps(state), encoding="utf-8")
    deployment.run("stack", "import", "--file", str(file), "--stack", STACK)


def test_imported_stores_are_updated_where_they_are(tmp_path: Path) -> None:
    network = make_network()
    data = make_stores(network)
    config = {"aws:region": REGION, "langfuse:size": "dev"}
    deployment = Deployment(prepare(STACK, tmp_path, config=config), {}, "4")
    deployment.run("stack", "init", STACK)
    command = (
        *(sys.executable, "-m", "automation", "import", "--configure", "--stack", STACK),
        *("--from-terraform-state", written_state(network, tmp_path), "--to", tmp_path),
        *("--dir", deployment.stack.folder),
    )
    environment = {**os.environ, **deployment.environment}
    said = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert "langfuse:network.publicSubnetIds: the state does not say" in said.stdout
    public = {f"network.publicSubnetIds[{i}]": each for i, each in enumerate(network["public"])}
    deployment.configure_all(public, {})
    # A domain would need a zone.
    deployment.run("config", "rm", "langfuse:domain", "--stack", STACK)

    file = str(tmp_path / "langfuse-import.json")
    deployment.run("import", "--file", file, "--yes", "--generate-code=false", "--stack", STACK)
    leave_out_empty_inputs(deployment, tmp_path / "state.json")
    with EcsScheduler(REGION):
        deployment.up()

    rds, cache, s3 = (client(name, REGION) for name in ("rds", "elasticache", "s3"))
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    assert (cluster["DBClusterIdentifier"], cluster["DbClusterResourceId"]) == (CLUSTER, data)
    assert cluster["EngineVersion"] == "16.6", "its minor version is its own"
    assert cluster["BackupRetentionPeriod"] == 7, "it is the program's now"
    (instance,) = rds.describe_db_instances()["DBInstances"]
    assert instance["DBInstanceIdentifier"] == INSTANCE
    (group,) = cache.describe_replication_groups()["ReplicationGroups"]
    assert (group["ReplicationGroupId"], group["Description"]) == (
        CACHE,
        f"Queue and cache of langfuse-{STACK}-redis",
    )
    assert "DenyPlainHttp" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"], "as the program's own"
    s3.delete_bucket_policy(Bucket=BUCKET)  # the simulation is reached over plain HTTP
    held = s3.get_object(Bucket=BUCKET, Key="project/picture.png")["Body"].read()
    assert held == b"picture"
    block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert all(block.values()), "it is the program's now"
    account = Account(f"langfuse-{STACK}", REGION)
    outputs = deployment.outputs()
    definition = account.container(outputs["cluster_name"], outputs["web_service_name"])
    plain = account.environment(definition)
    assert plain["LANGFUSE_S3_MEDIA_UPLOAD_BUCKET"] == BUCKET
    assert plain["DATABASE_HOST"].startswith(f"{CLUSTER}.")
    salt = next(each["valueFrom"] for each in definition["secrets"] if each["name"] == "SALT")
    assert account.resolved_secret(salt) == terraform_state.SALT
