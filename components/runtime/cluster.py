"""Creates what the services share: the ECS cluster and the private DNS namespace."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True)
class ClusterArgs:
    """What a cluster is made from."""

    vpc_id: pulumi.Input[str]


class Cluster(pulumi.ComponentResource):
    """The ECS cluster, and the Cloud Map namespace its services are found in."""

    name: pulumi.Output[str]
    """Name of the cluster, known once tasks can be placed in it."""
    arn: pulumi.Output[str]
    """ARN of the cluster, known once tasks can be placed in it."""
    task_arns: pulumi.Output[str]
    """ARN pattern of its tasks."""
    namespace: str
    """Domain of the private names, such as `langfuse-dev.internal`."""
    namespace_id: pulumi.Output[str]
    """ID of the Cloud Map namespace."""
    namespace_arn: pulumi.Output[str]
    """Its ARN."""
    zone_id: pulumi.Output[str]
    """ID of the namespace's hosted zone."""

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Cluster", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        cluster = aws.ecs.Cluster(
            name, settings=[{"name": "containerInsights", "value": "disabled"}], opts=child
        )
        providers = aws.ecs.ClusterCapacityProviders(
            name,
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            opts=child,
        )
        self.name = providers.cluster_name
        self.arn = pulumi.Output.all(cluster.arn, providers.id).apply(lambda values: values[0])
        self.task_arns = self.arn.apply(lambda arn: f"{arn.replace(':cluster/', ':task/')}/*")
        self.namespace = f"{name}.internal"
        namespace = aws.servicediscovery.PrivateDnsNamespace(
            name,
            name=self.namespace,
            vpc=args.vpc_id,
            description=f"Private names of {name}",
            opts=child,
        )
        self.namespace_id, self.namespace_arn = namespace.id, namespace.arn
        self.zone_id = namespace.hosted_zone
        self.register_outputs({"name": self.name, "arn": self.arn})
