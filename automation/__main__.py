"""The command line: `python -m automation`."""

import typer

from automation import deploy, images_command, restore
from automation.cost_command import cost
from automation.diff_command import diff
from automation.graph_command import graph
from automation.import_command import import_stores
from automation.preflight import preflight
from automation.replay import replay
from automation.simulate_spike import simulate_spike
from automation.smoke import smoke

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

if __name__ == "__main__":
    app(prog_name="python -m automation")
