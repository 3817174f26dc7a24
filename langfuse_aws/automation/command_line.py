"""The command line: names, options and help of every command.

A command imports what it needs when it runs. Nothing else here may load an SDK, the settings or the
engine: `--help` would wait for all of them. The order of the commands is that of the help.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from langfuse_aws import __version__
from langfuse_aws.automation.cli.words import (
    DEFAULT_REGION,
    DEFAULT_STACK,
    By,
    Format,
    Target,
    point_in_time,
)
from langfuse_aws.automation.engine.folders import REPOSITORY, STATE_FOLDER
from langfuse_aws.automation.spike.inputs import (
    LEAST,
    MOST_JOBS,
    MOST_MINUTES,
    MOST_SECONDS,
    Inputs,
    figure_help,
)
from langfuse_aws.graph.grouping import Detail
from langfuse_aws.settings.installation import CLONE
from langfuse_aws.settings.sizing import SIZING

app: Final = typer.Typer(
    add_completion=CLONE is None,  # a shell completes the name of one program
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
restore: Final = typer.Typer(
    no_args_is_help=True, help="Put a store back. Every command shows its plan and asks first."
)
images: Final = typer.Typer(
    no_args_is_help=True,
    help="Container images: lock their digests in images.lock.json, and copy them to ECR.",
)
move_in: Final = typer.Typer(
    no_args_is_help=True,
    help="Move a Langfuse that runs elsewhere in, with its data: docs/move-in.md has the way.",
)

Folder = Annotated[
    Path,
    typer.Option(
        "--dir",
        help="Folder of Pulumi.yaml.",
        exists=True,
        file_okay=False,
        resolve_path=True,
        show_default=False,
    ),
]
Name = Annotated[str, typer.Option("--stack", help="The stack, such as dev.")]
OfPulumi = Annotated[
    str | None,
    typer.Option(envvar="PULUMI_STACK", help="The stack, such as dev: of Pulumi.dev.yaml."),
]
Running = Annotated[
    str, typer.Option("--stack", envvar="PULUMI_STACK", help="The stack that runs, such as prod.")
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", help=f"On an AWS in memory; the state is in {STATE_FOLDER.name}/ of --dir."
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print NDJSON: an event a line, the result or error last.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
OfStack = Annotated[str, typer.Option("--stack", help="The stack, such as prod.")]
ListSnapshots = Annotated[bool, typer.Option("--list", help="List the snapshots, newest first.")]
Sources = Annotated[
    list[Path],
    typer.Option(
        "--from",
        help="File or folder of docker compose, values of the Helm chart and exported Secrets, or "
        "a file of Langfuse's variables; may be repeated, and a later one wins.",
        show_default=False,
    ),
]
SourceRelease = Annotated[
    str | None,
    typer.Option(
        "--release", metavar="X.Y.Z", help="Of the source, if neither its web nor its images say."
    ),
]
Direct = Annotated[
    bool,
    typer.Option("--direct", help="This machine is in the stack's network: make no tunnels."),
]
ListAsJson = Annotated[bool, typer.Option("--json", help="With --list: print one JSON object.")]


def show_version(wanted: bool) -> None:
    """Print the release of this program, and end."""
    if wanted:
        typer.echo(f"langfuse-aws {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the release of this program, and exit.",
            callback=show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Operate a stack of Langfuse."""


@app.command()
def new(
    folder: Annotated[
        Path,
        typer.Argument(help="Where to write it; made if it is not there.", show_default="here"),
    ] = Path(),
    stack: Annotated[str, typer.Option(help="Name of its first stack.")] = DEFAULT_STACK,
    size: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(SIZING)}.", show_default="the stack's name"),
    ] = None,
    region: Annotated[str, typer.Option(help="AWS region.")] = DEFAULT_REGION,
    domain: Annotated[
        str | None,
        typer.Option(help="Where Langfuse is served, such as langfuse.example.com."),
    ] = None,
) -> None:
    """Write a project of your own: program, stack file, workflow. Writes over nothing."""
    from langfuse_aws.automation.new import command as new_command

    new_command.new(folder=folder, stack=stack, size=size, region=region, domain=domain)


