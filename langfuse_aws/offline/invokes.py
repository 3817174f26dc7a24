"""What AWS's data sources answer: an account with one network, and nothing else in it.

Pure. A subnet of that network is in the zone that the last digit of its id says.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from langfuse_aws.offline.account import CLUSTER_SNAPSHOT, DB_SNAPSHOT, VOLUME_SNAPSHOT
from langfuse_aws.offline.facts import ACCOUNT, derived, digest, partition

Arguments = Mapping[str, Any]
Answer = dict[str, Any]

EXISTING_VPC_ID = "vpc-0123456789abcdef0"
"""The VPC that every subnet which is looked up belongs to."""

NO_IMAGE = f"sha256:{'0' * 64}"
"""The digest of an image that is in no ECR repository; images with any other are in all of them."""

FindSnapshot = Callable[[str, str], Arguments | None]
"""Gives the properties of the snapshot of a type (`aws:rds/snapshot:Snapshot`) with an ID."""

_DATABASE: Arguments = {
    "status": "available",
    "storageEncrypted": True,
    "engineVersion": "16.6",
    "allocatedStorage": 20,
}
_SNAPSHOTS: dict[str, tuple[str, str, Arguments]] = {
    "aws:ebs/getSnapshot": (
        VOLUME_SNAPSHOT,
        "snapshotIds",
        {"state": "completed", "encrypted": True, "storageTier": "standard", "volumeSize": 8},
    ),
    "aws:rds/getClusterSnapshot": (
        CLUSTER_SNAPSHOT,
        "dbClusterSnapshotIdentifier",
        {**_DATABASE, "engine": "aurora-postgresql"},
    ),
    "aws:rds/getSnapshot": (
        DB_SNAPSHOT,
        "dbSnapshotIdentifier",
        {**_DATABASE, "engine": "postgres"},
    ),
}
"""For each data source of snapshots: their type, what names one, and what most of them have."""

_ONLY_OF_TYPE = {
    ("aws:rds/getClusterSnapshot", "rds"): "automated",
    ("aws:rds/getSnapshot", "rds"): "automated",
    ("aws:rds/getSnapshot", "awsbackup"): "awsbackup",
}
"""By the data source and what a name begins with, the type that RDS wants to be asked for with it.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html"""

NO_SNAPSHOT = "snap-00000000000000000"
"""The ID of a snapshot that does not exist; any other one does, unless the account knows better."""

_ZONES = {
    "ap-northeast-1": {"a": 4, "c": 1, "d": 2},
    "ca-central-1": {"a": 1, "b": 2, "d": 4},
    "cn-north-1": {"a": 1, "b": 2, "d": 4},
    "us-east-1": {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6},
    "us-west-1": {"a": 1, "c": 3},
    "us-west-2": {"a": 1, "b": 2, "c": 3, "d": 4},
}
"""Letters of a region's zones, and the numbers in their ids, which AWS deals out by account."""

_USUAL_ZONES = {"a": 1, "b": 2, "c": 3}
_SUBNETS = 3


def usual_snapshot(_type: str, snapshot_id: str) -> Arguments | None:
    """Every snapshot but one is there, and nothing is special about it."""
    return None if snapshot_id == NO_SNAPSHOT else {}


def invoke(
    token: str,
    arguments: Arguments,
    region: str,
    default_tags: Mapping[str, str] = {},
    find: FindSnapshot = usual_snapshot,
) -> Answer:
    """The answer of a data source to a provider with a region and default tags.

    `find` knows the snapshots of the account.
    """
    name = token.rpartition(":")[0]
    if name == "aws:index/getDefaultTags":
        return {"id": "", "tags": {**default_tags}}
    region = str(arguments.get("region") or region)
    if name in _SNAPSHOTS:
        return {"region": region, **arguments, **_snapshot(name, arguments, find)}
    function = DATA_SOURCES.get(name)
    if function is None:
        message = f"{token} is not answered by langfuse_aws/offline/invokes.py"
        raise ValueError(message)
    return {"region": region, **arguments, **function(arguments, region)}


def zone_names(region: str) -> list[str]:
    """The availability zones of a region."""
    return [f"{region}{letter}" for letter in _ZONES.get(region, _USUAL_ZONES)]


