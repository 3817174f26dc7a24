"""Findings on web where App Runner runs it: its status, its image, its last operation."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from langfuse_aws.automation.on_call import images
from langfuse_aws.automation.on_call.ecs_services import SECTION
from langfuse_aws.automation.on_call.findings import Finding, Reading, State, age, iso, now
from langfuse_aws.automation.on_call.images import Image
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE

RUNNING: Final = ("RUNNING", "OPERATION_IN_PROGRESS")
UNDER_WAY: Final = ("PENDING", "IN_PROGRESS")
SUCCEEDED: Final = "SUCCEEDED"


def app_runner_readings(stack: RunningStack) -> Iterator[Reading]:
    """The service, and its last operation."""
    for service in stack.of_type(APP_RUNNER_SERVICE):
        part = stack.part(service)
        yield Reading(SECTION, part, partial(_service, stack, service))
        yield Reading(SECTION, f"{part} deployment", partial(_operation, stack, service))


def _service(stack: RunningStack, service: Resource) -> Iterator[Finding]:
    answer = stack.aws("apprunner").describe_service(ServiceArn=service.outputs["arn"])
    found = answer["Service"]
    runs = Image.named(found["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"])
    # App Runner names an image by its digest; the tag is in the tags.
    tagged: str = service.outputs.get("tags", {}).get("Image", "")
    want = replace(Image.named(_image(service)), tag=Image.named(tagged).tag)
    wrong = [
        *([found["Status"]] if found["Status"] not in RUNNING else []),
        *filter(None, [images.difference([runs], want)]),
    ]
    yield Finding(
        SECTION,
        stack.part(service),
        "wrong" if wrong else "ok",
        "; ".join(
            [
                f"{found['Status'].lower().replace('_', ' ')} on App Runner, "
                f"{images.shown([runs], want)}",
                *wrong,
            ]
        ),
        "logs web-service --since 1h" if wrong else "",
        {
            "service": found["ServiceName"],
            "status": found["Status"],
            "images": images.facts([runs], want),
        },
    )


def _operation(stack: RunningStack, service: Resource) -> Iterator[Finding]:
    subject = f"{stack.part(service)} deployment"
    client = stack.aws("apprunner")
    found = client.list_operations(ServiceArn=service.outputs["arn"])["OperationSummaryList"]
    if not found:
        yield Finding(SECTION, subject, "unknown", "App Runner tells of none")
        return
    last = max(found, key=lambda each: each["StartedAt"])
    status = last["Status"]
    state: State = "ok" if status in (SUCCEEDED, *UNDER_WAY) else "wrong"
    when = last.get("EndedAt") or last["StartedAt"]
    words = f"{last['Type']} {status}".lower().replace("_", " ")
    ago = age((now() - when).total_seconds())
    yield Finding(
        SECTION,
        subject,
        state,
        f"{words} for {ago}" if status in UNDER_WAY else f"{words} {ago} ago",
        "logs web-service --since 24h says why" if state == "wrong" else "",
        {
            "status": status,
            "reason": "",
            "created_at": iso(last["StartedAt"]),
            "finished_at": iso(last["EndedAt"]) if last.get("EndedAt") else None,
        },
    )


def _image(service: Resource) -> str:
    source = cast("dict[str, Any]", service.outputs.get("sourceConfiguration") or {})
    return source.get("imageRepository", {}).get("imageIdentifier", "")
