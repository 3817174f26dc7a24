"""`images mirror` and `images lock` between two real registries, with the real skopeo.

It proves that whole images arrive with their bytes, that a run goes on after an interruption in the
middle of a layer, and that nothing is believed but the digests of what the registries answer. The
registries are Debian's docker-registry on loopback. ECR, Docker Hub and GHCR were not there, and
neither the repositories nor the token come from AWS here.
"""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.command_line import images
from langfuse_aws.settings.image_lock import LockedImage, read_lock, write_lock
from tests.registry.mirror_command import put
from tests.registry.programs import (
    LOGIN,
    Gate,
    Registry,
    kill,
    only,
    processes_with,
    wait_until,
)
from tests.registry.published import Pushed, digest_of

ROOT = Path(__file__).parents[2]
TAG = "3.200.1"
WEB, WORKER = "langfuse/langfuse", "langfuse/langfuse-worker"
COPIES = {WEB: "langfuse-dev/langfuse", WORKER: "langfuse-dev/langfuse-worker"}
BOTH = ("amd64", "arm64")


class Command:
    """The command with the registries of a test."""

    def __init__(self, folder: Path, source: str, destination: Registry) -> None:
        self.lock = folder / "images.lock.json"
        self.references = {each: f"{source}/{each}:{TAG}" for each in (WEB, WORKER)}
        (folder / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
        (folder / "Pulumi.dev.yaml").write_text(
            "config:\n  aws:region: eu-west-1\n  langfuse:size: dev\n"
            "  langfuse:images:\n    source: mirror\n"
        )
        self._options = ["--stack", "dev", "--dir", str(folder)]
        self._given = folder / "given.json"
        self.given: dict[str, Any] = {
            "images": [
                {"name": name, "reference": self.references[each]}
                for name, each in (("web", WEB), ("worker", WORKER))
            ],
            "host": destination.host,
            "prefix": "langfuse-dev",
            "login": [LOGIN.username, LOGIN.password],
            "lock": str(self.lock),
        }

    def run(self, name: str = "mirror", *options: str) -> Any:
        """Run it in this process."""
        with pytest.MonkeyPatch.context() as patch:
            put(patch, self.given)
            result = CliRunner().invoke(images, [name, *self._options, *options])
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            result.exception
        )
        assert LOGIN.password not in result.output
        assert LOGIN.encoded not in result.output
        return result

    def start(self) -> subprocess.Popen[str]:
        """Run it in a process of its own."""
        self._given.write_text(json.dumps({**self.given, "arguments": ["mirror", *self._options]}))
        return subprocess.Popen(
            [sys.executable, "-m", "tests.registry.mirror_command", str(self._given)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def locked(self) -> dict[str, LockedImage]:
        """What the lock has now."""
        return dict(read_lock(self.lock))


@pytest.fixture
def gate(source: Registry) -> Iterator[Gate]:
    with Gate(source).open() as found:
        yield found


@pytest.fixture
def web(source: Registry) -> Pushed:
    return source.push(WEB, TAG, *BOTH, seed=1)


@pytest.fixture
def worker(source: Registry) -> Pushed:
    return source.push(WORKER, TAG, *BOTH, seed=2)


@pytest.fixture
def command(tmp_path: Path, source: Registry, destination: Registry) -> Command:
    return Command(tmp_path, source.host, destination)


def entry(pushed: Pushed) -> LockedImage:
    return LockedImage(digest=pushed.digest, platforms=dict(pushed.platforms))


def assert_whole(destination: Registry, repository: str, pushed: Pushed) -> None:
    """Every manifest is there with its bytes, and the tag is the index."""
    copy = COPIES[repository]
    assert destination.bytes_of(copy, TAG) == pushed.manifests[pushed.digest]
    for digest, data in pushed.manifests.items():
        assert destination.bytes_of(copy, digest) == data, digest
    for digest in pushed.layers:
        with destination.client as client:
            assert client.head(f"/{copy}/blobs/{digest}").status_code == 200


def writes(registry: Registry) -> list[str]:
    """What was written, uploads that were not finished included."""
    return [path for method in ("POST", "PUT", "PATCH") for path in registry.requests(method)]


def test_whole_images_arrive_with_their_bytes_and_are_locked(
    skopeo: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    destination: Registry,
    web: Pushed,
    worker: Pushed,
    command: Command,
) -> None:
    monkeypatch.setenv("PATH", only(skopeo, tmp_path / "bin"))
    result = command.run()
    assert result.exit_code == 0, result.output
    assert_whole(destination, WEB, web)
    assert_whole(destination, WORKER, worker)
    assert len(web.manifests) == 5, "two platforms, the attestation of each, and the index"
    assert command.locked() == {
        command.references[WEB]: entry(web),
        command.references[WORKER]: entry(worker),
    }
    lines = sorted(result.stdout.splitlines())
    assert lines[0] == f"copying       {command.references[WORKER]} {worker.digest}"
    mebibytes = round(web.size / 2**20, 1)
    assert f"verified      {command.references[WEB]} {web.digest} {mebibytes} MiB, " in lines[3]
    assert "skopeo/" in (destination.folder / "log").read_text()
    assert list((tmp_path / "scratch").iterdir()) == [], "the logins are gone"


def test_a_second_run_copies_nothing(
    source: Registry, destination: Registry, web: Pushed, worker: Pushed, command: Command
) -> None:
    assert command.run().exit_code == 0
    before, fetched = writes(destination), len(source.requests("GET", "/blobs/"))
    assert before
    result = command.run("mirror", "--json")
    assert result.exit_code == 0
    *events, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert {(each["state"], each["image"], each["destination"]) for each in events} == {
        ("there", command.references[each], f"{destination.host}/{COPIES[each]}:{TAG}")
        for each in (WEB, WORKER)
    }
    assert last["event"] == "result"
    assert last["images"] == {
        command.references[WEB]: entry(web).model_dump(),
        command.references[WORKER]: entry(worker).model_dump(),
    }
    assert writes(destination) == before
    assert len(source.requests("GET", "/blobs/")) == fetched


def test_a_run_that_is_stopped_in_the_middle_of_a_layer_goes_on_from_there(
    tmp_path: Path,
    gate: Gate,
    destination: Registry,
    web: Pushed,
    worker: Pushed,
) -> None:
    command = Command(tmp_path, gate.host, destination)
    gate.held = {worker.layers[-1]}
    running = command.start()
    assert gate.reached.wait(20)
    wait_until(lambda: command.references[WEB] in command.locked())
    (files,) = (tmp_path / "scratch").glob("langfuse-images-*")
    assert {stat.S_IMODE(each.stat().st_mode) for each in files.iterdir()} == {0o600}
    assert stat.S_IMODE(files.stat().st_mode) == 0o700
    secrets = (LOGIN.password, LOGIN.encoded)
    assert [found for secret in secrets for found in processes_with(secret)] == []
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=120)
    assert running.returncode == 130, stdout + stderr
    assert f"cancelled     {command.references[WORKER]}\n" in stdout
    assert stderr == (
        f"error: {command.references[WORKER]}: was not copied, since this was cancelled.\n"
        "error: 1 of 2 images are there and locked. Run the command again: it goes on from there.\n"
    )
    assert processes_with(gate.host) == [], "no tool is left running"
    assert list((tmp_path / "scratch").iterdir()) == []
    assert command.locked() == {command.references[WEB]: entry(web)}
    assert destination.bytes_of(COPIES[WORKER], TAG) is None
    finished = uploads(destination)
    assert any(layer in path for layer in worker.layers for path in finished)

    gate.held.clear()
    result = command.run()
    assert result.exit_code == 0, result.output
    assert f"there already {command.references[WEB]}" in result.stdout
    assert f"verified      {command.references[WORKER]}" in result.stdout
    assert_whole(destination, WEB, web)
    assert_whole(destination, WORKER, worker)
    assert command.locked()[command.references[WORKER]] == entry(worker)
    after = uploads(destination)
    assert not [path for path in after[len(finished) :] if COPIES[WEB] + "/blobs" in path]
    for layer in (*web.layers, *worker.layers):
        assert sum(layer in path for path in after) == 1, "each layer was uploaded once"


def uploads(registry: Registry) -> list[str]:
    """The blobs that were finished."""
    return [each.replace("%3A", ":") for each in registry.requests("PUT", "/blobs/")]


def test_one_tool_that_is_killed_stops_no_other(
    tmp_path: Path, gate: Gate, destination: Registry, web: Pushed, worker: Pushed
) -> None:
    command = Command(tmp_path, gate.host, destination)
    gate.held = {worker.layers[-1]}
    running = command.start()
    assert gate.reached.wait(20)
    (tool,) = (each for each in processes_with(f"{gate.host}/{WORKER}@") if each != running.pid)
    kill(tool)
    stdout, stderr = running.communicate(timeout=120)
    assert running.returncode == 1, stdout + stderr
    assert stderr.startswith(
        f"error: {command.references[WORKER]}: skopeo was killed by signal 9.\n"
    )
    assert command.locked() == {command.references[WEB]: entry(web)}
    gate.held.clear()
    assert command.run().exit_code == 0
    assert_whole(destination, WORKER, worker)


def test_a_tag_that_was_moved_after_the_lock_stops_everything(
    source: Registry, destination: Registry, web: Pushed, worker: Pushed, command: Command
) -> None:
    assert command.run("lock").exit_code == 0
    before = command.lock.read_bytes()
    moved = source.push(WEB, TAG, *BOTH, seed=3)
    line = (
        f"error: {command.references[WEB]}: the tag was moved: images.lock.json has {web.digest}, "
        f"and the registry answers {moved.digest}. If that is wanted, take the entry out of "
        "images.lock.json and run the command again.\n"
    )
    for name in ("lock", "mirror"):
        result = command.run(name)
        assert (result.exit_code, result.stderr, result.stdout) == (1, line, "")
        assert command.lock.read_bytes() == before
    assert writes(destination) == []
    write_lock({command.references[WORKER]: entry(worker)}, command.lock)
    assert command.run("lock").exit_code == 0
    assert command.locked()[command.references[WEB]] == entry(moved)


def test_the_lock_is_written_once_and_then_only_compared(
    web: Pushed, worker: Pushed, command: Command
) -> None:
    first = command.run("lock")
    assert (first.exit_code, first.stdout) == (
        0,
        f"locked        {command.references[WEB]} {web.digest}\n"
        f"locked        {command.references[WORKER]} {worker.digest}\n",
    )
    assert command.locked() == {
        command.references[WEB]: entry(web),
        command.references[WORKER]: entry(worker),
    }
    written = command.lock.stat().st_mtime_ns
    again = command.run("lock")
    assert again.stdout == first.stdout.replace("locked   ", "unchanged")
    assert command.lock.stat().st_mtime_ns == written


@pytest.mark.usefixtures("web")
def test_an_image_for_one_cpu_only_stops_everything(
    source: Registry, destination: Registry, command: Command
) -> None:
    source.push(WORKER, TAG, "amd64", seed=2)
    result = command.run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: {command.references[WORKER]}: is there for amd64, and worker run on arm64. "
        "pulumi config set --path langfuse:worker.architecture x86_64.\n"
    )
    assert writes(destination) == []
    assert not command.lock.exists()


