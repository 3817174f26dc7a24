"""How long AWS usually takes for the slow kinds of resources.

The figures are the shortest and longest times, in whole minutes, that public logs of
`terraform apply` and `terraform destroy` on AWS show ("Creation complete after …"), as found in
November 2026: 3 to 9 logs a row, 2 for Aurora and for the deletion of RDS. They are typical,
and promise nothing; a kind without a row has none.
"""

from collections.abc import Mapping
from typing import Final

CREATING: Final[Mapping[str, tuple[int, int]]] = {
    "aws:acm/certificateValidation:CertificateValidation": (1, 9),
    "aws:ec2/natGateway:NatGateway": (1, 2),
    "aws:elasticache/replicationGroup:ReplicationGroup": (6, 9),
    "aws:lb/loadBalancer:LoadBalancer": (2, 3),
    "aws:rds/cluster:Cluster": (1, 1),
    "aws:rds/clusterInstance:ClusterInstance": (6, 7),
    "aws:rds/instance:Instance": (3, 6),
}
DELETING: Final[Mapping[str, tuple[int, int]]] = {
    "aws:ec2/natGateway:NatGateway": (1, 1),
    "aws:rds/instance:Instance": (4, 6),
}
_BY_OPERATION: Final = {
    "create": CREATING,
    "create-replacement": CREATING,
    "delete": DELETING,
    "delete-replaced": DELETING,
}


def usual(operation: str, token: str) -> str:
    """Say how long an operation on a kind of resource usually takes; empty if unknown."""
    minutes = _BY_OPERATION.get(operation, {}).get(token)
    if not minutes:
        return ""
    least, most = minutes
    return f"usually {most} min" if least == most else f"usually {least} to {most} min"
