"""The first project's keys under the real engine: made, renewed, and taken away again.

It proves that neither touches anything but the keys, their secret and the task that hands them to
Langfuse, and no service, even in a protected stack, which refuses a deletion in the preview
already. That Langfuse makes what the variables say is Langfuse's own promise.
"""

from pathlib import Path

import pytest

from tests.deployment import Deployment

BOOTSTRAP = {"bootstrap.userEmail": "ada@example.com", "deletionProtection": "true"}
KEYS = "langfuse-dev-bootstrap"


@pytest.mark.running
def test_the_first_keys_are_renewed_and_taken_away_and_nothing_else_is(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    deployment.configure_all(BOOTSTRAP, {})
    deployment.up()
    first = deployment.outputs()
    assert first["public_key"].startswith("pk-lf-")
    assert first["organization"] == first["project"] == "langfuse-dev"

    deployment.configure("bootstrap.keyVersion", "2")
    assert touched(deployment) == {
        ("random:index/randomUuid:RandomUuid", f"{KEYS}-public-key"),
        ("random:index/randomPassword:RandomPassword", f"{KEYS}-secret-key"),
        ("aws:secretsmanager/secretVersion:SecretVersion", KEYS),
        ("aws:ecs/taskDefinition:TaskDefinition", "langfuse-dev-migration"),
        ("aws:lambda/invocation:Invocation", "langfuse-dev-migration"),
    }
    deployment.up()
    second = deployment.outputs()
    assert second["public_key"] != first["public_key"]
    assert second["secret_key_secret_arn"] == first["secret_key_secret_arn"]

    deployment.run("config", "rm", "langfuse:bootstrap", "--stack", "dev")
    gone = {step["urn"] for step in deployment.steps() if "delete" in step["op"]}
    made = {each["urn"] for each in deployment.state() if KEYS in each["urn"]}
    assert made
    assert gone >= made


def touched(deployment: Deployment) -> set[tuple[str, str]]:
    return {(change.type, change.name) for change in deployment.changes()}
