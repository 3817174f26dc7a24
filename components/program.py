"""The whole of a Pulumi program that deploys the Langfuse of one stack: `__main__.py` calls it.

Nothing else imports it: the process lives no longer than the program.
"""

from langfuse_aws.components.garbage_collection import keep_garbage

keep_garbage()  # before anything is imported that makes much

from pathlib import Path

import pulumi

from langfuse_aws.components.customization import customize
from langfuse_aws.components.langfuse import deploy
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings import stack


def deploy_stack(folder: Path) -> None:
    """Deploy the current stack and export its outputs.

    `folder` is the program's own, where customize.py and the lock of the images are. Raises
    `pulumi.RunError` for settings that are wrong, or do not fit what is in AWS.
    """
    settings, secrets = stack.read()
    customize(folder)
    prefix = resource_prefix(pulumi.get_project(), pulumi.get_stack())
    for output, value in deploy(prefix, settings, secrets, folder=folder).items():
        pulumi.export(output, value)
