"""ClickHouse's configuration, its start command and the instance's boot script.

The boot script, the script it installs and the start command are run for real, by bash, in a
temporary folder, with stubs for everything that would touch a machine: AWS's CLI, the metadata
service, the ECS agent, disks, systemd. Proves what they do, in which order, and what they leave
undone when a step fails. It does not prove that Amazon Linux's own tools behave as the stubs do,
nor that ClickHouse understands the configuration: see tests/engine/test_clickhouse_engine.py.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import pytest
import yaml

from langfuse_aws.components.clickhouse.config import (
    CONFIG_FILE,
    CONFIG_VARIABLE,
    INTERSERVER_PORT,
    INTERSERVER_VARIABLE,
    KEEPER_PORT,
    KEPT_LOG_TABLES,
    NAME_VARIABLE,
    NUMBER_FILE,
    NUMBER_VARIABLE,
    PROFILE_FILE,
    PROFILE_VARIABLE,
    RAFT_PORT,
    profile_config,
    server_config,
    start_command,
    user_data,
)
from langfuse_aws.components.clickhouse.volume import DATA_FOLDER, DEVICE, MOUNT_POINT
from langfuse_aws.settings.versions import CLICKHOUSE_COMPATIBILITY
from tests.unit.boot_script import BASH, Boot, functions, noted, run

VOLUME: Final = "vol-0123456789abcdef2"
DISKS: Final = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
BY_ID: Final = f"{DISKS}vol0123456789abcdef2"
VALUES: Final[Mapping[str, str]] = {
    "region": "eu-west-1",
    "cluster": "langfuse-dev-cluster-1a2b3c4",
    "volumes": f"eu-west-1a 1 vol-0123456789abcdef1\neu-west-1b 2 {VOLUME}\n"
    "eu-west-1c 3 vol-0123456789abcdef3",
    "device": DEVICE,
    "mount_point": MOUNT_POINT,
    "names": "1 srv-aaaa\n2 srv-bbbb\n3 srv-cccc",
    "log_group": "langfuse-dev-clickhouse-1a2b3c4",
}

SERVERS: Final = tuple(f"clickhouse-{number}.langfuse-prod.internal" for number in (1, 2, 3))
BACKUPS: Final = "https://langfuse-backups.s3.eu-west-1.amazonaws.com/clickhouse/"

PROGRAMS: Final = "usr/local/bin"
UNIT: Final = "/etc/systemd/system/register-server.service"

# What each stub does once it has noted its call. $ROOT is the temporary folder.
STUBS: Final[Mapping[str, str]] = {
    "aws": "",
    "blkid": "exit 2",
    "chattr": "",
    "chmod": 'exec "$CHMOD" "$@"',
    "chown": "",
    "curl": """case "$*" in
*api/token*) echo TOKEN;;
*placement/availability-zone) echo eu-west-1b;;
*) echo i-0123456789abcdef0;;
esac""",
    "dnf": "",
    "mkdir": 'exec "$MKDIR" "$@"',
    "mkfs.xfs": "",
    "mount": '[[ ! -e $ROOT/etc/ecs/ecs.config ]] || echo "joined before the mount" >> "$CALLS"',
    "seq": "printf '%s\\n' 1 2 3",
    "shutdown": "",
    "sleep": "",
    "systemctl": "",
    "timeout": 'shift; "$@"',
}

# EC2 has attached the volume: its device is there.
APPEARS: Final = f'''[[ $* =~ --volume-id\\ vol-([0-9a-f]+) ]] &&
  echo > "$ROOT{DISKS}vol${{BASH_REMATCH[1]}}"'''

STOP: Final = "shutdown -h now"


def joined(boot: Boot) -> bool:
    """Whether the ECS agent joins the cluster, now and after each reboot."""
    if not (boot.root / "etc/ecs/ecs.config").exists():
        return False
    agent = [call.split() for call in boot.calls if call.endswith(" ecs.service")]
    masked = [call for call in agent if call[-2] == "--now" and "mask" in call]
    last = [word for call in agent for word in call if word in ("mask", "unmask", "enable")]
    return bool(masked) and last[-2:] == ["unmask", "enable"]


def boot(
    root: Path,
    behaviours: Mapping[str, str] | None = None,
    *,
    without: str = "",
    device: bool = True,
    values: Mapping[str, str] = VALUES,
) -> Boot:
    """Run the boot script in `root`, with other behaviours of some stubs."""
    for folder in (
        "tools",
        "etc/ecs",
        "etc/systemd/system",
        DISKS[1 : DISKS.rindex("/")],
        PROGRAMS,
    ):
        (root / folder).mkdir(parents=True)
    there = {**STUBS, **(behaviours or {})}
    stubs = noted({name: body for name, body in there.items() if name != without})
    if device and "aws" in stubs:
        stubs["aws"] = f"(\n{stubs['aws']}\n) && {APPEARS}"
    (root / "tools/cat").symlink_to(shutil.which("cat") or "/bin/cat")
    mount_point = f"{root}{MOUNT_POINT}"
    text = user_data({**values, "mount_point": mount_point})
    # A file stands for the device; only its kind differs.
    text = text.replace("[[ -b ", "[[ -e ")
    for folder in ("/etc/", "/dev/disk/", f"/{PROGRAMS}/"):
        text = text.replace(folder, f"{root}{folder}")
    return run(root, text, stubs)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """The first boot with a new volume, where everything goes well."""
    return boot(tmp_path_factory.mktemp("first"))


FORMATTED: Final = "echo 'UUID=0a1b TYPE=xfs'"
"""`blkid` of a volume with a file system."""

ATTACH: Final = (
    f"aws ec2 attach-volume --volume-id {VOLUME} --instance-id i-0123456789abcdef0 "
    f"--device {DEVICE}"
)


# --- the boot script


def test_the_device_is_one_that_ec2_keeps_for_data_volumes() -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html."""
    assert re.fullmatch(r"/dev/sd[f-p]", DEVICE)


