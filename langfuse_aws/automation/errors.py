"""Errors that need no traceback, and their words: one line for each mistake."""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from langfuse_aws.settings.loading import SettingsError


class UserError(Exception):
    """One line for whoever called: what, where, the bound, the remedy."""

    @property
    def messages(self) -> Sequence[str]:
        """What to show, each with a heading of its own; most errors are one line."""
        return [" ".join(str(self).split())]


class CommandLineError(UserError):
    """The command line itself is wrong."""


WRONG_COMMAND_LINE: Final = 2
"""Exit code, as click has it for what it finds out itself."""


class MistakesError(UserError):
    """Several mistakes at once, a line for each."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Take the lines."""
        super().__init__(" ".join(messages))
        self._messages = messages

    @property
    def messages(self) -> Sequence[str]:
        """The lines."""
        return self._messages


_LOGGED_OUT: Final = "PULUMI_ACCESS_TOKEN must be set for login"


NOT_LOGGED_IN: Final = (
    "pulumi: the state is to be in Pulumi Cloud, as no other backend is chosen, and "
    "PULUMI_ACCESS_TOKEN is not set. Set it, or choose another with pulumi login URL or "
    "PULUMI_BACKEND_URL, such as s3://BUCKET or file://FOLDER."
)


_PASSPHRASE: Final = {
    "incorrect passphrase": "pulumi: PULUMI_CONFIG_PASSPHRASE, or the file that "
    "PULUMI_CONFIG_PASSPHRASE_FILE names, is not the passphrase that the stack's secrets are "
    "encrypted with.",
    "passphrase must be set with": "pulumi: the stack's secrets are encrypted with a passphrase, "
    "and none is given. Set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE.",
}
"""What to say, by what pulumi says."""


def no_such_stack(name: str) -> str:
    """What to say of a stack that the backend does not have."""
    return (
        f"stack {name}: this backend has no such stack. pulumi stack ls shows those it has, and "
        "pulumi login chooses another backend; up makes it, and so does pulumi stack init."
    )


def no_place_for(file: Path) -> str | None:
    """Why a file cannot be written for want of a place, and what to do; None if it can."""
    if not file.absolute().parent.is_dir():
        return f"there is no folder {file.parent}. Make it."
    return "is a folder. Name a file in it." if file.is_dir() else None


_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write fails with for want of room; it names no file."""


class WrongOptionsError(MistakesError, CommandLineError):
    """Several options are wrong, a line for each."""


def is_expected(error: BaseException) -> bool:
    """Whether it needs no traceback: the message says it all."""
    ours = isinstance(error, (UserError, SettingsError))
    of_file = isinstance(error, OSError) and (error.filename is not None or error.errno in _FULL)
    return ours or of_file or isinstance(error, _of_sdks())


def messages(error: BaseException) -> Sequence[str]:
    """What to show of an error: one line for most, a line for every mistake in settings."""
    if isinstance(error, UserError):
        return error.messages
    return error.problems if isinstance(error, SettingsError) else [one_line(error)]


def is_logged_out(error: BaseException) -> bool:
    """Whether pulumi knows no backend."""
    return _LOGGED_OUT in str(error)


def of_passphrase(error: BaseException) -> str | None:
    """What to say of an error of pulumi's that is about the passphrase; None: it is not."""
    return next((line for said, line in _PASSPHRASE.items() if said in str(error)), None)


def one_line(error: BaseException) -> str:
    """Say what an error is about."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{error.strerror}: what is written is not complete. Make room, and run it again."
    text = str(error)
    if not isinstance(error, UserError) and isinstance(error, _of_sdks()[-1]):
        # Its text is the command's exit code, stdout and stderr.
        if is_logged_out(error):
            return NOT_LOGGED_IN
        if told := of_passphrase(error):
            return told
        lines = [line.strip() for line in text.rpartition("stderr: ")[2].splitlines()]
        said = [line for line in lines if line.startswith("error:")] or lines or [text]
        return f"pulumi: {said[0].removeprefix('error:').strip()}"
    return " ".join(text.split()) or type(error).__name__


def _of_sdks() -> tuple[type[Exception], ...]:
    """Errors of AWS's and of Pulumi's SDK, which take longer to load than most errors to find."""
    from botocore.exceptions import BotoCoreError, ClientError
    from pulumi.automation.errors import CommandError

    return BotoCoreError, ClientError, CommandError
