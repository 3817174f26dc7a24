"""The variables that have web make an organization, a project, its API keys and a user at start.

Langfuse makes what is not there, by its ID, and changes nothing that is there; so the IDs are the
stack's, whatever the names are. Keys with another public key are added to the project.
Source: https://langfuse.com/self-hosting/administration/headless-initialization
"""

from typing import Final, TypeVar

from langfuse_aws.components.environment import Environment
from langfuse_aws.settings.bootstrap import Bootstrap

Value = TypeVar("Value")
Reference = TypeVar("Reference")

PUBLIC_KEY_PREFIX: Final = "pk-lf-"
SECRET_KEY_PREFIX: Final = "sk-lf-"  # noqa: S105 -- what every key begins with


def first_start(
    bootstrap: Bootstrap,
    identifier: str,
    public_key: Value,
    secret_key: Reference,
    user_password: Reference,
) -> Environment[Value, Reference]:
    """Build the variables of web's first start.

    `identifier` is the ID of the organization and of the project.
    """
    return Environment(
        plain={
            "LANGFUSE_INIT_ORG_ID": identifier,
            "LANGFUSE_INIT_ORG_NAME": bootstrap.organization,
            "LANGFUSE_INIT_PROJECT_ID": identifier,
            "LANGFUSE_INIT_PROJECT_NAME": bootstrap.project,
            "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": public_key,
            "LANGFUSE_INIT_USER_EMAIL": bootstrap.user_email,
        },
        secret={
            "LANGFUSE_INIT_PROJECT_SECRET_KEY": secret_key,
            "LANGFUSE_INIT_USER_PASSWORD": user_password,
        },
    )