def test_a_new_volume_is_formatted_mounted_and_only_then_offered_to_the_cluster(
    first: Boot,
) -> None:
    ours = [call for call in first.calls if call.split()[0] not in ("curl", "seq")]
    assert ours == [
        "systemctl --no-block mask --now ecs.service",
        ATTACH,
        f"blkid -p {BY_ID}",
        f"mkfs.xfs {BY_ID}",
        f"mkdir -p {MOUNT_POINT}",
        f"chattr +i {MOUNT_POINT}",
        f"mount {MOUNT_POINT}",
        f"mkdir -p {DATA_FOLDER}",
        f"chown 101:101 {DATA_FOLDER}",
        "systemctl enable --now grow-data-volume.timer",
        "chmod a+rx /usr/local/bin/report-disk-use",
        "systemctl enable --now report-disk-use.timer",
        "mkdir -p /etc/langfuse-clickhouse",
        "chmod -R a+rX /etc/langfuse-clickhouse",
        "chmod a+rx /usr/local/bin/register-server",
        "systemctl enable --now register-server.service",
        "systemctl unmask ecs.service",
        "systemctl --no-block enable --now ecs.service",
    ], "attach, format, seal the mount point, mount, hand over to ClickHouse's user 101, be found"
    assert (first.code, joined(first)) == (0, True), "the agent may start"


def test_a_volume_with_a_file_system_is_mounted_and_never_formatted(tmp_path: Path) -> None:
    result = boot(tmp_path, {"blkid": FORMATTED})
    assert result.named("mkfs.xfs") == [], "the data of years is on it"
    assert result.named("mount") == [f"mount {MOUNT_POINT}"], "it is used as it is"
    assert (result.code, joined(result)) == (0, True), "the replaced instance takes over"


def test_a_volume_is_formatted_once_and_without_force(first: Boot) -> None:
    assert first.named("mkfs.xfs") == [f"mkfs.xfs {BY_ID}"], (
        "without -f mkfs refuses by itself to overwrite what it recognises"
    )


# https://man7.org/linux/man-pages/man8/blkid.8.html: 4 is an error, 8 more than one signature.
@pytest.mark.parametrize("code", [1, 4, 8, 127])
def test_a_volume_that_could_not_be_examined_is_not_formatted(tmp_path: Path, code: int) -> None:
    result = boot(tmp_path, {"blkid": f"exit {code}"})
    assert result.calls[-2:] == [f"blkid -p {BY_ID}", STOP], (
        "not knowing is not the same as knowing it is empty; nothing is formatted or mounted"
    )
    assert (result.code != 0, joined(result)) == (True, False), "another instance tries again"


def test_the_cluster_is_named_in_the_agents_configuration(first: Boot) -> None:
    assert first.file("/etc/ecs/ecs.config") == (
        "ECS_CLUSTER=langfuse-dev-cluster-1a2b3c4\n"
        "ECS_CONTAINER_STOP_TIMEOUT=120s\n"
        "ECS_ENABLE_TASK_IAM_ROLE=true\n"
        "ECS_AWSVPC_BLOCK_IMDS=true\n"
        "ECS_IMAGE_PULL_BEHAVIOR=prefer-cached\n"
    ), "tasks get their own role, and no way to the instance's"


@pytest.mark.parametrize(
    "failing", ["curl", "mkfs.xfs", "mkdir", "chattr", "mount", "chown", "chmod", "systemctl"]
)
def test_when_a_step_fails_the_cluster_is_not_joined_and_the_instance_stops(
    tmp_path: Path, failing: str
) -> None:
    result = boot(tmp_path, {failing: "exit 1"})
    assert not joined(result), "a task would start on an empty folder, and look healthy"
    assert result.calls[-1] == STOP, "the Auto Scaling group then replaces the instance"
    assert result.code != 0, "and cloud-init's log says so"


@pytest.mark.parametrize("blkid", ["exit 2", FORMATTED], ids=["new", "formatted"])
def test_when_the_mount_fails_nothing_is_written_below_the_mount_point(
    tmp_path: Path, blkid: str
) -> None:
    result = boot(tmp_path, {"blkid": blkid, "mount": "exit 32"})
    assert result.calls[-2:] == [f"mount {MOUNT_POINT}", STOP], "the next step is the end"
    assert not (tmp_path / DATA_FOLDER[1:]).exists(), "data there would vanish below a later mount"
    assert not joined(result), "the root volume must never be taken for the data volume"


def test_the_agent_is_not_configured_before_the_volume_is_mounted(first: Boot) -> None:
    assert "joined before the mount" not in first.calls, (
        "the stub of mount looks whether the cluster is already named"
    )
    text = user_data(VALUES)
    assert text.index('\nmount "$mount_point"') < text.index("\nECS_CLUSTER="), "as it is written"


def test_a_volume_that_the_old_instance_still_holds_is_waited_for(tmp_path: Path) -> None:
    busy = 'echo >> "$ROOT/tries"; mapfile -t tries < "$ROOT/tries"; (( ${#tries[@]} > 2 ))'
    result = boot(tmp_path, {"aws": busy, "blkid": FORMATTED})
    assert result.named("aws") == [ATTACH] * 3, "refused twice, then attached"
    assert result.named("sleep") == ["sleep 10"] * 2, "ten seconds between two attempts"
    assert (joined(result), result.named("shutdown")) == (True, []), "patience is not a failure"


def test_a_volume_that_never_comes_ends_the_boot_without_touching_any_disk(tmp_path: Path) -> None:
    result = boot(tmp_path, {"aws": "exit 254"}, device=False)
    assert result.named("seq")[2:] == ["seq 1 60"], "ten minutes to attach"
    assert "attach: gave up\n" in result.log, "the console says what it was"
    assert result.calls[-1] == STOP, "another instance may have more luck"
    touched = {call.split()[0] for call in result.calls} & {"mkfs.xfs", "mount", "chattr"}
    assert (touched, joined(result)) == (set(), False), "there is nothing to format"


def test_a_device_that_appears_late_is_waited_for(tmp_path: Path) -> None:
    result = boot(tmp_path, {"sleep": f'echo > "$ROOT{BY_ID}"'}, device=False)
    assert result.named("sleep") == ["sleep 2"], "udev names the device a moment after it attached"
    assert (result.code, joined(result)) == (0, True), "a moment is not a failure"