@app.command()
def validate(
    stack: Annotated[
        list[str] | None,
        typer.Option(help="Only this stack; may be repeated.", show_default="all of --dir"),
    ] = None,
    folder: Folder = REPOSITORY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a list: stack, key, message and line of each.")
    ] = False,
) -> None:
    """Check stack files: every mistake with its line, in a second and without an account.

    What is encrypted is taken for right. Every other command says the same of the same mistake.

    Exit code 0: no mistake. 2: a mistake, or a wrong command line.
    """
    from langfuse_aws.automation.cli import validate as validate_command

    validate_command.validate(wanted=stack or [], folder=folder, as_json=as_json)


@app.command()
def preview(
    name: Name,
    folder: Folder = REPOSITORY,
    offline: Offline = False,
    as_json: Json = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="PLAN",
            help="Save it as a plan: `up PLAN` does that, nothing else.",
            dir_okay=False,
            writable=True,
        ),
    ] = None,
) -> None:
    """Show what `up` would change, with values before and after."""
    from langfuse_aws.automation.cli import deploy

    deploy.preview(name=name, folder=folder, offline=offline, as_json=as_json, save=save)


@app.command()
def up(
    name: Name,
    plan: Annotated[
        Path | None,
        typer.Argument(
            help="Of `preview --save`: do what it has, and nothing else.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    folder: Folder = REPOSITORY,
    offline: Offline = False,
    as_json: Json = False,
    yes: Yes = False,
    create: Annotated[
        bool,
        typer.Option("--create", help="With --yes: make the stack, if the backend has none."),
    ] = False,
) -> None:
    """Deploy: show a preview, ask, and make the changes."""
    from langfuse_aws.automation.cli import deploy

    deploy.up(
        name=name,
        folder=folder,
        offline=offline,
        as_json=as_json,
        yes=yes,
        create=create,
        plan=plan,
    )


@app.command()
def refresh(
    name: Name, folder: Folder = REPOSITORY, offline: Offline = False, as_json: Json = False
) -> None:
    """Read into the state what AWS has. Changes nothing in AWS."""
    from langfuse_aws.automation.cli import deploy

    deploy.refresh(name=name, folder=folder, offline=offline, as_json=as_json)


@app.command()
def destroy(
    name: Name,
    folder: Folder = REPOSITORY,
    offline: Offline = False,
    as_json: Json = False,
    yes: Yes = False,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Forget the stack too: its history and its stack file."),
    ] = False,
) -> None:
    """Destroy every resource: show what is lost, and ask for the stack's name."""
    from langfuse_aws.automation.cli import deploy

    deploy.destroy(
        name=name, folder=folder, offline=offline, as_json=as_json, yes=yes, remove=remove
    )


@app.command()
def outputs(
    name: Name, folder: Folder = REPOSITORY, offline: Offline = False, as_json: Json = False
) -> None:
    """Show the outputs of what is deployed."""
    from langfuse_aws.automation.cli import deploy

    deploy.outputs(name=name, folder=folder, offline=offline, as_json=as_json)


@app.command()
def status(
    stack: Running,
    folder: Folder = REPOSITORY,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")
    ] = False,
    every: Annotated[int, typer.Option(min=2, help="Seconds between two, with --watch.")] = 15,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift",
            help="Ask AWS for every resource too: what was changed by hand. Takes minutes.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; with --watch, one a line.")
    ] = False,
) -> None:
    """Show how a running stack is: services, load, alarms, backups, certificate. Only reads.

    Exit code 0: all is well. 1: nothing was read. 3: something is wrong. 4: nothing that was read
    is wrong, and not everything could be read.
    """
    from langfuse_aws.automation.on_call import status as status_command

    status_command.status(
        stack=stack,
        folder=folder,
        as_json=as_json,
        watch=every if watch else None,
        drift=drift,
    )


@app.command()
def logs(
    stack: Running,
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PART",
            help="web, worker, clickhouse, clickhouse-backup, migration …; without: web, worker.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(help="How long ago, such as 30m, 1h, 2d; or 2026-11-20T10:00:00Z.")
    ] = "1h",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    grep: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only events with this text in them.")
    ] = None,
    folder: Folder = REPOSITORY,
    as_json: Annotated[bool, typer.Option("--json", help="Print NDJSON: an event a line.")] = False,
) -> None:
    """Show what the parts of a stack print, merged by time. Times are UTC."""
    from langfuse_aws.automation.on_call import logs as logs_command

    logs_command.logs(
        stack=stack,
        folder=folder,
        parts=parts or [],
        since=since,
        follow=follow,
        text=grep,
        as_json=as_json,
    )