@pytest.mark.usefixtures("web")
def test_an_image_for_the_right_cpu_alone_is_copied(
    source: Registry, destination: Registry, command: Command
) -> None:
    worker = source.push(WORKER, TAG, "arm64", seed=2)
    assert worker.platforms == {"arm64": worker.digest}
    result = command.run()
    assert result.exit_code == 0, result.output
    assert_whole(destination, WORKER, worker)
    assert command.locked()[command.references[WORKER]] == entry(worker)


def test_a_registry_that_answers_other_bytes_is_found_out_after_the_copy(
    skopeo: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    destination: Registry,
    web: Pushed,
    worker: Pushed,
    command: Command,
) -> None:
    # Between the copy and the question that follows it.
    victim = destination.stored(web.platforms["arm64"])
    wrapper = tmp_path / "wrapped/skopeo"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\n{skopeo} "$@" || exit\ncase "$*" in *{WEB}@*) /bin/echo >> {victim};; esac\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(wrapper.parent))
    result = command.run()
    changed = web.manifests[web.platforms["arm64"]] + b"\n"
    assert result.exit_code == 1
    line = (
        f"error: {command.references[WEB]}: {destination.host}/{COPIES[WEB]}@"
        f"{web.platforms['arm64']}: the registry answers with bytes of digest "
        f"{digest_of(changed)}, not {web.platforms['arm64']}. What it stores, or the way "
        "to it, is damaged: trust nothing of it.\n"
    )
    assert line in result.stderr
    assert command.locked() == {command.references[WORKER]: entry(worker)}
    assert f"failed        {command.references[WEB]}\n" in result.stdout
    # It is no better the next time, and nothing makes it so silently.
    again = command.run()
    assert again.exit_code == 1
    assert line in again.stderr


