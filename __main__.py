"""Deploys the Langfuse of one stack and exports its outputs."""

from pathlib import Path

from langfuse_aws.components.program import deploy_stack

deploy_stack(Path(__file__).parent)