@app.command(context_settings={"ignore_unknown_options": True})
def shell(
    stack: Running,
    part: Annotated[str, typer.Argument(help="web, worker or clickhouse.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND", help="What to run; without: a shell.", show_default=False
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="ID", help="Of the task; without: the oldest one.")
    ] = None,
    folder: Folder = REPOSITORY,
) -> None:
    """Open a shell in a container, or run a command in it, through AWS's Session Manager.

    Needs AWS's session-manager-plugin; web and worker also need langfuse:exec.
    """
    from langfuse_aws.automation.on_call import shell as shell_command

    shell_command.shell(stack=stack, folder=folder, part=part, command=command or [], task=task)


@app.command()
def pause(
    stack: Running,
    folder: Folder = REPOSITORY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, at the end.")
    ] = False,
) -> None:
    """Put a stack of langfuse:hours to sleep now, not at the end of its hours.

    Stops web, then what it needs, in order, and waits for each. Its schedule wakes it again.

    Exit code 0: it sleeps. 1: not, and a line says why; the same command goes on from there.
    """
    from langfuse_aws.automation.hours import command as hours_command

    hours_command.pause(stack=stack, folder=folder, as_json=as_json)


@app.command()
def resume(
    stack: Running,
    folder: Folder = REPOSITORY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, at the end.")
    ] = False,
) -> None:
    """Wake a stack of langfuse:hours now, until the next end of its hours.

    Starts what web needs before web, in order, and waits for each.

    Exit code 0: it is awake. 1: not, and a line says why; the same command goes on from there.
    """
    from langfuse_aws.automation.hours import command as hours_command

    hours_command.resume(stack=stack, folder=folder, as_json=as_json)


@app.command()
def diff(
    base: Annotated[str, typer.Option(help="Commit, branch or tag that the change begins at.")],
    head: Annotated[
        str, typer.Option(help="Commit with the change; the working tree if it is left out.")
    ] = "",
    stack: Annotated[
        list[str] | None, typer.Option(help="Only this stack; may be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the Markdown to this file as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not Markdown.")] = False,
    fail_on: Annotated[
        str,
        typer.Option(
            help="Exit with 3 if one of these holds: replace-data, unprotect, "
            "public-ingress, iam-wildcard, cost>N (USD a month), cost>N%. Separate them by commas."
        ),
    ] = "",
    folder: Folder = REPOSITORY,
) -> None:
    """Show what a change does to each stack: data at risk, ports, permissions, resources, cost.

    Deploys both sides offline, in memory; no AWS account is asked. The base is taken where the
    change left it (git merge-base).
    """
    from langfuse_aws.automation.diff import command as diff_command

    diff_command.diff(
        base=base,
        head=head,
        stack=stack,
        output=output,
        as_json=as_json,
        fail_on=fail_on,
        folder=folder,
    )


@app.command()
def upgrade(
    release: Annotated[
        str, typer.Argument(metavar="X.Y.Z", help="Release of Langfuse, such as 4.17.0.")
    ],
    stack: OfStack,
    folder: Folder = REPOSITORY,
    offline: Offline = False,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, show the plan, and change nothing.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Go on in spite of background migrations or of a disk that is short."
        ),
    ] = False,
) -> None:
    """Go to another release of Langfuse: check, lock images, snapshot, preview, ask, deploy, test.

    Says what is known to break, how to go back after each step, and when that ends. Can be run
    again after whatever: it goes on from there. A check starts a small task in the stack's network,
    with --dry-run too.
    """
    from langfuse_aws.automation.upgrade import command as upgrade_command

    upgrade_command.upgrade(
        release=release,
        stack=stack,
        folder=folder,
        offline=offline,
        yes=yes,
        dry_run=dry_run,
        force=force,
    )


@app.command()
def snapshot(
    stack: OfStack,
    label: Annotated[
        str, typer.Option(help="What they are for, such as before-4.17: in their tag and name.")
    ] = "by-hand",
    folder: Folder = REPOSITORY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, at the end.")
    ] = False,
) -> None:
    """Snapshot every store at once: PostgreSQL, ClickHouse, Valkey. Waits for all of them.

    Exit code 0: all are complete. 1: not all; the lines say which, and those that are stay. Deletes
    nothing.
    """
    from langfuse_aws.automation.snapshot import command as snapshot_command

    snapshot_command.snapshot(stack=stack, label=label, folder=folder, as_json=as_json)


