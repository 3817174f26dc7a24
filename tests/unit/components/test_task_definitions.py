"""What ECS reads of every task definition of every stack: by AWS's own model, and by its services.

Proves that ECS takes the definitions, which Pulumi hands over as a text that no schema of the
provider describes, and that a service sends to a port that its container has. It does not prove
what ECS checks beyond its model.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from botocore import loaders
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.unit.stack_graph import Graph
from tests.unit.stacks_of_all import graphs

TASK: Final = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE: Final = "aws:ecs/service:Service"


def definitions(graph: Graph) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The containers of each task definition, by its ARN."""
    for task in graph.of_type(TASK):
        yield task.outputs["arn"], json.loads(task.inputs["containerDefinitions"])


def test_ecs_knows_every_word_of_a_container_definition() -> None:
    loader: Any = loaders.create_loader()  # pyright: ignore[reportUnknownMemberType]
    model: Any = ServiceModel(loader.load_service_model("ecs", "service-2"))
    validator: Any = ParamValidator()
    checked = 0
    for stack, graph in graphs().items():
        for arn, containers in definitions(graph):
            found = validator.validate(containers, model.shape_for("ContainerDefinitions"))
            assert not found.has_errors(), (stack, arn, found.generate_report())
            checked += len(containers)
    assert checked > 40


def test_every_task_has_an_address_of_its_own() -> None:
    """Fargate takes no other network mode, and Cloud Map's records of ClickHouse need one."""
    modes = {
        (task.name, task.inputs["networkMode"])
        for graph in graphs().values()
        for task in graph.of_type(TASK)
    }
    assert len(modes) > 10
    assert {mode for _, mode in modes} == {"awsvpc"}


def test_a_service_sends_to_a_port_that_its_container_has() -> None:
    """ECS refuses another one, when everything before the service is made."""
    asked = 0
    for stack, graph in graphs().items():
        containers = dict(definitions(graph))
        for service in graph.of_type(SERVICE):
            ports = {
                (each["name"], port["containerPort"])
                for each in containers[service.inputs["taskDefinition"]]
                for port in each["portMappings"]
            }
            targets: list[dict[str, Any]] = [
                *(service.inputs.get("loadBalancers") or []),
                service.inputs.get("serviceRegistries") or {},
            ]
            named = {
                (each["containerName"], each["containerPort"]) for each in targets if len(each) > 1
            }
            assert named <= ports, (stack, service.name)
            asked += len(named)
    assert asked > 10