def _ec2_arn(region: str, path: str) -> str:
    return f"arn:{partition(region)[0]}:ec2:{region}:{ACCOUNT}:{path}"


def _caller_identity(_arguments: Arguments, region: str) -> Answer:
    arn = f"arn:{partition(region)[0]}:iam::{ACCOUNT}:user/offline"
    return {"accountId": ACCOUNT, "arn": arn, "id": ACCOUNT, "userId": "AIDAOFFLINE"}


def _region(arguments: Arguments, region: str) -> Answer:
    name = arguments.get("name") or region
    endpoint = f"ec2.{name}.{partition(name)[1]}"
    return {"id": name, "name": name, "region": name, "description": name, "endpoint": endpoint}


def _partition(_arguments: Arguments, region: str) -> Answer:
    name, suffix = partition(region)
    reverse = ".".join(reversed(suffix.split(".")))
    return {"id": name, "partition": name, "dnsSuffix": suffix, "reverseDnsPrefix": reverse}


def _zone_id(zone: str) -> str:
    first, *middle, last = zone.split("-")
    number = _ZONES.get(zone[:-1], _USUAL_ZONES)[zone[-1]]
    parts = re.findall("gov|iso|north|south|east|west|central", "".join(middle))
    return f"{first}{''.join(part[0] for part in parts)}{last[:-1]}-az{number}"


def _availability_zones(arguments: Arguments, region: str) -> Answer:
    left_out = {*arguments.get("excludeZoneIds", ()), *arguments.get("excludeNames", ())}
    zones = [
        zone
        for zone in zone_names(region)
        if zone not in left_out and _zone_id(zone) not in left_out
    ]
    ids = [_zone_id(zone) for zone in zones]
    return {"id": region, "names": zones, "zoneIds": ids, "groupNames": [region]}


def _only(arguments: Arguments, what: str) -> None:
    """Refuse a search that finds all of an account, as the provider does where it finds several.

    https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/tfresource,
    SingularDataSourceFindError
    """
    if not {key for key, value in arguments.items() if value} - {"region", "tags"}:
        message = f"multiple EC2 {what} matched; use additional constraints to reduce matches to a "
        raise ValueError(message + f"single EC2 {what[:-1]}")


def _subnet(arguments: Arguments, region: str) -> Answer:
    _only(arguments, "Subnets")
    subnet = str(arguments.get("id") or derived("subnet-", arguments))
    zones = zone_names(region)
    number = int(digest(subnet)[:2], 16) if not subnet[-1:].isdigit() else int(subnet[-1])
    zone = zones[number % min(_SUBNETS, len(zones))]
    return {
        "id": subnet,
        "arn": _ec2_arn(region, f"subnet/{subnet}"),
        "vpcId": arguments.get("vpcId") or EXISTING_VPC_ID,
        "availabilityZone": zone,
        "availabilityZoneId": _zone_id(zone),
        "cidrBlock": f"10.0.{int(digest(subnet)[:2], 16)}.0/24",
        "mapPublicIpOnLaunch": False,
        "availableIpAddressCount": 251,
        "ownerId": ACCOUNT,
        "tags": {},
    }


def _vpc(arguments: Arguments, region: str) -> Answer:
    _only(arguments, "VPCs")
    vpc = str(arguments.get("id") or EXISTING_VPC_ID)
    return {
        "id": vpc,
        "arn": _ec2_arn(region, f"vpc/{vpc}"),
        "cidrBlock": "10.0.0.0/16",
        "dhcpOptionsId": derived("dopt-", vpc),
        "enableDnsHostnames": True,
        "enableDnsSupport": True,
        "ownerId": ACCOUNT,
        "tags": {},
    }


def _dhcp_options(arguments: Arguments, region: str) -> Answer:
    options = str(arguments.get("dhcpOptionsId"))
    return {
        "id": options,
        "arn": _ec2_arn(region, f"dhcp-options/{options}"),
        "dhcpOptionsId": options,
        "domainNameServers": ["AmazonProvidedDNS"],
        "ownerId": ACCOUNT,
        "tags": {},
    }