@app.command()
def rotate(
    target: Annotated[
        Target,
        typer.Argument(
            help="PostgreSQL's password, Valkey's token, or the secret of users' sessions."
        ),
    ],
    stack: OfStack,
    folder: Folder = REPOSITORY,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, and change nothing.")
    ] = False,
) -> None:
    """Change a password of a stack that runs: whatever is connected goes on, and the old one ends.

    Can be run again after whatever: it goes on from there. Of nextauth, all users must sign in
    again. What can never change, and API keys: docs/operations.md, Rotation.
    """
    from langfuse_aws.automation.rotate import command as rotate_command

    rotate_command.rotate(target=target, stack=stack, folder=folder, yes=yes, dry_run=dry_run)


app.add_typer(restore, name="restore")
app.add_typer(images, name="images")
app.add_typer(move_in, name="move-in")


@restore.command("clickhouse-volume")
def restore_clickhouse_volume(
    stack: OfStack,
    show: ListSnapshots = False,
    snapshot: Annotated[
        str | None,
        typer.Option(
            help="EBS snapshot of the data volume, also one made by AWS Backup; or latest."
        ),
    ] = None,
    folder: Folder = REPOSITORY,
    yes: Yes = False,
    as_json: ListAsJson = False,
) -> None:
    """List the snapshots of ClickHouse's data volume, or replace it by one made from one."""
    from langfuse_aws.automation.restore import command as restore

    restore.clickhouse_volume(
        stack=stack, show=show, snapshot=snapshot, folder=folder, yes=yes, as_json=as_json
    )