def test_the_instance_asks_who_it_is_with_a_session_token(first: Boot) -> None:
    token = (
        "curl -sSf -m 5 -X PUT http://169.254.169.254/latest/api/token "
        "-H X-aws-ec2-metadata-token-ttl-seconds: 300"
    )
    ask = (
        "curl -sSf -m 5 -H X-aws-ec2-metadata-token: TOKEN http://169.254.169.254/latest/meta-data"
    )
    assert first.named("curl") == [
        token,
        f"{ask}/instance-id",
        token,
        f"{ask}/placement/availability-zone",
    ], "the launch template requires IMDSv2; -f makes an HTTP error one of the script's"


def installing(fails: int = 0) -> str:
    """`dnf` that fails so many times, and then installs AWS's CLI."""
    cli = f'#!{BASH}\necho "aws $*" >> "$CALLS"\n{APPEARS}\n'
    return "\n".join(
        (
            'echo >> "$ROOT/tries"; mapfile -t tries < "$ROOT/tries"',
            f"(( ${{#tries[@]}} > {fails} )) || exit 1",
            f"""printf '%s' {shlex.quote(cli)} > "$ROOT/tools/aws" """,
            f'{shutil.which("chmod")} +x "$ROOT/tools/aws"',
        )
    )


def test_a_missing_aws_cli_is_installed_first(tmp_path: Path) -> None:
    result = boot(tmp_path, {"dnf": installing()}, without="aws")
    assert result.named("dnf") == ["dnf install -y awscli-2"], "the AMI is a minimal one"
    assert result.named("timeout") == ["timeout 3m dnf install -y awscli-2"], (
        "dnf itself waits for another's lock for ever"
    )
    assert (result.named("aws"), joined(result)) == ([ATTACH], True), "and it is used at once"


def test_an_installation_that_fails_twice_is_tried_a_third_time(tmp_path: Path) -> None:
    result = boot(tmp_path, {"dnf": installing(fails=2)}, without="aws")
    assert result.named("dnf") == ["dnf install -y awscli-2"] * 3, "a lock, a mirror, a slow NAT"
    assert result.named("sleep") == ["sleep 20"] * 2, "with time for them to end"
    assert "install_cli: attempt 2 of 5 failed\n" in result.log, "and the console says so"
    assert (result.code, joined(result), result.named("shutdown")) == (0, True, [])


@pytest.mark.parametrize("dnf", ["exit 1", ""], ids=["fails", "installs nothing"])
def test_an_installation_that_never_works_ends_the_boot(tmp_path: Path, dnf: str) -> None:
    result = boot(tmp_path, {"dnf": dnf}, without="aws")
    assert result.named("seq") == ["seq 1 5"], "five times at the most"
    assert "install_cli: gave up\n" in result.log
    assert (result.calls[-1], joined(result), result.named("mount")) == (STOP, False, [])


@pytest.mark.parametrize("path", ["api/token", "instance-id", "availability-zone"])
def test_a_metadata_service_that_fails_is_asked_again(tmp_path: Path, path: str) -> None:
    once = f"""if [[ $* == *{path}* && ! -e $ROOT/failed ]]; then echo > "$ROOT/failed"; exit 22; fi
"""
    result = boot(tmp_path, {"curl": once + STUBS["curl"]})
    assert result.named("sleep") == ["sleep 2"], "once more, after two seconds"
    assert (result.named("aws"), joined(result)) == ([ATTACH], True)
    assert "TOKEN" not in result.log, "what is logged holds no credentials"


def test_an_attachment_that_nobody_heard_of_is_used(tmp_path: Path) -> None:
    unheard = f"{APPEARS}; exit 255"
    result = boot(tmp_path, {"aws": unheard}, device=False)
    assert result.named("aws") == [ATTACH], "the device is there, and EC2 would refuse a second one"
    assert (result.code, joined(result)) == (0, True)


def test_an_aws_cli_that_is_there_is_not_installed_again(first: Boot) -> None:
    assert first.named("dnf") == [], "a package mirror that is down must not matter"


def test_the_volume_is_mounted_again_after_a_reboot(first: Boot) -> None:
    assert first.file("/etc/fstab") == f"{BY_ID} {MOUNT_POINT} xfs defaults,noatime 0 2\n", (
        "user data runs once in an instance's life; without nofail a missing volume stops the boot"
    )


def test_a_volume_that_grew_is_used_by_a_timer(first: Boot) -> None:
    service = first.file("/etc/systemd/system/grow-data-volume.service")
    timer = first.file("/etc/systemd/system/grow-data-volume.timer")
    assert f"ExecStart=/usr/sbin/xfs_growfs {MOUNT_POINT}\n" in service, "by its mount point"
    assert "OnUnitActiveSec=1h\n" in timer, "within the hour, without a new instance"


