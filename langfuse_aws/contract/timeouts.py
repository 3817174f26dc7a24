"""Every timeout along a request, from the client to web: which part gives up first.

What is nearer to the client gives up on an idle connection first, so that no request meets one that
has just been closed behind it; and no part gives up on a request before Langfuse itself does, where
AWS lets one choose. Pure.
"""

from typing import Final

LANGFUSE_SECONDS: Final = 240
"""The longest that Langfuse means one of its own requests to take: `maxDuration` of
web/src/pages/api/trpc/[trpc].ts, 3.225.4 and 4.16.0."""

MODEL_CALL_SECONDS: Final = 120
"""What a call of a model has of them, from the playground or an evaluation: MODEL_CALL_VARIABLE's
default, packages/shared/src/env.ts. Nothing is sent before its answer unless it streams."""

LOAD_BALANCER_IDLE_SECONDS: Final = 300
"""How long a connection of the load balancer may be silent, in either direction; 60 by default.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout"""

HTTP_API_SECONDS: Final = 30
"""The most that an HTTP API waits for an answer. It cuts what Langfuse allows more for: calls of
models that do not answer by then, slow queries and exports.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""

APP_RUNNER_SECONDS: Final = 120
"""The most that App Runner gives a request, its body and its answer included.
https://docs.aws.amazon.com/apprunner/latest/dg/develop.html"""

VPC_LINK_IDLE_SECONDS: Final = 350
"""How long the VPC link of an HTTP API keeps a silent connection to web, and then uses it again.
https://github.com/aws-samples/aws-apigw-http-api-private--integrations/issues/2 and
https://stackoverflow.com/questions/62217230 (503 after idling)"""

KEEP_ALIVE_SECONDS: Final = 360
"""How long web keeps a silent connection (KEEP_ALIVE_TIMEOUT): longer than whatever is before it,
or requests get HTTP 502 and 503. The same for every way in, so that a change of it starts no task.
https://langfuse.com/faq/all/self-hosting-502-504-network-errors"""

MODEL_CALL_VARIABLE: Final = "LANGFUSE_FETCH_LLM_COMPLETION_TIMEOUT_MS"
KEEP_ALIVE_VARIABLE: Final = "KEEP_ALIVE_TIMEOUT"
VARIABLES: Final = (MODEL_CALL_VARIABLE, KEEP_ALIVE_VARIABLE)
"""Those of web's, in milliseconds, that the order depends on."""


def problem(variable: str, milliseconds: float) -> str | None:
    """Say how a value of one of VARIABLES, given to web, breaks the order; None: it does not."""
    if variable == KEEP_ALIVE_VARIABLE and milliseconds < KEEP_ALIVE_SECONDS * 1000:
        return (
            f"must be at least {KEEP_ALIVE_SECONDS * 1000}: what is before web keeps silent "
            f"connections for up to {VPC_LINK_IDLE_SECONDS} s, and gets HTTP 502 or 503 on closed "
            "ones"
        )
    if variable == MODEL_CALL_VARIABLE and milliseconds >= LOAD_BALANCER_IDLE_SECONDS * 1000:
        return (
            f"must be less than {LOAD_BALANCER_IDLE_SECONDS * 1000}: the load balancer closes a "
            f"connection that is silent for {LOAD_BALANCER_IDLE_SECONDS} s"
        )
    return None
