"""The library for other programs, which docs/automation.md describes."""

from langfuse_aws.automation.engine.destruction import ProtectedError
from langfuse_aws.automation.engine.events import Event
from langfuse_aws.automation.engine.following import follow
from langfuse_aws.automation.engine.operation import CancelledError, Operation, OperationError
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.stack import InvalidSettingsError, LangfuseStack, NoStackError
from langfuse_aws.graph.preview import Preview

__all__ = [
    "CancelledError",
    "Event",
    "InvalidSettingsError",
    "LangfuseStack",
    "NoStackError",
    "Operation",
    "OperationError",
    "Preview",
    "ProtectedError",
    "Result",
    "UserError",
    "follow",
]