def disk_reports(root: Path, use: str, *, mounted: bool = True) -> tuple[int, list[str]]:
    """Run the installed script on a disk whose use `df` tells; its exit code and AWS's calls."""
    script = (boot(root).root / PROGRAMS / "report-disk-use").read_text(encoding="utf-8")
    stubs = {
        "aws": 'echo "$*" >> "$ROOT/reported"',
        "df": f"[[ $* == '--output=pcent /data' ]] && printf '%s\\n' 'Use%' '{use}'",
        "mountpoint": f"[[ $* == '-q /data' ]] && exit {0 if mounted else 1}",
    }
    for name, body in stubs.items():
        (root / "tools" / name).write_text(f"#!{BASH}\n{body}\n")
        (root / "tools" / name).chmod(0o755)
    for name in ("tail", "tr"):
        (root / "tools" / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    (root / "reported").touch()
    done = subprocess.run(
        [BASH, "-c", script, "report-disk-use", "/data", VOLUME],
        check=False,
        capture_output=True,
        env={"PATH": str(root / "tools"), "ROOT": str(root)},
        timeout=20,
    )
    return done.returncode, (root / "reported").read_text(encoding="utf-8").splitlines()


def test_an_instance_reports_how_full_its_volume_is(tmp_path: Path) -> None:
    assert disk_reports(tmp_path, "  7%") == (
        0,
        [
            "cloudwatch put-metric-data --namespace Langfuse/ClickHouse "
            "--metric-name DiskUsedPercent --unit Percent "
            f"--dimensions VolumeId={VOLUME} --value 7"
        ],
    ), "the volume is what the alarm asks for, and outlives the instance"


def test_nothing_is_reported_of_a_volume_that_is_not_mounted(tmp_path: Path) -> None:
    code, reported = disk_reports(tmp_path, "12%", mounted=False)
    assert (code != 0, reported) == (True, []), (
        "it would be the root volume's use, and silence is an alarm"
    )


def test_the_disk_is_looked_at_every_five_minutes(first: Boot) -> None:
    service = first.file("/etc/systemd/system/report-disk-use.service")
    timer = first.file("/etc/systemd/system/report-disk-use.timer")
    assert f"ExecStart=/usr/local/bin/report-disk-use {MOUNT_POINT} {VOLUME}\n" in service
    assert "Environment=AWS_DEFAULT_REGION=eu-west-1\n" in service, "the CLI has no other source"
    assert "OnUnitActiveSec=5min\n" in timer, "the alarm's period"
    assert "WantedBy=timers.target\n" in timer, "also after a reboot"
    script = first.root / PROGRAMS / "report-disk-use"
    assert os.access(script, os.X_OK), "systemd runs the file itself"


def numbered(number: int) -> tuple[str, str]:
    """The zone and volume of a server."""
    return f"eu-west-1{'abc'[number - 1]}", f"vol-0123456789abcdef{number}"


def in_zone(zone: str) -> dict[str, str]:
    """`curl` on an instance in that zone."""
    return {"curl": STUBS["curl"].replace("eu-west-1b", zone)}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_instance_takes_the_number_and_the_volume_of_its_zone(
    tmp_path: Path, number: int
) -> None:
    zone, volume = numbered(number)
    result = boot(tmp_path, in_zone(zone))
    assert result.named("aws") == [ATTACH.replace(VOLUME, volume)], "a volume cannot leave its zone"
    assert result.named("mkfs.xfs") == [f"mkfs.xfs {BY_ID[:-1]}{number}"], "and no other"
    assert result.file(NUMBER_FILE) == f"{number}\n", "who the container is"
    service = "srv-" + "abc"[number - 1] * 4
    assert f"/register-server {service} {number} " in result.file(UNIT), "how the others find it"
    assert (result.code, joined(result)) == (0, True), "in every zone"


@pytest.mark.parametrize("zone", ["eu-west-1d", "eu-west-1", "eu-west-1ab"])
def test_an_instance_in_a_zone_without_a_volume_does_not_join_the_cluster(
    tmp_path: Path, zone: str
) -> None:
    result = boot(tmp_path, in_zone(zone))
    assert f"no volume in zone {zone}\n" in result.log, "it says why"
    assert result.named("aws") == [], "it takes nobody's volume"
    assert (result.code != 0, joined(result)) == (True, False), "no task may start there"
    assert result.calls[-1] == STOP, "and no money is lost on it"


def test_the_container_may_read_the_number_and_not_write_it(first: Boot) -> None:
    number = first.root / NUMBER_FILE[1:]
    assert (number.stat().st_mode & 0o777, number.parent.stat().st_mode & 0o777) == (
        0o644,
        0o755,
    ), "the server runs as 101, the file is root's"


def test_the_number_is_there_before_a_task_can_start() -> None:
    text = user_data(VALUES)
    assert text.index(f"> {NUMBER_FILE}\n") < text.index("\nECS_CLUSTER="), "the agent comes later"


def test_a_single_server_has_a_number_and_registers_nothing(tmp_path: Path) -> None:
    one = {**VALUES, "volumes": f"eu-west-1b 1 {VOLUME}", "names": ""}
    result = boot(tmp_path, values=one)
    assert (result.file(NUMBER_FILE), joined(result)) == ("1\n", True), "the same script serves it"
    assert result.named("systemctl")[1:-2] == [
        "systemctl enable --now grow-data-volume.timer",
        "systemctl enable --now report-disk-use.timer",
    ], "ECS keeps its name"
    assert not (tmp_path / UNIT[1:]).exists(), "nothing is left behind either"


def test_the_boot_script_is_valid_bash() -> None:
    check = subprocess.run(
        [BASH, "-n"], check=False, input=user_data(VALUES), capture_output=True, text=True
    )
    assert (check.returncode, check.stderr) == (0, ""), (
        "a syntax error shows up on the instance only"
    )


def test_no_placeholder_is_left_and_bashs_own_variables_are() -> None:
    text = user_data(VALUES)
    assert re.findall(r"\$\{[^}]*\}", text) == [
        "${volume/-/}",
        "${BASH_REMATCH[2]}",
        "${reported[$kind]:-}",
    ], "all others were placeholders"
    assert "$$" not in text, "an escaped dollar that is left over would be bash's process ID"
    bashs = set(re.findall(r"\$([a-zA-Z_]+)", text))
    assert bashs == {
        "BASH_COMMAND",
        "LINENO",
        "address",
        "as_event",
        "attempt",
        "booted",
        "device",
        "error",
        "find_address",
        "instance",
        "its_number",
        "its_service",
        "its_volume",
        "its_zone",
        "kind",
        "mount_point",
        "number",
        "operation",
        "outcome",
        "pause",
        "registered",
        "service",
        "signature",
        "tasks",
        "times",
        "token",
        "used",
        "volume",
        "zone",
    }, "these are set by bash or by the script itself"
    for value in VALUES.values():
        assert value in text, f"{value} has to be filled in"


@pytest.mark.parametrize("missing", VALUES)
def test_a_placeholder_without_a_value_is_an_error(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        user_data({key: value for key, value in VALUES.items() if key != missing})


def test_the_boot_script_fits_into_user_data() -> None:
    size = len(user_data(VALUES).encode())
    assert size < 16 * 1024, "EC2 takes 16 KiB before base64"


# --- the script that registers the server


def tasks(*tasks: tuple[str, str, str]) -> str:
    """What the ECS agent tells of tasks, each a status, a container's name and an address.

    https://github.com/aws/amazon-ecs-agent/blob/master/agent/handlers/v1/response.go
    """
    return json.dumps(
        {
            "Tasks": [
                {
                    "Arn": "arn:aws:ecs:eu-west-1:111122223333:task/langfuse/0123",
                    "KnownStatus": status,
                    "Containers": [
                        {
                            "DockerId": "9581",
                            "Name": name,
                            "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [address]}],
                        }
                    ],
                }
                for status, name, address in tasks
            ]
        }
    )


def running(address: str) -> str:
    """What the agent tells when the server runs at that address."""
    return tasks(("RUNNING", "clickhouse", address))


@cache
def registering() -> str:
    """The script that the boot script installs."""
    with TemporaryDirectory() as root:
        boot(Path(root))
        return Path(root, PROGRAMS, "register-server").read_text(encoding="utf-8")


CLOUD_MAP: Final = """case "$*" in
*register-instance*) echo operation-1;;
*get-operation*) printf 'SUCCESS\tNone\tNone\n';;
esac"""
"""`aws` when everything goes well."""


def calls_of(root: Path, answers: Sequence[str], aws: str = CLOUD_MAP) -> list[str]:
    """Run the installed script, one round for each answer of the agent; return AWS's calls."""
    tools = root / "tools"
    tools.mkdir()
    (tools / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    for number, answer in enumerate(answers, start=1):
        (root / f"answer-{number}").write_text(answer)
    next_round = 'echo >> "$ROOT/rounds"; mapfile -t rounds < "$ROOT/rounds"; round=${#rounds[@]}\n'
    stubs = {
        "aws": f'echo "$*" >> "$ROOT/registered"\n{aws}',
        "curl": 'mapfile -t rounds < "$ROOT/rounds"; cat "$ROOT/answer-${#rounds[@]}"\n'
        "[[ -s $ROOT/answer-${#rounds[@]} && $* == *http://localhost:51678/v1/tasks ]]",
        "python3": f'exec {sys.executable} -I -S "$@"',
        "seq": STUBS["seq"],
        "sleep": f"[[ $1 != 2 ]] || exit 0\n[[ $1 == 5 ]] || exit 1\n{next_round}"
        f"(( round <= {len(answers)} ))",
    }
    (root / "registered").touch()
    subprocess.run(
        [BASH, "-c", registering(), "register-server", "srv-bbbb", "2", "logs-of-clickhouse"],
        check=False,
        capture_output=True,
        env={"BASH_ENV": functions(root, stubs), "PATH": str(tools), "ROOT": str(root)},
        timeout=20,
    )
    assert (root / "rounds").read_text() == "\n" * (len(answers) + 1), "no answer ends the script"
    return (root / "registered").read_text(encoding="utf-8").splitlines()


def registrations(root: Path, answers: Sequence[str], aws: str = CLOUD_MAP) -> list[str]:
    """Like `calls_of`; only the calls that register."""
    found = calls_of(root, answers, aws)
    return [call for call in found if call.startswith("servicediscovery register-instance ")]


def reports(calls: Sequence[str]) -> list[str]:
    """What is told in the log group."""
    (put,) = {call.partition(" --log-events ")[0] for call in calls if "put-log-events" in call}
    stream = "--log-group-name logs-of-clickhouse --log-stream-name register-server/2"
    assert put == f"logs put-log-events {stream}", "ClickHouse's own, which operators read"
    assert f"logs create-log-stream {stream}" in calls
    events = [call.partition(" --log-events ")[2] for call in calls if "put-log-events" in call]
    return [json.loads(each)[0]["message"] for each in events]


def registration(address: str) -> str:
    """The call that registers that address."""
    return (
        "servicediscovery register-instance --service-id srv-bbbb --instance-id server "
        f"--attributes AWS_INSTANCE_IPV4={address} --query OperationId --output text"
    )


def test_an_address_is_registered_once(tmp_path: Path) -> None:
    assert registrations(tmp_path, [running("10.0.1.7")] * 4) == [registration("10.0.1.7")], (
        "every five seconds it looks, and calls AWS only when something changed"
    )


def test_a_changed_address_is_followed(tmp_path: Path) -> None:
    found = registrations(
        tmp_path, [running("10.0.1.7"), tasks(), running("10.0.1.9"), running("10.0.1.9")]
    )
    assert found == [registration("10.0.1.7"), registration("10.0.1.9")], (
        "each task has an address of its own; between two the old one stays"
    )


def test_a_registration_that_failed_is_tried_again(tmp_path: Path) -> None:
    busy = f"""[[ $* != *register-instance* ]] || echo >> "$ROOT/tries"
mapfile -t tries < "$ROOT/tries"; (( ${{#tries[@]}} > 2 )) || exit 254
{CLOUD_MAP}"""
    assert registrations(tmp_path, [running("10.0.1.7")] * 5, busy) == (
        [registration("10.0.1.7")] * 3
    ), "refused twice, then accepted, then left alone"


DENIED: Final = "An error occurred (AccessDeniedException) when calling RegisterInstance"
REFUSED: Final = f"""[[ $* != logs* ]] || exit 0
echo >> "$ROOT/tries"; mapfile -t tries < "$ROOT/tries"
echo "{DENIED}: no. ${{#tries[@]}}" >&2; exit 254"""


def test_a_registration_that_is_refused_is_told_once_in_clickhouses_log_group(
    tmp_path: Path,
) -> None:
    calls = calls_of(tmp_path, [running("10.0.1.7")] * 4, REFUSED)
    assert reports(calls) == [
        f"server 2 is not registered at 10.0.1.7, so the others do not find it: {DENIED}: no. 1"
    ], "it is tried every five seconds, and its words differ; one line is enough"
    assert len([call for call in calls if "register-instance" in call]) == 4, "and it goes on"


def test_another_kind_of_refusal_is_told_as_well(tmp_path: Path) -> None:
    throttled = (
        '(( ${#tries[@]} != 3 )) || { echo "(ThrottlingException)" >&2; exit 254; }\necho "An'
    )
    calls = calls_of(tmp_path, [running("10.0.1.7")] * 5, REFUSED.replace('echo "An', throttled))
    kinds = [each.rpartition("(")[2].partition(")")[0] for each in reports(calls)]
    assert kinds == ["AccessDeniedException", "ThrottlingException"], "each once"


def test_a_record_that_cloud_map_failed_to_write_is_told_and_tried_again(tmp_path: Path) -> None:
    failing = CLOUD_MAP.replace("SUCCESS", "FAIL").replace("None", "ACCESS_DENIED")
    calls = calls_of(tmp_path, [running("10.0.1.7")] * 3, failing)
    assert len([call for call in calls if "register-instance" in call]) == 3, (
        "Cloud Map accepts first; what it accepted is not yet there"
    )
    (told,) = reports(calls)
    assert told.endswith("Cloud Map failed: FAIL\tACCESS_DENIED\tACCESS_DENIED"), "with its reason"


def test_a_registration_that_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    slow = f"""if [[ $* == *get-operation* ]]; then
  echo >> "$ROOT/asked"; mapfile -t asked < "$ROOT/asked"
  (( ${{#asked[@]}} > 2 )) || {{ echo PENDING; exit 0; }}
fi
{CLOUD_MAP}"""
    calls = calls_of(tmp_path, [running("10.0.1.7")] * 3, slow)
    assert [call.split()[1] for call in calls] == ["register-instance", *["get-operation"] * 3]


def test_a_registration_that_never_ends_is_told(tmp_path: Path) -> None:
    calls = calls_of(tmp_path, [running("10.0.1.7")] * 2, CLOUD_MAP.replace("SUCCESS", "PENDING"))
    (told,) = reports(calls)
    assert told.endswith("Cloud Map has not finished operation-1"), "and tried again"


def test_a_report_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    silent = f"""if [[ $* == *put-log-events* && ! -e $ROOT/once ]]; then
  echo > "$ROOT/once"; exit 254
fi
{REFUSED}"""
    calls = calls_of(tmp_path, [running("10.0.1.7")] * 4, silent)
    assert len([call for call in calls if "put-log-events" in call]) == 2, "refused, then accepted"


@pytest.mark.parametrize(
    "nothing",
    [
        "",
        "<html>",
        "{}",
        tasks(),
        tasks(("STOPPED", "clickhouse", "10.0.1.7")),
        tasks(("PENDING", "clickhouse", "10.0.1.7")),
        tasks(("RUNNING", "backup", "10.0.1.7")),
    ],
    ids=["no agent", "no JSON", "no list", "no task", "stopped", "pending", "another container"],
)
def test_only_a_running_server_is_registered(tmp_path: Path, nothing: str) -> None:
    found = registrations(tmp_path, [nothing, running("10.0.1.9")])
    assert found == [registration("10.0.1.9")], "the script waits for it"


def test_a_server_is_found_beside_other_tasks(tmp_path: Path) -> None:
    both = tasks(
        ("STOPPED", "clickhouse", "10.0.1.7"),
        ("RUNNING", "clickhouse", "10.0.1.8"),
        ("RUNNING", "backup", "10.0.1.9"),
    )
    assert registrations(tmp_path, [both]) == [registration("10.0.1.8")], (
        "the agent remembers stopped tasks for hours"
    )


def test_the_script_is_started_with_its_service_and_for_ever(first: Boot) -> None:
    unit = first.file(UNIT)
    start = f"/usr/local/bin/register-server srv-bbbb 2 {VALUES['log_group']}"
    assert f"ExecStart={start}\n" in unit, "the name of server 2, and where it says it has none"
    assert "Environment=AWS_DEFAULT_REGION=eu-west-1\n" in unit, "the CLI has no other source"
    assert "Restart=always\n" in unit, "without its name a restarted server finds no quorum"
    assert "RuntimeMaxSec=15min\n" in unit, "somebody may have taken the name away"
    assert "WantedBy=multi-user.target\n" in unit, "also after a reboot"
    script = first.root / PROGRAMS / "register-server"
    assert os.access(script, os.X_OK), "systemd runs the file itself"
    assert script.read_text(encoding="utf-8").startswith("#!/bin/bash\n"), "by bash"


# --- the server's configuration


def config(servers: Sequence[str] = (), backup_url: str | None = None) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(server_config(servers, backup_url)))


@pytest.mark.parametrize("servers", [(), SERVERS[:1], SERVERS])
@pytest.mark.parametrize("backup_url", [None, BACKUPS])
def test_the_configuration_is_canonical_json_and_so_yaml_too(
    servers: Sequence[str], backup_url: str | None
) -> None:
    text = server_config(servers, backup_url)
    assert text == json.dumps(json.loads(text), sort_keys=True), "the same text in every run"
    assert yaml.safe_load(text) == json.loads(text), "ClickHouse reads it as a .yaml file"
    assert CONFIG_FILE.endswith(".yaml"), "by the file's name ClickHouse chooses the parser"


def test_the_server_thinks_in_utc() -> None:
    assert config()["timezone"] == "UTC", "Langfuse's queries assume it"


def test_the_server_leaves_memory_to_the_agent_and_the_system() -> None:
    assert config()["max_server_memory_usage_to_ram_ratio"] == 0.8, (
        "at 1 the kernel kills the server before the server refuses a query"
    )


# Sections of the image's config.xml, ClickHouse 25.12, that make a table of the server's own.
# https://github.com/ClickHouse/ClickHouse/blob/v25.12.11.4-stable/programs/server/config.xml
IMAGE_LOGS: Final = (
    *("aggregated_zookeeper_log", "asynchronous_insert_log", "asynchronous_metric_log"),
    *("background_schedule_pool_log", "backup_log", "blob_storage_log", "crash_log", "error_log"),
    *("latency_log", "metric_log", "opentelemetry_span_log", "part_log", "processors_profile_log"),
    *("query_log", "query_metric_log", "query_thread_log", "query_views_log", "s3queue_log"),
    *("text_log", "trace_log", "zookeeper_connection_log"),
)


@pytest.mark.parametrize("name", IMAGE_LOGS)
def test_a_log_table_of_the_image_is_off_or_has_an_end(name: str) -> None:
    section = config().get(name, {"ttl": "none"})
    assert section == {"@remove": "1"} or re.fullmatch(
        r"event_date \+ INTERVAL [1-9]\d* DAY DELETE", section["ttl"]
    ), "ClickHouse's way to delete an element of a default; what has no end fills the disk"


def test_a_section_that_goes_is_one_of_a_table_that_clickhouse_has() -> None:
    """A misspelt one would go, and its table stay; no server says so."""
    gone = [name for name, section in config().items() if section == {"@remove": "1"}]
    assert len(gone) > 20
    assert [name for name in gone if not re.fullmatch(r"[a-z0-9_]+_(log|queue)", name)] == []


def test_what_helps_at_night_is_kept() -> None:
    kept = {name: section for name, section in config().items() if name.endswith("_log")}
    kept = {name: section for name, section in kept.items() if "ttl" in section}
    assert kept == {
        name: {"ttl": f"event_date + INTERVAL {days} DAY DELETE"}
        for name, days in {
            "backup_log": 7,
            "crash_log": 7,
            "error_log": 7,
            "part_log": 7,
            "query_log": 15,
        }.items()
    }, "and nothing is made that the image does not have: a section is what makes a table"


def test_queries_are_remembered_for_as_long_as_langfuse_looks_back() -> None:
    # packages/shared/src/server/v4/legacyApiUsage.ts, Langfuse 4.16.0: 14 times 24 hours.
    assert KEPT_LOG_TABLES["query_log"] > 14, (
        "the day 14 days ago has to be whole, and a TTL of 14 takes it at midnight"
    )


def test_the_log_goes_to_the_console_alone() -> None:
    assert config()["logger"] == {
        "level": "information",
        "console": 1,
        "log": {"@remove": "1"},
        "errorlog": {"@remove": "1"},
    }, "to CloudWatch by the console, and not onto the data volume's neighbour as well"


def test_settings_have_the_defaults_of_the_release_that_langfuse_was_tried_on() -> None:
    assert json.loads(profile_config()) == {
        "profiles": {"default": {"compatibility": CLICKHOUSE_COMPATIBILITY}}
    }, "the image gives Langfuse's user the profile default"
    major, minor = (int(part) for part in CLICKHOUSE_COMPATIBILITY.split("."))
    assert (major, minor) < (26, 8), "from there on times as bare integers are read as seconds"
    assert PROFILE_FILE.startswith("/etc/clickhouse-server/users.d/"), (
        "profiles in config.d are ignored without a word"
    )
    assert PROFILE_FILE.endswith(".yaml"), "by the file's name ClickHouse chooses the parser"


# --- the configuration of several servers


def test_one_server_is_no_cluster() -> None:
    assert config(SERVERS[:1]) == config(), "as it was before there were clusters"
    assert {"keeper_server", "macros", "remote_servers", "zookeeper"} & set(config()) == set(), (
        "a Keeper would be a second thing to fail"
    )


def test_a_cluster_adds_to_the_configuration_and_changes_nothing_of_it() -> None:
    added = {key for key in config(SERVERS) if key not in config()}
    assert added == {
        "distributed_ddl",
        "interserver_http_credentials",
        "interserver_http_host",
        "interserver_http_port",
        "keeper_server",
        "macros",
        "remote_servers",
        "zookeeper",
    }
    assert {key: config(SERVERS)[key] for key in config()} == config(), "logs, memory, time zone"


def test_the_cluster_is_one_shard_on_all_servers() -> None:
    assert config(SERVERS)["remote_servers"] == {
        "@replace": "1",
        "default": {
            "secret": {"@from_env": INTERSERVER_VARIABLE},
            "shard": {
                "internal_replication": True,
                "replica": [{"host": server, "port": 9000} for server in SERVERS],
            },
        },
    }, "Langfuse's migrations name the cluster `default`, and allow one shard"


def test_each_keeper_has_the_number_of_its_server() -> None:
    keeper = config(SERVERS)["keeper_server"]
    assert keeper["server_id"] == {"@from_env": NUMBER_VARIABLE}, "one text for all servers"
    assert keeper["raft_configuration"]["server"] == [
        {"id": 1, "hostname": SERVERS[0], "port": 9234},
        {"id": 2, "hostname": SERVERS[1], "port": 9234},
        {"id": 3, "hostname": SERVERS[2], "port": 9234},
    ], "a Keeper under another's number would lose what was agreed"


def test_servers_ask_the_keepers_at_their_port() -> None:
    found = config(SERVERS)
    assert found["zookeeper"]["node"] == [{"host": server, "port": 9181} for server in SERVERS], (
        "any of them, so that one may be gone"
    )
    assert found["keeper_server"]["tcp_port"] == 9181, "where they listen"
    assert found["interserver_http_port"] == 9009, "for parts"
    assert (KEEPER_PORT, RAFT_PORT, INTERSERVER_PORT) == (9181, 9234, 9009), "for security groups"


def test_what_keepers_agreed_on_outlives_the_instance() -> None:
    keeper = config(SERVERS)["keeper_server"]
    for key in ("log_storage_path", "snapshot_storage_path"):
        assert keeper[key].startswith("/var/lib/clickhouse/coordination/"), "on the data volume"
    assert keeper["log_storage_path"] != keeper["snapshot_storage_path"], "each its own folder"


def test_a_keeper_waits_for_the_others() -> None:
    assert config(SERVERS)["keeper_server"]["coordination_settings"] == {
        "operation_timeout_ms": 10_000,
        "session_timeout_ms": 30_000,
        "startup_timeout": 600_000,
        "raft_logs_level": "information",
    }, "instances come up minutes apart"


def test_a_server_goes_by_its_own_name() -> None:
    found, name = config(SERVERS), {"@from_env": NAME_VARIABLE}
    assert found["macros"] == {"cluster": "default", "shard": "1", "replica": name}, (
        "Replicated tables are named by them"
    )
    assert found["interserver_http_host"] == name, "the task's host name says nothing to others"
    assert found["distributed_ddl"] == {"path": "/clickhouse/task_queue/ddl", "host_name": name}, (
        "so it finds its tasks, also while DNS lags"
    )


def test_no_secret_is_in_the_text() -> None:
    found = config(SERVERS)
    assert found["interserver_http_credentials"] == {
        "user": "interserver",
        "password": {"@from_env": INTERSERVER_VARIABLE},
    }, "the text is in the task definition for all to read"
    words = {"password", "secret"}
    plain = [line for line in leaves(found) if words & set(line[:-1]) and line[-2] != "@from_env"]
    assert plain == [], "secrets come by environment variables"


def leaves(tree: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every value of a tree, as the path to it and the value."""
    if isinstance(tree, dict):
        branches = cast("dict[str, object]", tree).items()
        return [leaf for key, value in branches for leaf in leaves(value, (*path, key))]
    if isinstance(tree, list):
        return [leaf for value in cast("list[object]", tree) for leaf in leaves(value, path)]
    return [(*path, str(tree))]


@pytest.mark.parametrize("servers", [(), SERVERS])
def test_backups_use_the_task_roles_credentials(servers: Sequence[str]) -> None:
    found = config(servers, BACKUPS)
    assert found["s3"] == {"backups": {"endpoint": BACKUPS, "use_environment_credentials": True}}, (
        "below this address, and no key anywhere"
    )
    assert found["backups"] == {"allow_concurrent_backups": False}, "one slow backup at a time"
    assert {key: value for key, value in found.items() if key not in ("s3", "backups")} == (
        config(servers)
    ), "nothing else changes"


# --- the start command


def start(
    root: Path,
    value: str,
    folder: bool = True,
    *,
    servers: Sequence[str] = (),
    number: str | None = None,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the container's command with its configuration in `value` and `number` in its file.

    `value` is the profile's configuration too.
    """
    values = {CONFIG_VARIABLE: value, PROFILE_VARIABLE: value}
    entrypoint = root / "entrypoint.sh"
    entrypoint.write_text(f"#!{BASH}\necho server ${NUMBER_VARIABLE} ${NAME_VARIABLE}\n")
    entrypoint.chmod(0o755)
    number_file = root / NUMBER_FILE[1:]
    targets = {file: root / file[1:] for file in (CONFIG_FILE, PROFILE_FILE)}
    if folder:
        for target in targets.values():
            target.parent.mkdir(parents=True)
    if number is not None:
        number_file.parent.mkdir(parents=True)
        number_file.write_text(number)
    *shell, text = start_command(servers)
    for file, target in targets.items():
        text = text.replace(file, str(target))
    text = text.replace("/entrypoint.sh", str(entrypoint))
    return subprocess.run(
        [*shell, text.replace(NUMBER_FILE, str(number_file))],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, **(values if value else {}), **(more or {})},
    )


SECRET: Final[Mapping[str, str]] = {INTERSERVER_VARIABLE: "0123456789abcdef"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_server_starts_under_the_name_of_its_number(tmp_path: Path, number: int) -> None:
    run = start(tmp_path, "{}", servers=SERVERS, number=f"{number}\n", more=SECRET)
    assert run.stdout == f"server {number} {SERVERS[number - 1]}\n", "both reach the server"
    assert (run.returncode, (tmp_path / CONFIG_FILE[1:]).read_text()) == (0, "{}"), "configured"


@pytest.mark.parametrize("number", [None, "", "\n", "0", "4", "01", "12", "1 2", "one", "*", "-1"])
def test_a_server_that_does_not_know_its_number_does_not_start(
    tmp_path: Path, number: str | None
) -> None:
    run = start(tmp_path, "{}", servers=SERVERS, number=number, more=SECRET)
    assert (run.returncode != 0, run.stdout) == (True, ""), "it would be a second server 1"
    assert NUMBER_FILE in run.stderr, "and the log names the file"


@pytest.mark.parametrize("more", [{}, {INTERSERVER_VARIABLE: ""}], ids=["unset", "empty"])
def test_a_server_of_a_cluster_does_not_start_without_the_shared_secret(
    tmp_path: Path, more: Mapping[str, str]
) -> None:
    run = start(tmp_path, "{}", servers=SERVERS, number="1", more=more)
    assert (run.returncode != 0, run.stdout) == (True, ""), "ClickHouse would only warn"
    assert INTERSERVER_VARIABLE in run.stderr, "and the log names the variable"


@pytest.mark.parametrize("servers", [(), SERVERS[:1]])
def test_a_single_server_needs_no_number(tmp_path: Path, servers: Sequence[str]) -> None:
    run = start(tmp_path, "{}", servers=servers)
    assert (run.returncode, run.stdout) == (0, "server\n"), "nor a secret"


@pytest.mark.parametrize(
    "value",
    [
        server_config([], None),
        server_config(SERVERS, BACKUPS),
        '{"a": "%s \\\\n $HOME `id` \'quoted\'"}',
    ],
    ids=["one", "three", "awkward"],
)
def test_the_server_starts_with_exactly_the_configuration_of_its_variable(
    tmp_path: Path, value: str
) -> None:
    run = start(tmp_path, value)
    for file in (CONFIG_FILE, PROFILE_FILE):
        assert (tmp_path / file[1:]).read_text(encoding="utf-8") == value, "byte for byte"
    assert (run.returncode, run.stdout) == (0, "server\n"), "then as the image does"


@pytest.mark.parametrize(("value", "folder"), [("", True), ("{}", False)])
def test_the_server_does_not_start_without_its_configuration(
    tmp_path: Path, value: str, folder: bool
) -> None:
    run = start(tmp_path, value, folder)
    assert run.returncode != 0, "an unset variable, or a folder that is not there"
    assert run.stdout == "", "on defaults it would take all of the memory"


@pytest.mark.parametrize("servers", [(), SERVERS])
def test_the_shell_gives_way_to_the_server(servers: Sequence[str]) -> None:
    assert start_command(servers)[-1].endswith("&& exec /entrypoint.sh"), (
        "without exec the shell would keep SIGTERM to itself, and the server would be killed"
    )
    assert start_command(servers)[:2] == ["/bin/bash", "-euc"], (
        "the image has bash; -eu stops at an error"
    )
