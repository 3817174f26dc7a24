"""What a Terraform state says of network, database and cache, as the program's configuration."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langfuse_aws.automation.from_terraform.move import Move
from langfuse_aws.automation.from_terraform.terraform_resources import (
    CACHE,
    CLUSTER,
    DATABASE_GROUP,
    GUIDE,
    INSTANCE,
    SUBNETS,
)
from langfuse_aws.automation.from_terraform.terraform_state import Managed
from langfuse_aws.components.data_plane.postgres import DATABASE, USER
from langfuse_aws.settings.versions import POSTGRES_MAJOR, VALKEY

FIT: Final[Mapping[str, Mapping[str, str]]] = {
    CLUSTER: {
        "engine": "aurora-postgresql",
        "engine_mode": "provisioned",
        "storage_encrypted": "true",
        "database_name": DATABASE,
        "master_username": USER,
    },
    INSTANCE: {"instance_class": "db.serverless"},
    CACHE: {
        "engine": "valkey",
        "at_rest_encryption_enabled": "true",
        "transit_encryption_enabled": "true",
    },
}
"""What cannot be changed without a replacement, and what it must be."""


def fits(move: Move, store: Managed, otherwise: str) -> bool:
    """Whether a store can be adopted; if not, note why, and what happens otherwise."""
    wrong = [
        f"{key} is {found or 'not set'} and must be {wanted}"
        for key, wanted in FIT[store.kind].items()
        if (found := _text(store.attributes.get(key))) != wanted
    ]
    if wrong:
        move.first.append(f"{store.address}: {', '.join(wrong)}; {otherwise}.")
    return not wrong


def _text(value: Any) -> str:
    """A value as it is in a state; booleans are text in some versions of the provider."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def adopt_network(
    move: Move, by_kind: Mapping[str, Sequence[Managed]], managed: Sequence[Managed]
) -> None:
    """Configure the VPC and the stores' subnets, and the public ones if the state has them."""
    vpc = by_kind[DATABASE_GROUP][0].attributes["vpc_id"]
    private = sorted(by_kind[SUBNETS][0].attributes["subnet_ids"])
    public = sorted(
        each.attributes["id"]
        for each in managed
        if each.type == "aws_subnet"
        and each.attributes.get("vpc_id") == vpc
        and each.attributes["id"] not in private
        and (each.attributes.get("map_public_ip_on_launch") or "public" in each.name)
    )
    network: dict[str, Any] = {"vpcId": vpc, "privateSubnetIds": private}
    if len(public) > 1:
        network["publicSubnetIds"] = public
    else:
        move.first.append(
            f"langfuse:network.publicSubnetIds: the state does not say which subnets of {vpc} are "
            "public. Set two or more, in two or more zones."
        )
    move.config["aws:region"] = by_kind[CLUSTER][0].attributes["arn"].split(":")[3]
    move.config["langfuse:network"] = network


def adopt_postgres(move: Move, cluster: Managed, instances: Sequence[Managed]) -> None:
    """Configure the cluster as large as it is."""
    found = cluster.attributes
    (scaling,) = found["serverlessv2_scaling_configuration"]
    move.config["langfuse:postgres"] = {
        "mode": "auroraServerless",
        "minAcu": scaling["min_capacity"],
        "maxAcu": scaling["max_capacity"],
        "instances": len(instances),
    }
    release = str(found.get("engine_version_actual") or found["engine_version"])
    if release.split(".", 1)[0] != POSTGRES_MAJOR:
        move.first.append(
            f"{cluster.address}: is PostgreSQL {release} and must be {POSTGRES_MAJOR}: snapshot, "
            f"then upgrade it ({GUIDE}, PostgreSQL)."
        )


def use_postgres(move: Move, cluster: Managed) -> None:
    """Configure the cluster as an external store."""
    found = cluster.attributes
    move.config["langfuse:postgres"] = {
        "mode": "external",
        "host": found["endpoint"],
        "user": found["master_username"],
        "database": found["database_name"],
    }
    move.first.append(
        "langfuse:postgresPassword: give the database's user a password of letters and digits, "
        "and set it here."
    )


def adopt_redis(move: Move, cache: Managed) -> None:
    """Configure the cache as large as it is."""
    move.config["langfuse:redis"] = {
        "mode": "elasticache",
        "nodeType": cache.attributes["node_type"],
        "replicas": int(cache.attributes["num_cache_clusters"]) - 1,
    }
    found = cache.attributes
    release = str(found.get("engine_version_actual") or found["engine_version"])
    major = VALKEY.split(".", 1)[0]
    if release.split(".", 1)[0] != major:
        move.first.append(
            f"{cache.address}: is Valkey {release} and must be {major}: upgrade it ({GUIDE}, "
            "Valkey)."
        )
