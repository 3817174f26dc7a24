"""The command line: `python -m automation`."""

import typer

from langfuse_aws.automation.cli import deploy
from langfuse_aws.automation.cli.graph import graph
from langfuse_aws.automation.cost.command import cost
from langfuse_aws.automation.diff.command import diff
from langfuse_aws.automation.engine.operation import end_engines, engines_change
from langfuse_aws.automation.images import command as images_command
from langfuse_aws.automation.moving_in.command import import_stores
from langfuse_aws.automation.preflight.command import preflight
from langfuse_aws.automation.restore import command as restore
from langfuse_aws.automation.restore.replay import replay
from langfuse_aws.automation.smoke.command import smoke
from langfuse_aws.automation.spike.command import simulate_spike
from langfuse_aws.automation.stopping import stopped_by_signals

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Operate a stack of Langfuse.",
)
for command in (deploy.preview, deploy.up, deploy.refresh, deploy.destroy, deploy.outputs):
    app.command()(command)
app.command()(diff)
app.add_typer(restore.app, name="restore")
app.add_typer(images_command.app, name="images")
app.command(name="import")(import_stores)
app.command()(preflight)
app.command()(cost)
app.command()(smoke)
app.command()(replay)
app.command()(simulate_spike)
app.command()(graph)


def main() -> None:
    """Run the command line of this process."""
    with stopped_by_signals(engines_change, end_engines):
        app(prog_name="python -m automation")


if __name__ == "__main__":
    main()
