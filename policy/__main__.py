"""The policy pack, which Pulumi starts for `--policy-pack policy`."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # Pulumi puts this folder there

from pulumi_policy import PolicyPack

from langfuse_aws.policy.pack import policies

PolicyPack("langfuse-aws", list(policies()))
