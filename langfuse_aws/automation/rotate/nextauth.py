"""`rotate nextauth`: another NEXTAUTH_SECRET, which web signs sessions with."""

import json
from typing import Final

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.plan import Plan, Step
from langfuse_aws.automation.rotate.counter import Counter
from langfuse_aws.automation.rotate.services import refuse_unless_steady
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.secret_keys import ENVIRONMENT_KEY

VARIABLE: Final = "NEXTAUTH_SECRET"


def plan(deployed: Deployed) -> Plan:
    """Work the rotation out, or refuse it."""
    if VARIABLE in _own(deployed):
        raise UserError(
            f"stack {deployed.name}: {NAMESPACE}:{ENVIRONMENT_KEY} has {VARIABLE}, which counts "
            "before the stack's own. Take it out there and pulumi up: web signs with the stack's "
            "from then on, which is another one."
        )
    counter = Counter(deployed, "nextauth")
    deployed.resource("aws:secretsmanager/secret:Secret", f"{deployed.prefix}-keys")
    fresh = counter.rotated.step is None
    if fresh:
        refuse_unless_steady(deployed)

    def change() -> None:
        if fresh:
            counter.write("begun", counter.next)
        deployed.up()
        counter.finish()

    return Plan(
        found=counter.found(VARIABLE),
        lost=[
            "Every session: whoever is signed in must sign in again. While web's tasks are "
            "replaced, a browser that meets an old and a new one may have to do it twice.",
            "Codes of sign-in and of another password that were mailed before. API keys stay good.",
        ],
        steps=[
            Step(
                f"Set {counter.key}Version {counter.next}, and pulumi up: web signs with another "
                "secret."
                if fresh
                else "pulumi up: web signs with another secret.",
                change,
                "Web's tasks go on with the secret that they have.",
            )
        ],
    )


def _own(deployed: Deployed) -> set[str]:
    """The names of the stack file's secret variables."""
    found = deployed.pulumi.get_all_config().get(f"{NAMESPACE}:{ENVIRONMENT_KEY}")
    return set(json.loads(found.value)) if found else set()
