"""Deploys the Langfuse of one stack and exports its outputs."""

from langfuse_aws.components.garbage_collection import keep_garbage

keep_garbage()  # before anything is imported that makes much

from pathlib import Path

import pulumi

from langfuse_aws.components.customization import customize
from langfuse_aws.components.langfuse import deploy
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings import stack

settings, secrets = stack.read()
customize(Path(__file__).parent)
for output, value in deploy(
    resource_prefix(pulumi.get_project(), pulumi.get_stack()), settings, secrets
).items():
    pulumi.export(output, value)