def _route_table(arguments: Arguments, region: str) -> Answer:
    _only(arguments, "Route Tables")
    subnet = arguments.get("subnetId") or ""
    table = arguments.get("routeTableId") or derived("rtb-", subnet)
    return {
        "id": table,
        "routeTableId": table,
        "arn": _ec2_arn(region, f"route-table/{table}"),
        "vpcId": arguments.get("vpcId") or EXISTING_VPC_ID,
        "subnetId": subnet,
        "associations": [],
        "routes": [],
        "ownerId": ACCOUNT,
        "tags": {},
    }


def _prefix_list(arguments: Arguments, region: str) -> Answer:
    name = arguments.get("name") or arguments.get("id")
    prefix_list = derived("pl-", name, region)
    return {
        "id": prefix_list,
        "arn": _ec2_arn(region, f"prefix-list/{prefix_list}"),
        "name": name,
        "addressFamily": "IPv4",
        "entries": [],
        "maxEntries": 0,
        "ownerId": "AWS",
        "version": 1,
        "tags": {},
    }


def _zone(arguments: Arguments, _region: str) -> Answer:
    name = str(arguments.get("name") or f"{arguments.get('zoneId')}.example.com").rstrip(".")
    zone = arguments.get("zoneId") or f"Z{digest(name)[:20]}".upper()
    return {
        "id": zone,
        "zoneId": zone,
        "name": name,
        "arn": f"arn:aws:route53:::hostedzone/{zone}",
        "nameServers": [f"ns-{number}.awsdns-{number}.com" for number in range(1, 5)],
        "privateZone": bool(arguments.get("privateZone")),
    }


def _image(arguments: Arguments, region: str) -> Answer:
    digest_, name = str(arguments["imageDigest"]), str(arguments["repositoryName"])
    if digest_ == NO_IMAGE:
        message = f"ImageNotFoundException: no image {digest_} in repository {name}"
        raise ValueError(message)
    uri = f"{ACCOUNT}.dkr.ecr.{region}.{partition(region)[1]}/{name}@{digest_}"
    return {"id": digest_, "imageUri": uri, "imageTags": [], "registryId": ACCOUNT}


def _key(arguments: Arguments, _region: str) -> Answer:
    key = str(arguments["keyId"])
    return {
        "id": key.rpartition("/")[2],
        "arn": key,
        "keyId": key,
        "enabled": True,
        "keySpec": "SYMMETRIC_DEFAULT",
        "keyState": "Enabled",
        "keyUsage": "ENCRYPT_DECRYPT",
    }


def _roles(arguments: Arguments, _region: str) -> Answer:
    """The roles that services make for themselves are there, as in an account that was used."""
    names = [str(arguments.get("nameRegex", "")).strip("^$")]
    return {"id": names[0], "names": names, "arns": [f"arn:aws:iam::{ACCOUNT}:role/{names[0]}"]}


def _snapshot(name: str, arguments: Arguments, find: FindSnapshot) -> Answer:
    kind, key, usual = _SNAPSHOTS[name]
    given = arguments[key]
    wanted = str(cast("list[str]", given)[0] if isinstance(given, list) else given)
    own = wanted.split(":", 6)[-1] if wanted.startswith("arn:") else wanted
    found = find(kind, own)
    of_type = _ONLY_OF_TYPE.get((name, own.partition(":")[0] if ":" in own else ""))
    if found is None or of_type not in (None, arguments.get("snapshotType")):
        message = f"no snapshot {wanted}"
        raise ValueError(message)
    told = {**usual, **found, "id": wanted}
    # An instance's snapshot says it in a word of its own.
    return {**told, "encrypted": told.get("storageEncrypted", told.get("encrypted"))}


DATA_SOURCES: dict[str, Callable[[Arguments, str], Answer]] = {
    "aws:index/getAvailabilityZones": _availability_zones,
    "aws:index/getCallerIdentity": _caller_identity,
    "aws:index/getPartition": _partition,
    "aws:index/getRegion": _region,
    "aws:ec2/getManagedPrefixList": _prefix_list,
    "aws:ec2/getRouteTable": _route_table,
    "aws:ec2/getSubnet": _subnet,
    "aws:ec2/getVpc": _vpc,
    "aws:ec2/getVpcDhcpOptions": _dhcp_options,
    "aws:ecr/getImage": _image,
    "aws:iam/getRoles": _roles,
    "aws:kms/getKey": _key,
    "aws:route53/getZone": _zone,
}