@restore.command("clickhouse-backup")
def restore_clickhouse_backup(
    stack: OfStack,
    show: Annotated[bool, typer.Option("--list", help="List the complete backups.")] = False,
    source: Annotated[
        str | None,
        typer.Option("--from", help="URL of a backup, its name in the list, or latest."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--as", help="New database to restore into, instead of Langfuse's own."),
    ] = None,
    folder: Folder = REPOSITORY,
    yes: Yes = False,
    as_json: ListAsJson = False,
) -> None:
    """List ClickHouse's own backups, or restore one into tables without rows."""
    from langfuse_aws.automation.restore import command as restore

    restore.clickhouse_backup(
        stack=stack,
        show=show,
        source=source,
        database=database,
        folder=folder,
        yes=yes,
        as_json=as_json,
    )


@restore.command("postgres")
def restore_postgres(
    stack: OfStack,
    show: ListSnapshots = False,
    snapshot: Annotated[
        str | None, typer.Option(help="Snapshot of the cluster, or of the instance; or latest.")
    ] = None,
    folder: Folder = REPOSITORY,
    yes: Yes = False,
    as_json: ListAsJson = False,
) -> None:
    """List the snapshots of PostgreSQL, or replace the database by one made from one."""
    from langfuse_aws.automation.restore import command as restore

    restore.postgres(
        stack=stack, show=show, snapshot=snapshot, folder=folder, yes=yes, as_json=as_json
    )


@restore.command("objects")
def restore_objects(
    stack: OfStack,
    show: Annotated[
        bool, typer.Option("--list", help="List what was deleted, by folder and day.")
    ] = False,
    prefix: Annotated[
        str | None, typer.Option(help="What the keys begin with, such as media/.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=point_in_time,
            metavar="TIME",
            help="Deleted then or later, such as 2026-11-20T10:00:00Z.",
        ),
    ] = None,
    folder: Folder = REPOSITORY,
    yes: Yes = False,
    as_json: ListAsJson = False,
) -> None:
    """List deleted objects of Langfuse's bucket, or bring them back, if it keeps versions."""
    from langfuse_aws.automation.restore import command as restore

    restore.objects(
        stack=stack,
        show=show,
        prefix=prefix,
        since=since,
        folder=folder,
        yes=yes,
        as_json=as_json,
    )


@images.command("lock")
def images_lock(stack: OfPulumi = None, folder: Folder = REPOSITORY, as_json: Json = False) -> None:
    """Write down which digest each image's tag stands for, which is deployed from then on.

    A tag that is locked and was moved is an error, and nothing is written.
    """
    from langfuse_aws.automation.images import command as images_command

    images_command.lock(stack=stack, folder=folder, as_json=as_json)


@images.command("mirror")
def images_mirror(
    stack: OfPulumi = None, folder: Folder = REPOSITORY, as_json: Json = False
) -> None:
    """Copy the stack's images, all platforms of each, into ECR repositories of the stack.

    Makes the repositories, copies what is missing, asks ECR for every digest, and locks what is
    there. Run it again to go on after an interruption.
    """
    from langfuse_aws.automation.images import command as images_command

    images_command.mirror(stack=stack, folder=folder, as_json=as_json)


@app.command("import")
def import_stores(
    state: Annotated[
        Path,
        typer.Option(
            "--from-terraform-state",
            help="What `terraform state pull` prints. It has secrets in the clear: delete it soon.",
            show_default=False,
        ),
    ],
    stack: Annotated[str, typer.Option("--stack", help="The stack to move into, such as prod.")],
    to: Annotated[
        Path,
        typer.Option(help="Folder to write langfuse-import.json to.", exists=True, file_okay=False),
    ] = Path(),
    configure: Annotated[
        bool,
        typer.Option("--configure", help="Set the stack's configuration, secrets encrypted."),
    ] = False,
    folder: Folder = REPOSITORY,
) -> None:
    """Write what adopts the stores of a Langfuse of tubone24/langfuse-v3-terraform.

    Nothing is imported or changed in AWS: docs/migrate-from-terraform.md has the whole way.
    """
    from langfuse_aws.automation.from_terraform import command as import_command

    import_command.import_stores(
        state=state, stack=stack, to=to, configure=configure, folder=folder
    )


@move_in.command("configure")
def move_in_configure(
    stack: OfStack, sources: Sources, folder: Folder = REPOSITORY, yes: Yes = False
) -> None:
    """Set the source's SALT, ENCRYPTION_KEY, NEXTAUTH_SECRET and sign-in in the stack's file.

    Secrets are encrypted and never printed. Then pulumi up.
    """
    from langfuse_aws.automation.move_in import command as move_in_command

    move_in_command.move_in_configure(stack=stack, sources=sources, folder=folder, yes=yes)


@move_in.command("plan")
def move_in_plan(
    stack: OfStack,
    sources: Sources,
    folder: Folder = REPOSITORY,
    release: SourceRelease = None,
    direct: Direct = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read both sides: what would come how, how long it takes, and what is against it.

    Writes to neither side. With a key pair of the source in LANGFUSE_PUBLIC_KEY and
    LANGFUSE_SECRET_KEY, its SALT is tried.
    """
    from langfuse_aws.automation.move_in import command as move_in_command

    move_in_command.move_in_plan(
        stack=stack,
        sources=sources,
        folder=folder,
        release=release,
        direct=direct,
        as_json=as_json,
    )


@move_in.command("run")
def move_in_run(
    stack: OfStack,
    sources: Sources,
    folder: Folder = REPOSITORY,
    release: SourceRelease = None,
    direct: Direct = False,
    yes: Yes = False,
) -> None:
    """Copy what is new, count both sides, and start the target. The source is only read.

    Can be interrupted and run again: what is done is not done again.
    """
    from langfuse_aws.automation.move_in import command as move_in_command

    move_in_command.move_in_run(
        stack=stack, sources=sources, folder=folder, release=release, direct=direct, yes=yes
    )


@move_in.command("finish")
def move_in_finish(
    stack: OfStack, folder: Folder = REPOSITORY, direct: Direct = False, yes: Yes = False
) -> None:
    """After the cut-over: no run goes into this stack any more. Its data stay."""
    from langfuse_aws.automation.move_in import command as move_in_command

    move_in_command.move_in_finish(stack=stack, folder=folder, direct=direct, yes=yes)


@app.command()
def preflight(
    stack: Annotated[
        str | None,
        typer.Option(envvar="PULUMI_STACK", help="The stack, such as dev: of Pulumi.dev.yaml."),
    ] = None,
    folder: Folder = REPOSITORY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each check, one a line.")
    ] = False,
) -> None:
    """Check before the first up that this account and region can have the stack.

    Reads Pulumi.STACK.yaml and asks AWS, DNS, the registries, and external stores with the
    passwords in CLICKHOUSE_PASSWORD and REDIS_AUTH. Changes nothing.

    Exit code 0: nothing stands in the way. 1: a check failed. 2: nothing was checked.
    """
    from langfuse_aws.automation.preflight import command as preflight

    preflight.preflight(stack=stack, folder=folder, as_json=as_json)


@app.command()
def posture(
    stack: Annotated[str, typer.Option(help="The stack, such as prod.")] = DEFAULT_STACK,
    deployed: Annotated[
        bool,
        typer.Option("--deployed", help="Look at what is deployed, not at the stack file."),
    ] = False,
    folder: Folder = REPOSITORY,
    offline: Offline = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Hold a stack against the policy pack, and against checkov if it is on PATH.

    Previews the stack file offline: no AWS account is needed. What only an update knows, such as
    containers, fails no rule then; --deployed looks at all. Each rule that fails is printed with
    its resources and with why that is accepted.

    Exit code 0: all that fails is accepted. 1: something fails that is not. 2: nothing was looked
    at.
    """
    from langfuse_aws.automation.posture import command as posture_command

    posture_command.posture(
        stack=stack, folder=folder, deployed=deployed, offline=offline, as_json=as_json
    )


@app.command()
def cost(
    stack: Annotated[str, typer.Option(help="The stack, such as prod.")] = DEFAULT_STACK,
    events_per_month: Annotated[
        float, typer.Option(min=0, help="Traces, observations and scores that come in.")
    ] = 0,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIGURE=NUMBER",
            help="Another figure of the traffic, such as event_kb=20; docs/cost.md lists them.",
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Prices of this region; default: the stack's own.")
    ] = None,
    by: Annotated[By, typer.Option(help="A line for each.")] = "resource",
    deployed: Annotated[
        bool, typer.Option("--deployed", help="Price what is deployed, not the stack file.")
    ] = False,
    folder: Folder = REPOSITORY,
    json_wanted: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    refresh_prices: Annotated[
        bool,
        typer.Option(
            "--refresh-prices",
            help=(
                "Ask AWS for every price and write langfuse_aws/cost/prices.csv anew, and do "
                "nothing else."
            ),
        ),
    ] = False,
) -> None:
    """Work out what a stack costs a month, by its resources.

    Previews the stack file offline: no AWS account is needed. Three columns: on demand; as
    configured, with Spot where the stack uses it; with a Compute Savings Plan besides.

    With --refresh-prices it needs AWS credentials that may call pricing:GetProducts.
    """
    from langfuse_aws.automation.cost import command as cost_command

    cost_command.cost(
        stack=stack,
        events_per_month=events_per_month,
        assume=assume,
        region=region,
        by=by,
        deployed=deployed,
        folder=folder,
        json_wanted=json_wanted,
        refresh_prices=refresh_prices,
    )


@app.command()
def smoke(
    context: typer.Context,
    stack: Annotated[
        str | None,
        typer.Option(help="The stack, such as dev: its outputs say the URL and the keys."),
    ] = None,
    folder: Folder = REPOSITORY,
    url: Annotated[
        str | None, typer.Option(help="Of Langfuse, such as https://langfuse.example.com.")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option(envvar="LANGFUSE_PUBLIC_KEY", help="Of a project: pk-lf-….")
    ] = None,
    secret_key: Annotated[
        str | None,
        typer.Option(
            envvar="LANGFUSE_SECRET_KEY",
            help="sk-lf-…. The variable keeps it out of the list of processes.",
        ),
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Of a trace that must be there already, such as one that moved in."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds from sending a trace until it must be readable.")
    ] = 90,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send a trace to a running Langfuse, read it back, and name the part that fails.

    With --stack, or with --url and keys. Leaves a trace smoke-test in the project, on 3.x two.

    Exit code 0: all is well. 1: a check failed. 2: nothing was checked; the line says why.
    """
    from langfuse_aws.automation.smoke import command as smoke

    smoke.smoke(
        context=context,
        stack=stack,
        folder=folder,
        url=url,
        public_key=public_key,
        secret_key=secret_key,
        old_trace=trace,
        timeout=timeout,
        as_json=as_json,
    )


@app.command()
def replay(
    stack: Annotated[str, typer.Option("--stack", help="The stack, such as prod.")],
    since: Annotated[
        datetime,
        typer.Option(
            parser=point_in_time,
            metavar="TIME",
            help="Events that came in then or later, such as 2026-11-20T10:00:00Z.",
        ),
    ],
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=point_in_time,
            metavar="TIME",
            help="And not later than this.",
            show_default="now",
        ),
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="ID of the one project to load.", show_default="all")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be loaded, and load nothing.")
    ] = False,
    folder: Folder = REPOSITORY,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Load events from the bucket again: what a killed worker had not yet written to ClickHouse.

    Each object that came in between --since and --until becomes a job of Langfuse's, in the order
    in which they came; what is there already is written over with the same. No object changes.
    """
    from langfuse_aws.automation.restore import replay

    replay.replay(
        stack=stack,
        since=since,
        until=until,
        project=project,
        dry_run=dry_run,
        folder=folder,
        yes=yes,
    )


@app.command()
def simulate_spike(
    context: typer.Context,
    size: Annotated[str, typer.Option(help=f"Whose worker: {', '.join(SIZING)}.")] = "prod",
    min_tasks: Annotated[int | None, typer.Option(help=figure_help("min_tasks"))] = None,
    max_tasks: Annotated[int | None, typer.Option(help=figure_help("max_tasks"))] = None,
    cpu: Annotated[int | None, typer.Option(help=figure_help("cpu"))] = None,
    memory: Annotated[int | None, typer.Option(help=figure_help("memory"))] = None,
    base: Annotated[
        float, typer.Option(min=0, max=MOST_JOBS, help=figure_help("base"))
    ] = Inputs.base,
    spike: Annotated[
        float, typer.Option(min=0, max=MOST_JOBS, help=figure_help("spike"))
    ] = Inputs.spike,
    spike_minutes: Annotated[
        int, typer.Option(min=0, max=MOST_MINUTES, help=figure_help("spike_minutes"))
    ] = Inputs.spike_minutes,
    arrivals: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV file of a series of yours, with the heading second,jobs_per_second; replaces "
            "--base, --spike and --spike-minutes.",
        ),
    ] = None,
    minutes: Annotated[
        int, typer.Option(min=1, max=MOST_MINUTES, help=figure_help("minutes"))
    ] = Inputs.minutes,
    service_rate: Annotated[
        float, typer.Option(min=LEAST, max=MOST_JOBS, help=figure_help("service_rate"))
    ] = Inputs.service_rate,
    busy_cpu: Annotated[
        float, typer.Option(min=0, max=100, help=figure_help("busy_cpu"))
    ] = Inputs.busy_cpu,
    start_delay: Annotated[
        int, typer.Option(min=0, max=MOST_SECONDS, help=figure_help("start_delay"))
    ] = Inputs.start_delay,
    metric_delay: Annotated[
        int, typer.Option(min=0, max=MOST_SECONDS, help=figure_help("metric_delay"))
    ] = Inputs.metric_delay,
    log_delay: Annotated[
        int, typer.Option(min=0, max=MOST_SECONDS, help=figure_help("log_delay"))
    ] = Inputs.log_delay,
    max_lag: Annotated[
        float, typer.Option(min=1, max=MOST_SECONDS, help=figure_help("max_lag"))
    ] = Inputs.max_lag,
    png: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Draw it into this file. Needs matplotlib.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare scaling the worker on CPU with scaling it on the queue's backlog, in a spike.

    A simulation: no stack is asked. Give figures of your own; docs/scaling.md says how to get them.
    """
    from langfuse_aws.automation.spike import command as simulate_spike

    simulate_spike.simulate_spike(
        context=context,
        size=size,
        min_tasks=min_tasks,
        max_tasks=max_tasks,
        cpu=cpu,
        memory=memory,
        base=base,
        spike=spike,
        spike_minutes=spike_minutes,
        arrivals=arrivals,
        minutes=minutes,
        service_rate=service_rate,
        busy_cpu=busy_cpu,
        start_delay=start_delay,
        metric_delay=metric_delay,
        log_delay=log_delay,
        max_lag=max_lag,
        png=png,
        as_json=as_json,
    )


@app.command()
def graph(
    stack: Annotated[str, typer.Option(help="Whose architecture: a stack with a file.")] = "dev",
    file_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="By default what the name of --output ends with, or else mermaid. svg and png "
            "need Graphviz.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File to write; by default it is printed."),
    ] = None,
    detail: Annotated[
        Detail, typer.Option(help="The main resources, or every resource by its component.")
    ] = "components",
    deployed: Annotated[
        bool,
        typer.Option("--deployed", help="Read the stack's state, not what its file asks for."),
    ] = False,
    folder: Folder = REPOSITORY,
) -> None:
    """Draw the architecture of a stack from its resource graph: who may talk to whom at which port.

    Without --deployed, the stack's file is previewed offline: no account is needed.
    """
    from langfuse_aws.automation.cli import graph as graph_command

    graph_command.graph(
        stack=stack,
        file_format=file_format,
        output=output,
        detail=detail,
        deployed=deployed,
        folder=folder,
    )
