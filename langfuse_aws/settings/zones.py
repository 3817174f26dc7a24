"""Availability zones, and those that lack something."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class Zone(NamedTuple):
    """An availability zone. Which ID a name stands for differs from account to account."""

    name: str
    id: str


VPC_LINK_ZONES: Final[Mapping[str, str]] = {
    "ap-east-1": "ape1-az2 ape1-az3",
    "ap-northeast-1": "apne1-az1 apne1-az2 apne1-az4",
    "ap-northeast-2": "apne2-az1 apne2-az2 apne2-az3",
    "ap-south-1": "aps1-az1 aps1-az2 aps1-az3",
    "ap-southeast-1": "apse1-az1 apse1-az2 apse1-az3",
    "ap-southeast-2": "apse2-az1 apse2-az2 apse2-az3",
    "ca-central-1": "cac1-az1 cac1-az2",
    "eu-central-1": "euc1-az1 euc1-az2 euc1-az3",
    "eu-north-1": "eun1-az1 eun1-az2 eun1-az3",
    "eu-south-2": "eus2-az1 eus2-az2 eus2-az3",
    "eu-west-1": "euw1-az1 euw1-az2 euw1-az3",
    "eu-west-2": "euw2-az1 euw2-az2 euw2-az3",
    "eu-west-3": "euw3-az1 euw3-az3",
    "me-south-1": "mes1-az1 mes1-az2 mes1-az3",
    "sa-east-1": "sae1-az1 sae1-az2 sae1-az3",
    "us-east-1": "use1-az1 use1-az2 use1-az4 use1-az5 use1-az6",
    "us-east-2": "use2-az1 use2-az2 use2-az3",
    "us-gov-west-1": "usgw1-az1 usgw1-az2 usgw1-az3",
    "us-west-1": "usw1-az1 usw1-az3",
    "us-west-2": "usw2-az1 usw2-az2 usw2-az3 usw2-az4",
}
"""Zones by region, as AWS's page had them in November 2026. A subnet elsewhere is refused.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vpc-links.html,
https://github.com/aws/aws-cdk/issues/13569"""

UNFIT_ZONES: Final = ("apne1-az3", "cac1-az3", "cnn1-az4", "use1-az3", "usw1-az2")
"""Zones that no VPC that is made here is in. Old ones, since AWS leaves them out of most that is
new, and has no Graviton in some; and Beijing's third, which has no Fargate.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-arm64.html,
https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html"""


def with_vpc_links(region: str, zones: Sequence[Zone]) -> list[int]:
    """Which of these zones, by their places, a VPC link may be in; all, if AWS does not say."""
    listed = VPC_LINK_ZONES[region].split() if region in VPC_LINK_ZONES else None
    return [place for place, zone in enumerate(zones) if listed is None or zone.id in listed]
