"""What AWS bounds in bytes of what a stack file says: task definitions and secrets.

No line has a secret in it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from langfuse_aws.settings.own_environment import own_variables
from langfuse_aws.settings.secret_keys import ENVIRONMENT_KEY

TASK_DEFINITION_BYTES: Final = 65_536
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"""

PROGRAM_BYTES: Final = 20_480
"""Kept of it for what the program writes itself: 5,000 bytes for web with all that settings add,
12,000 for the worker and its queue probe, 6,000 for AWS's authorities of databases and their
container, and room for long names of domains and ARNs."""

OWN_ENVIRONMENT_BYTES: Final = TASK_DEFINITION_BYTES - PROGRAM_BYTES

REFERENCE_BYTES: Final = 200
"""Of the ARN of a secret and the words around it, beside the variable's name twice."""

SECRET_BYTES: Final = 65_536
"""https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html"""


def problems(
    given: Mapping[str, Any], values: Mapping[str, Any], secrets: Mapping[str, str | None]
) -> list[str]:
    """Find what is too long, a line each. `values` has the secret keys, `secrets` the variables."""
    return [*_environments(given, secrets), *_secrets(values, secrets)]


def _environments(given: Mapping[str, Any], secrets: Mapping[str, str | None]) -> Iterator[str]:
    shared = sum(REFERENCE_BYTES + 2 * len(name) for name in secrets)
    if trusted := given.get("trustedCertificates"):
        shared += len(_json(trusted))
    for container in ("web", "worker"):
        size = shared + sum(
            len(_json({"name": name, "value": value})) + 1
            for name, value in own_variables(given, container).items()
        )
        if size > OWN_ENVIRONMENT_BYTES:
            yield (
                f"langfuse:{container}.environment: takes {size} bytes with the references to "
                "secretEnvironment and trustedCertificates, and a task definition of 64 KiB has "
                f"room for {OWN_ENVIRONMENT_BYTES}. Shorten them, or bake long values into a file "
                "of an image."
            )


def _secrets(values: Mapping[str, Any], secrets: Mapping[str, str | None]) -> Iterator[str]:
    for key, value in values.items():
        stored = dict(secrets) if key == ENVIRONMENT_KEY else value
        text = stored if isinstance(stored, str) and stored[:1] == "{" else _json({key: stored})
        size = len(text.encode())
        if size > SECRET_BYTES:
            yield (
                f"langfuse:{key}: takes {size} bytes, and a secret of Secrets Manager holds "
                f"{SECRET_BYTES}. Shorten it."
            )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)
