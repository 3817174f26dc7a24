"""Runs the command line of this process: `langfuse-aws`, or `python3 -m automation` in a clone."""

from langfuse_aws.automation.command_line import app as app
from langfuse_aws.automation.engine.engines import end_engines, engines_change
from langfuse_aws.automation.engine.stopping import stopped_by_signals
from langfuse_aws.settings.installation import COMMAND


def main() -> None:
    """Run it, and end at the first signal."""
    with stopped_by_signals(engines_change, end_engines):
        app(prog_name=COMMAND)


if __name__ == "__main__":
    main()
