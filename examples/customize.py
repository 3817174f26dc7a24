"""What no setting of Langfuse on AWS foresees: copy this beside `__main__.py`, as `customize.py`.

Each function is an example; keep what you need. docs/customize.md has the rules.
"""

from typing import Any

import pulumi

BOUNDARY = "arn:aws:iam::123456789012:policy/developers-boundary"


def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """Change a resource before it is made; None leaves it as it is.

    `args.props` are its inputs, in the provider's own camelCase.
    """
    props: dict[str, Any] = dict(args.props)
    if args.type_ == "aws:iam/role:Role":
        # An organization that lets nobody make a role without a boundary.
        props["permissionsBoundary"] = BOUNDARY
    elif args.type_ == "aws:ec2/subnet:Subnet":
        # Made by awsx, inside of the network. Tags are there already.
        props["tags"] = {**props["tags"], "network-team": "watched"}
    elif args.type_ == "aws:ecs/cluster:Cluster":
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-container-insights.html
        props["settings"] = [{"name": "containerInsights", "value": "enhanced"}]
    else:
        return None
    return pulumi.ResourceTransformResult(props, args.opts)
