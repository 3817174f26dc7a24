"""Runs the command line of this process: `langfuse-aws`, or `python3 -m automation` in a clone."""

import os
import sys
from io import TextIOWrapper
from typing import cast

from langfuse_aws.settings.installation import COMMAND, NOT_ON_WINDOWS

if sys.platform == "win32":
    sys.exit(f"error: {NOT_ON_WINDOWS}")

from langfuse_aws.automation.command_line import app as app
from langfuse_aws.automation.engine.engines import end_engines, engines_change
from langfuse_aws.automation.engine.stopping import stopped_by_signals


def main() -> None:
    """Run it, and end at the first signal."""
    _print_everywhere()
    try:
        try:
            with stopped_by_signals(engines_change, end_engines):
                app(prog_name=COMMAND)
        finally:
            _write_the_rest()
    except OSError as error:  # of what is printed, perhaps
        # Help needs neither, and the consoles know the terminal's columns from when they are made.
        from langfuse_aws.automation.errors import is_expected, messages
        from langfuse_aws.automation.terminal import tell

        if not is_expected(error):
            raise
        tell(messages(error))
        sys.exit(1)


def _write_the_rest() -> None:
    """Raise OSError if what was printed cannot be written, unless a failure was told already.

    Python would try once more at its end, and fail with lines and an exit code of its own:
    https://docs.python.org/3/library/sys.html#sys.exit
    """
    stdout: object = sys.stdout
    ends = sys.exc_info()[1]
    if not isinstance(stdout, TextIOWrapper):  # None where it is closed
        return
    try:
        stdout.flush()
    except OSError:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stdout.fileno())
        if not (isinstance(ends, SystemExit) and ends.code):
            raise


def _print_everywhere() -> None:
    """Lose no line to an encoding that lacks a character, nor to a terminal without columns."""
    stdout: object = sys.stdout
    if isinstance(stdout, TextIOWrapper):  # None where it is closed
        cast("TextIOWrapper", stdout).reconfigure(errors="backslashreplace")
    if os.environ.get("COLUMNS") == "0":  # rich prints nothing then, nor does pip, by rich
        del os.environ["COLUMNS"]


if __name__ == "__main__":
    main()