@pytest.mark.usefixtures("worker")
def test_a_source_that_answers_other_bytes_is_found_out_before_the_copy(
    source: Registry, destination: Registry, web: Pushed, command: Command
) -> None:
    assert command.run("lock").exit_code == 0
    with source.stored(web.digest).open("ab") as file:
        file.write(b"\n")
    result = command.run()
    assert result.exit_code == 1
    changed = digest_of(web.manifests[web.digest] + b"\n")
    assert f"{command.references[WEB]}: " in result.stderr
    assert changed in result.stderr
    assert web.digest in result.stderr
    assert writes(destination) == []


def test_another_image_under_the_tag_is_told_and_left_alone(
    destination: Registry, web: Pushed, worker: Pushed, command: Command
) -> None:
    other = destination.push(COPIES[WEB], TAG, *BOTH, seed=9)
    before = [path for path in writes(destination) if COPIES[WEB] in path]
    result = command.run()
    assert result.exit_code == 1
    assert (
        f"error: {command.references[WEB]}: {destination.host}/{COPIES[WEB]}:{TAG}: is "
        f"{other.digest} there, and should be {web.digest}. Its tags cannot be moved: delete that "
        "image in the repository, and run the command again.\n" in result.stderr
    )
    assert [path for path in writes(destination) if COPIES[WEB] + "/" in path] == before
    assert command.locked() == {command.references[WORKER]: entry(worker)}


