"""ClickHouse's configuration, its start command and the instance's boot script.

The boot script and the start command are run for real, by bash, in a temporary folder, with stubs
for everything that would touch a machine: AWS's CLI, the metadata service, disks, systemd. Proves
what they do, in which order, and what they leave undone when a step fails. It does not prove that
Amazon Linux's own tools behave as the stubs do, nor that ClickHouse understands the configuration.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml

from components.clickhouse_config import (
    CONFIG_FILE,
    CONFIG_VARIABLE,
    server_config,
    start_command,
    user_data,
)
from components.clickhouse_host import DATA_FOLDER, DEVICE, MOUNT_POINT

VOLUME: Final = "vol-0123456789abcdef0"
BY_ID: Final = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"
VALUES: Final[Mapping[str, str]] = {
    "region": "eu-west-1",
    "cluster": "langfuse-dev-cluster-1a2b3c4",
    "volume_id": VOLUME,
    "device": DEVICE,
    "mount_point": MOUNT_POINT,
}

BASH: Final = "/bin/bash"

# What each stub does once it has noted its call. $ROOT is the temporary folder.
STUBS: Final[Mapping[str, str]] = {
    "aws": "",
    "blkid": "exit 2",
    "chattr": "",
    "chown": "",
    "curl": 'case "$*" in *api/token*) echo TOKEN;; *) echo i-0123456789abcdef0;; esac',
    "dnf": "",
    "mkdir": 'exec "$MKDIR" "$@"',
    "mkfs.xfs": "",
    "mount": '[[ ! -e $ROOT/etc/ecs/ecs.config ]] || echo "joined before the mount" >> "$CALLS"',
    "seq": "printf '%s\\n' 1 2 3",
    "shutdown": "",
    "sleep": "",
    "systemctl": "",
}


@dataclass(frozen=True)
class Boot:
    """What a run of the boot script left behind."""

    code: int
    calls: list[str]
    """Commands in order, with their arguments, as if the folder were the root."""
    joined: bool
    """Whether the ECS agent would join the cluster."""
    root: Path

    def file(self, path: str) -> str:
        """A file, as if the folder were the root."""
        return (
            (self.root / path.lstrip("/")).read_text(encoding="utf-8").replace(str(self.root), "")
        )

    def named(self, command: str) -> list[str]:
        """Calls of one command."""
        return [call for call in self.calls if call.split()[0] == command]


def boot(
    root: Path,
    behaviours: Mapping[str, str] | None = None,
    *,
    without: str = "",
    device: bool = True,
) -> Boot:
    """Run the boot script in `root`, with other behaviours of some stubs."""
    tools, calls = root / "tools", root / "calls"
    for folder in (tools, root / "etc/ecs", root / "etc/systemd/system", (root / BY_ID[1:]).parent):
        folder.mkdir(parents=True)
    for name, body in {**STUBS, **(behaviours or {})}.items():
        if name != without:
            stub = tools / name
            stub.write_text(f'#!{BASH}\necho "${{0##*/}} $*" >> "$CALLS"\n{body}\n')
            stub.chmod(0o755)
    (tools / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    calls.touch()
    if device:
        (root / BY_ID[1:]).touch()
    mount_point = f"{root}{MOUNT_POINT}"
    text = user_data({**VALUES, "mount_point": mount_point})
    # A file stands for the device; only its kind differs.
    text = text.replace("[[ -b ", "[[ -e ")
    for folder in ("/etc/", "/dev/disk/"):
        text = text.replace(folder, f"{root}{folder}")
    run = subprocess.run(
        [BASH, "-c", text],
        check=False,
        capture_output=True,
        cwd=root,
        env={
            "CALLS": str(calls),
            "MKDIR": shutil.which("mkdir") or "/bin/mkdir",
            "PATH": str(tools),
            "ROOT": str(root),
        },
        timeout=20,
    )
    return Boot(
        code=run.returncode,
        calls=calls.read_text(encoding="utf-8").replace(str(root), "").splitlines(),
        joined=(root / "etc/ecs/ecs.config").exists(),
        root=root,
    )


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


def test_a_new_volume_is_formatted_mounted_and_only_then_offered_to_the_cluster(
    first: Boot,
) -> None:
    ours = [call for call in first.calls if call.split()[0] not in ("curl", "seq")]
    assert ours == [
        ATTACH,
        f"blkid -p {BY_ID}",
        f"mkfs.xfs {BY_ID}",
        f"mkdir -p {MOUNT_POINT}",
        f"chattr +i {MOUNT_POINT}",
        f"mount {MOUNT_POINT}",
        f"mkdir -p {DATA_FOLDER}",
        f"chown 101:101 {DATA_FOLDER}",
        "systemctl enable --now grow-data-volume.timer",
    ], "attach, format, seal the mount point, mount, hand over to ClickHouse's user 101"
    assert (first.code, first.joined) == (0, True), "the agent may start"


def test_a_volume_with_a_file_system_is_mounted_and_never_formatted(tmp_path: Path) -> None:
    result = boot(tmp_path, {"blkid": FORMATTED})
    assert result.named("mkfs.xfs") == [], "the data of years is on it"
    assert result.named("mount") == [f"mount {MOUNT_POINT}"], "it is used as it is"
    assert (result.code, result.joined) == (0, True), "the replaced instance takes over"


def test_a_volume_is_formatted_once_and_without_force(first: Boot) -> None:
    assert first.named("mkfs.xfs") == [f"mkfs.xfs {BY_ID}"], (
        "without -f mkfs refuses by itself to overwrite what it recognises"
    )


# https://man7.org/linux/man-pages/man8/blkid.8.html: 4 is an error, 8 more than one signature.
@pytest.mark.parametrize("code", [1, 4, 8, 127])
def test_a_volume_that_could_not_be_examined_is_not_formatted(tmp_path: Path, code: int) -> None:
    result = boot(tmp_path, {"blkid": f"exit {code}"})
    assert result.calls[-2:] == [f"blkid -p {BY_ID}", "shutdown -h +1"], (
        "not knowing is not the same as knowing it is empty; nothing is formatted or mounted"
    )
    assert (result.code != 0, result.joined) == (True, False), "another instance tries again"


def test_the_cluster_is_named_in_the_agents_configuration(first: Boot) -> None:
    assert first.file("/etc/ecs/ecs.config") == (
        "ECS_CLUSTER=langfuse-dev-cluster-1a2b3c4\n"
        "ECS_CONTAINER_STOP_TIMEOUT=120s\n"
        "ECS_ENABLE_TASK_IAM_ROLE=true\n"
        "ECS_AWSVPC_BLOCK_IMDS=true\n"
        "ECS_IMAGE_PULL_BEHAVIOR=prefer-cached\n"
    ), "tasks get their own role, and no way to the instance's"


@pytest.mark.parametrize(
    "failing", ["curl", "mkfs.xfs", "mkdir", "chattr", "mount", "chown", "systemctl"]
)
def test_when_a_step_fails_the_cluster_is_not_joined_and_the_instance_stops(
    tmp_path: Path, failing: str
) -> None:
    result = boot(tmp_path, {failing: "exit 1"})
    assert not result.joined, "a task would start on an empty folder, and look healthy"
    assert result.calls[-1] == "shutdown -h +1", "the Auto Scaling group then replaces the instance"
    assert result.code != 0, "and cloud-init's log says so"


@pytest.mark.parametrize("blkid", ["exit 2", FORMATTED], ids=["new", "formatted"])
def test_when_the_mount_fails_nothing_is_written_below_the_mount_point(
    tmp_path: Path, blkid: str
) -> None:
    result = boot(tmp_path, {"blkid": blkid, "mount": "exit 32"})
    assert result.calls[-2:] == [f"mount {MOUNT_POINT}", "shutdown -h +1"], (
        "the next step is the end"
    )
    assert not (tmp_path / DATA_FOLDER[1:]).exists(), "data there would vanish below a later mount"
    assert not result.joined, "the root volume must never be taken for the data volume"


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
    assert (result.joined, result.named("shutdown")) == (True, []), "patience is not a failure"


def test_a_volume_that_never_comes_ends_the_boot_without_touching_any_disk(tmp_path: Path) -> None:
    result = boot(tmp_path, {"aws": "exit 254"}, device=False)
    assert result.named("seq") == ["seq 1 60"] * 2, "ten minutes to attach, two to appear"
    assert result.calls[-1] == "shutdown -h +1", "another instance may have more luck"
    touched = {call.split()[0] for call in result.calls} & {"mkfs.xfs", "mount", "chattr"}
    assert (touched, result.joined) == (set(), False), "there is nothing to format"


def test_a_device_that_appears_late_is_waited_for(tmp_path: Path) -> None:
    result = boot(tmp_path, {"sleep": f'echo > "$ROOT{BY_ID}"'}, device=False)
    assert result.named("sleep") == ["sleep 2"], "udev names the device a moment after it attached"
    assert (result.code, result.joined) == (0, True), "a moment is not a failure"


def test_the_instance_asks_who_it_is_with_a_session_token(first: Boot) -> None:
    assert first.named("curl") == [
        "curl -sSf -X PUT http://169.254.169.254/latest/api/token "
        "-H X-aws-ec2-metadata-token-ttl-seconds: 300",
        "curl -sSf -H X-aws-ec2-metadata-token: TOKEN "
        "http://169.254.169.254/latest/meta-data/instance-id",
    ], "the launch template requires IMDSv2; -f makes an HTTP error one of the script's"


def test_a_missing_aws_cli_is_installed_first(tmp_path: Path) -> None:
    write = f'printf \'#!{BASH}\\necho "aws $*" >> "$CALLS"\\n\' > "$ROOT/tools/aws"'
    install = f'{write}; {shutil.which("chmod")} +x "$ROOT/tools/aws"'
    result = boot(tmp_path, {"dnf": install}, without="aws")
    assert result.calls[0] == "dnf install -y awscli-2", "minimal AMIs come without it"
    assert (result.named("aws"), result.joined) == ([ATTACH], True), "and it is used at once"


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


def test_the_boot_script_is_valid_bash() -> None:
    check = subprocess.run(
        [BASH, "-n"], check=False, input=user_data(VALUES), capture_output=True, text=True
    )
    assert (check.returncode, check.stderr) == (0, ""), (
        "a syntax error shows up on the instance only"
    )


def test_no_placeholder_is_left_and_bashs_own_variables_are() -> None:
    text = user_data(VALUES)
    assert re.findall(r"\$\{[^}]*\}", text) == ["${volume/-/}"], "all others were placeholders"
    assert "$$" not in text, "an escaped dollar that is left over would be bash's process ID"
    bashs = set(re.findall(r"\$([a-zA-Z_]+)", text))
    assert bashs == {
        "LINENO",
        "attempt",
        "device",
        "instance",
        "mount_point",
        "signature",
        "token",
        "volume",
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


# --- the server's configuration


def config() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(server_config()))


def test_the_configuration_is_canonical_json_and_so_yaml_too() -> None:
    text = server_config()
    assert text == json.dumps(json.loads(text), sort_keys=True), "the same text in every run"
    assert yaml.safe_load(text) == json.loads(text), "ClickHouse reads it as a .yaml file"
    assert CONFIG_FILE.endswith(".yaml"), "by the file's name ClickHouse chooses the parser"


def test_the_server_thinks_in_utc() -> None:
    assert config()["timezone"] == "UTC", "Langfuse's queries assume it"


def test_the_server_leaves_memory_to_the_agent_and_the_system() -> None:
    assert config()["max_server_memory_usage_to_ram_ratio"] == 0.8, (
        "at 1 the kernel kills the server before the server refuses a query"
    )


@pytest.mark.parametrize(
    "name",
    [
        "asynchronous_metric_log",
        "latency_log",
        "metric_log",
        "opentelemetry_span_log",
        "processors_profile_log",
        "query_metric_log",
        "query_thread_log",
        "text_log",
        "trace_log",
    ],
)
def test_a_log_table_that_fills_the_disk_is_removed(name: str) -> None:
    assert config()[name] == {"@remove": "1"}, "ClickHouse's way to delete an element of a default"


def test_nothing_else_of_the_defaults_is_removed_but_the_log_files() -> None:
    found = config()
    assert {"error_log", "crash_log"} & set(found) == set()
    for kept in ("query_log", "part_log"):
        assert found[kept] == {"ttl": "event_date + INTERVAL 7 DAY DELETE"}, (
            "without it nobody can tell what was slow; without an end it fills the disk"
        )
    assert found["logger"] == {
        "level": "information",
        "console": 1,
        "log": {"@remove": "1"},
        "errorlog": {"@remove": "1"},
    }, "to CloudWatch by the console, and not onto the data volume's neighbour as well"


# --- the start command


def start(root: Path, value: str, folder: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the container's command with its configuration in `value`."""
    entrypoint = root / "entrypoint.sh"
    entrypoint.write_text(f"#!{BASH}\necho server\n")
    entrypoint.chmod(0o755)
    target = root / CONFIG_FILE[1:]
    if folder:
        target.parent.mkdir(parents=True)
    *shell, text = start_command()
    text = text.replace(CONFIG_FILE, str(target)).replace("/entrypoint.sh", str(entrypoint))
    return subprocess.run(
        [*shell, text],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, **({CONFIG_VARIABLE: value} if value else {})},
    )


@pytest.mark.parametrize(
    "value", [server_config(), '{"a": "%s \\\\n $HOME `id` \'quoted\'"}'], ids=["ours", "awkward"]
)
def test_the_server_starts_with_exactly_the_configuration_of_its_variable(
    tmp_path: Path, value: str
) -> None:
    run = start(tmp_path, value)
    assert (tmp_path / CONFIG_FILE[1:]).read_text(encoding="utf-8") == value, "byte for byte"
    assert (run.returncode, run.stdout) == (0, "server\n"), "then as the image does"


@pytest.mark.parametrize(("value", "folder"), [("", True), ("{}", False)])
def test_the_server_does_not_start_without_its_configuration(
    tmp_path: Path, value: str, folder: bool
) -> None:
    run = start(tmp_path, value, folder)
    assert run.returncode != 0, "an unset variable, or a folder that is not there"
    assert run.stdout == "", "on defaults it would take all of the memory"


def test_the_shell_gives_way_to_the_server() -> None:
    assert start_command()[-1].endswith("&& exec /entrypoint.sh"), (
        "without exec the shell would keep SIGTERM to itself, and the server would be killed"
    )
    assert start_command()[:2] == ["/bin/bash", "-euc"], "the image has bash; -eu stops at an error"
