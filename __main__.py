"""Deploys the Langfuse of one stack and exports its outputs."""

import atexit
import gc
from pathlib import Path

# What a run makes lives until its end. Looking for what does not, and freeing it all one by one at
# the end, would be two fifths of this process's time.
gc.disable()
atexit.register(gc.freeze)

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
