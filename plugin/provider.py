"""Serves the component to Pulumi's engine; its schema is that of the component's annotations.

It stands where `pulumi.provider.experimental.component_provider_host` usually does. That one drops
arguments that the schema does not have, without a word, and shows every error with a traceback.
"""

from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from plugin.component import Langfuse
from plugin.inputs import refused


class LangfuseProvider(ComponentProvider):
    """Makes the component."""

    def __init__(self) -> None:
        super().__init__([Langfuse], "langfuse")

    def map_inputs(self, inputs: pulumi.Inputs, component_def: Any) -> pulumi.Inputs:  # noqa: ARG002
        """Leave the arguments as they are; `plugin.inputs` names those that there are not."""
        return inputs

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make one. Raises InputPropertiesError for what a user can mend."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, InputPropertiesError):
                raise error.inner from None
            if isinstance(error.inner, pulumi.RunError):
                raise refused(str(error.inner)) from None
            raise
