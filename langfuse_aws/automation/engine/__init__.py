"""Pulumi's engine: a stack's workspace, operations with their events and results, the state."""

import sys

from langfuse_aws.settings.installation import NOT_ON_WINDOWS

if sys.platform == "win32":
    raise ImportError(NOT_ON_WINDOWS)
