"""`python -m langfuse_aws.offline -- COMMAND …`: a command in which Pulumi never talks to AWS."""

import argparse
import signal
import subprocess
import sys

from langfuse_aws.offline.serving import providers

_SIGNALLED = 128


def run(command: list[str]) -> int:
    """Run the command with the offline providers; gives its status as a shell would."""
    with providers() as environment:
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        process = subprocess.Popen(command, env=environment)
        signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
        status = process.wait()
    return status if status >= 0 else _SIGNALLED - status


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m langfuse_aws.offline", description=__doc__)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    command: list[str] = parser.parse_args().command
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        parser.error("a command is missing")
    return run(command)


if __name__ == "__main__":
    sys.exit(main())
