"""Deploys the Langfuse of one stack and exports its outputs."""

import pulumi

from components.langfuse import deploy
from components.names import resource_prefix
from settings import stack

settings, secrets = stack.read()
for output, value in deploy(
    resource_prefix(pulumi.get_project(), pulumi.get_stack()), settings, secrets
).items():
    pulumi.export(output, value)