@pytest.mark.usefixtures("web")
def test_a_platform_that_the_destination_lost_is_copied_again(
    destination: Registry, worker: Pushed, command: Command
) -> None:
    assert command.run().exit_code == 0
    with destination.client as client:
        lost = client.delete(f"/{COPIES[WORKER]}/manifests/{worker.platforms['arm64']}")
    assert lost.status_code == 202
    assert destination.bytes_of(COPIES[WORKER], worker.platforms["arm64"]) is None
    result = command.run()
    assert f"there already {command.references[WEB]}" in result.stdout
    assert f"verified      {command.references[WORKER]}" in result.stdout
    assert_whole(destination, WORKER, worker)


def test_a_source_with_a_password_is_read_with_the_users_own_login(
    tmp_path: Path, own_home: Path, destination: Registry
) -> None:
    with Registry(tmp_path / "private", LOGIN).running() as private:
        pushed = [private.push(each, TAG, *BOTH, seed=4) for each in (WEB, WORKER)]
        command = Command(tmp_path, private.host, destination)
        refused = command.run()
        assert refused.exit_code == 1
        assert "answers HTTP 401. docker login" in refused.stderr
        (own_home / ".docker").mkdir()
        logins = {"auths": {private.host: {"auth": LOGIN.encoded}}}
        (own_home / ".docker/config.json").write_text(json.dumps(logins))
        result = command.run()
        assert result.exit_code == 0, result.output
    assert_whole(destination, WEB, pushed[0])


def test_without_skopeo_one_line_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, destination: Registry, command: Command
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    result = command.run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: images: skopeo, which copies them, is not on PATH. Install it: apt-get install "
        "skopeo, dnf install skopeo, brew install skopeo, or "
        "https://github.com/containers/skopeo/blob/main/install.md.\n"
    )
    assert writes(destination) == []
