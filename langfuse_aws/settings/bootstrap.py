"""The section `bootstrap`: what a new Langfuse has when it starts for the first time."""

from typing import Annotated

from pydantic import Field

from langfuse_aws.settings.section import Email, Section

DisplayName = Annotated[str, Field(min_length=1, max_length=60)]


class Bootstrap(Section):
    """An organization, a project with API keys, and the organization's owner.

    Langfuse makes them when web starts, if they are not there. It changes none that is.
    """

    user_email: Email = Field(
        description="Owner of the organization, who signs in with a generated password"
    )
    organization: DisplayName = Field(
        "Langfuse", description="Name of the organization; afterwards it is changed in Langfuse"
    )
    project: DisplayName = Field(
        "Default", description="Name of the project; afterwards it is changed in Langfuse"
    )
    key_version: int = Field(
        1, ge=1, description="Raise it to get another pair of API keys; the old pair stays valid"
    )
