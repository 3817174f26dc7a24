"""VPCs and what lies in them."""

from langfuse_aws.offline.catalog.resource_type import Naming, ResourceType
from langfuse_aws.offline.facts import Facts, derived, digest

_EC2 = "arn:{partition}:ec2:{region}:{account}:"
_PRIVATE_NETWORK = "10.0"
_PUBLIC_NETWORK = "52.0"


def _address(network: str, *parts: str) -> str:
    """An IPv4 address that depends on the parts."""
    number = digest(*parts)
    return f"{network}.{int(number[:2], 16)}.{int(number[2:4], 16) % 254 + 1}"


def private_address(facts: Facts) -> str:
    """The private address of something in a subnet."""
    return _address(_PRIVATE_NETWORK, facts.id)


def public_address(facts: Facts) -> str:
    """The public address of something with one."""
    return _address(_PUBLIC_NETWORK, facts.id)


def private_dns(facts: Facts) -> str:
    """The private host name of an address."""
    zone = "ec2" if facts.region == "us-east-1" else f"{facts.region}.compute"
    return f"ip-{private_address(facts).replace('.', '-')}.{zone}.internal"


def default_security_group(vpc_id: str) -> str:
    """The id of the security group that a VPC is made with."""
    return derived("sg-", vpc_id, "default")


def _route_id(facts: Facts) -> str:
    destinations = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
    target = next((facts.get(name) for name in destinations if facts.get(name)), "")
    return f"r-{facts.get('routeTableId')}{int(digest(target)[:8], 16)}"


def _endpoint_dns(facts: Facts) -> list[dict[str, str]]:
    if facts.get("vpcEndpointType", "Gateway") == "Gateway":
        return []
    service = str(facts.get("serviceName")).rsplit(".", 1)[-1]
    name = facts.fill("{id}-{hex8}." + service + ".{region}.vpce.{suffix}")
    return [{"dnsName": name, "hostedZoneId": facts.fill("Z{hex13}").upper()}]


_RULE = ResourceType(
    "sgr-{hex17}",
    {"arn": f"{_EC2}security-group-rule/{{id}}", "securityGroupRuleId": "{id}"},
)

TYPES: dict[str, ResourceType] = {
    "aws:ec2/vpc:Vpc": ResourceType(
        "vpc-{hex17}",
        {
            "arn": f"{_EC2}vpc/{{id}}",
            "defaultNetworkAclId": "acl-{hex17}",
            "defaultRouteTableId": lambda facts: derived("rtb-", facts.id, "main"),
            "defaultSecurityGroupId": lambda facts: default_security_group(facts.id),
            "dhcpOptionsId": "dopt-{hex17}",
            "mainRouteTableId": lambda facts: derived("rtb-", facts.id, "main"),
            "ownerId": "{account}",
        },
        defaults={
            "enableDnsSupport": True,
            "enableDnsHostnames": False,
            "instanceTenancy": "default",
        },
    ),
    "aws:ec2/internetGateway:InternetGateway": ResourceType(
        "igw-{hex17}", {"arn": f"{_EC2}internet-gateway/{{id}}", "ownerId": "{account}"}
    ),
    "aws:ec2/subnet:Subnet": ResourceType(
        "subnet-{hex17}",
        {
            "arn": f"{_EC2}subnet/{{id}}",
            "availabilityZone": "{region}a",
            "availabilityZoneId": lambda facts: derived("az-", facts.get("availabilityZone"))[:8],
            "ownerId": "{account}",
        },
        defaults={"mapPublicIpOnLaunch": False, "assignIpv6AddressOnCreation": False},
    ),
    "aws:ec2/routeTable:RouteTable": ResourceType(
        "rtb-{hex17}",
        {"arn": f"{_EC2}route-table/{{id}}", "ownerId": "{account}"},
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": ResourceType(
        "rtbassoc-{hex17}", tagged=False
    ),
    "aws:ec2/route:Route": ResourceType(
        _route_id,
        {"origin": "CreateRoute", "state": "active", "instanceId": "", "instanceOwnerId": ""},
        tagged=False,
    ),
    "aws:ec2/eip:Eip": ResourceType(
        "eipalloc-{hex17}",
        {
            "allocationId": "{id}",
            "arn": f"{_EC2}elastic-ip/{{id}}",
            "publicIp": public_address,
            "publicDns": lambda facts: facts.fill(
                f"ec2-{public_address(facts).replace('.', '-')}.{{region}}.compute.{{suffix}}"
            ),
            "networkBorderGroup": "{region}",
        },
        defaults={"domain": "vpc", "publicIpv4Pool": "amazon"},
    ),
    "aws:ec2/networkInterface:NetworkInterface": ResourceType(
        "eni-{hex17}",
        {
            "arn": f"{_EC2}network-interface/{{id}}",
            "ownerId": "{account}",
            "privateDnsName": private_dns,
            "privateIp": private_address,
        },
        defaults={"interfaceType": "interface", "sourceDestCheck": True},
    ),
    "aws:ec2/natGateway:NatGateway": ResourceType(
        "nat-{hex17}",
        {
            "associationId": "eipassoc-{hex17}",
            "networkInterfaceId": "eni-{hex17}",
            "privateIp": private_address,
            "publicIp": public_address,
        },
        defaults={"connectivityType": "public"},
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": ResourceType(
        lambda facts: default_security_group(facts.get("vpcId")),
        {
            "arn": f"{_EC2}security-group/{{id}}",
            "description": "default VPC security group",
            "name": "default",
            "ownerId": "{account}",
        },
    ),
    "aws:ec2/securityGroup:SecurityGroup": ResourceType(
        "sg-{hex17}",
        {"arn": f"{_EC2}security-group/{{id}}", "ownerId": "{account}"},
        defaults={"description": "Managed by Pulumi", "revokeRulesOnDelete": False},
        naming=Naming(),
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _RULE,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _RULE,
    "aws:ec2/vpcEndpoint:VpcEndpoint": ResourceType(
        "vpce-{hex17}",
        {
            "arn": f"{_EC2}vpc-endpoint/{{id}}",
            "dnsEntries": _endpoint_dns,
            "networkInterfaceIds": lambda facts: [
                derived("eni-", facts.id, subnet) for subnet in facts.get("subnetIds", [])
            ],
            "ownerId": "{account}",
            "prefixListId": lambda facts: derived("pl-", facts.get("serviceName"))[:11],
            "state": "available",
        },
        defaults={"vpcEndpointType": "Gateway", "privateDnsEnabled": False},
    ),
    "aws:ec2/flowLog:FlowLog": ResourceType(
        "fl-{hex17}",
        {"arn": f"{_EC2}vpc-flow-log/{{id}}"},
        defaults={"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600},
    ),
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": ResourceType(
        "ns-{hex16}",
        {
            "arn": "arn:{partition}:servicediscovery:{region}:{account}:namespace/{id}",
            "hostedZone": lambda facts: facts.fill("Z{hex20}", "hosted zone").upper(),
        },
        naming=Naming(),
    ),
    "aws:servicediscovery/service:Service": ResourceType(
        "srv-{hex16}",
        {"arn": "arn:{partition}:servicediscovery:{region}:{account}:service/{id}"},
        naming=Naming(),
    ),
}
