"""`images lock` and `images mirror`: what they refuse, print and write.

Registries are in memory, ECR's token is moto's, and a script copies. tests/registry has the
same commands with real tools between real registries; tests/engine makes the ECR repositories.
"""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine import image_repositories
from langfuse_aws.automation.engine.operation import CancelledError
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.images import command as images_command
from langfuse_aws.automation.images import display as image_display
from langfuse_aws.automation.images.display import ImagesForPeople
from langfuse_aws.automation.images.mirror import Destination, ImageEvent, Mirror
from langfuse_aws.automation.images.registry import Login
from langfuse_aws.automation.images.registry_login import Logins
from langfuse_aws.automation.images.tools import ToolError
from langfuse_aws.settings.image_lock import LockedImage, read_lock, write_lock
from langfuse_aws.settings.loading import load_without_secrets
from langfuse_aws.settings.stack_images import Image
from langfuse_aws.settings.versions import CLICKHOUSE, LANGFUSE
from tests.unit.aws_account import Account
from tests.unit.registry_stand_in import INDEX, MANIFEST, Registry, digest_of, encoded, index

WEB = f"ghcr.io/langfuse/langfuse:{LANGFUSE}"
WORKER = f"ghcr.io/langfuse/langfuse-worker:{LANGFUSE}"
SERVER = f"docker.io/clickhouse/clickhouse-server:{CLICKHOUSE}"
BOTH = {each: index("linux/amd64", "linux/arm64", of=each) for each in (WEB, WORKER, SERVER)}
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def locked(content: Mapping[str, Any]) -> LockedImage:
    parts = content["manifests"]
    platforms = {"amd64": parts[0]["digest"], "arm64": parts[2]["digest"]}
    return LockedImage(digest=digest_of(content), platforms=platforms)


ALL = {each: locked(content) for each, content in BOTH.items()}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Have registries with what size dev needs, and a user who is logged in nowhere."""
    found = Registry(
        {each.replace("docker.io", "registry-1.docker.io"): BOTH[each] for each in BOTH}
    )
    monkeypatch.setattr(images_command, "new_client", found.client)
    monkeypatch.setattr(images_command.Logins, "of_user", lambda: Logins())  # pyright: ignore
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)  # pyright: ignore
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with two stacks, one of which has a mirror; and an empty lock."""
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    dev = "config:\n  aws:region: us-east-1\n  langfuse:size: dev\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(dev)
    mirror = f"{dev}  langfuse:images:\n    source: mirror\n"
    (tmp_path / "Pulumi.mirrored.yaml").write_text(mirror)
    return tmp_path


def run(project: Path, name: str, *options: str, stack: str = "dev") -> Any:
    arguments = ["images", name, "--stack", stack, "--dir", str(project), *options]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


def test_lock_writes_what_every_tag_stands_for(project: Path, registry: Registry) -> None:
    result = run(project, "lock")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"locked        {each} {ALL[each].digest}" for each in (WEB, WORKER, SERVER)
    ]
    assert read_lock(project / "images.lock.json") == ALL
    again = run(project, "lock", "--json")
    *events, last = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(each["event"], each["state"]) for each in events] == [("image", "unchanged")] * 3
    assert last["images"] == {each: ALL[each].model_dump() for each in ALL}
    assert registry.users == ["nobody"] * 6


def test_lock_keeps_what_other_stacks_have_locked(project: Path, registry: Registry) -> None:
    earlier = {WEB.replace(LANGFUSE, "3.125.0"): ALL[WEB], WEB: ALL[WEB]}
    write_lock(earlier, project / "images.lock.json")
    result = run(project, "lock")
    assert result.stdout.startswith(f"unchanged     {WEB} ")
    assert read_lock(project / "images.lock.json") == {**earlier, **ALL}
    assert registry.asked


def test_lock_writes_nothing_if_anything_is_the_matter(project: Path, registry: Registry) -> None:
    registry.images = {WEB: index("linux/amd64"), WORKER: BOTH[WORKER]}
    result = run(project, "lock")
    assert (result.exit_code, result.stdout) == (1, "")
    assert [line.partition(": ")[2].partition(": ")[0] for line in result.stderr.splitlines()] == [
        WEB,
        SERVER,
    ]
    assert not (project / "images.lock.json").exists()
    (error,) = [json.loads(line) for line in run(project, "lock", "--json").stdout.splitlines()]
    assert error["event"] == "error"
    assert len(error["message"].splitlines()) == 2


def test_a_lock_that_cannot_be_read_is_one_line(project: Path) -> None:
    (project / "images.lock.json").write_text("[")
    result = run(project, "lock")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: images.lock.json: ")
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_before_anything_is_copied_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(images_command, "look_up_all", interrupted)
    result = run(project, "lock")
    assert (result.exit_code, result.stderr) == (
        130,
        "error: cancelled before anything was copied.\n",
    )


@pytest.mark.usefixtures("registry")
def test_mirror_refuses_a_stack_that_does_not_run_the_copies(project: Path) -> None:
    result = run(project, "mirror")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: stack dev: langfuse:images.source is upstream: nothing is mirrored. pulumi config "
        "set --path langfuse:images.source mirror --stack dev, then run the command again.\n"
    )


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, account: Account) -> list[str]:
    """Have skopeo, an account and an engine that note what is asked of them."""
    found: list[str] = []

    def skopeo() -> None:
        found.append("skopeo")

    def repositories(name: str, *_: object) -> None:
        found.append(f"repositories of {name}")

    def copied(run: Mirror, images: Mapping[Image, LockedImage]) -> list[ImageEvent]:
        host = run._destination.host  # pyright: ignore[reportPrivateUsage]
        found.append(f"copied to {host}")
        return [
            ImageEvent(state="verified", image=each.reference, digest=what.digest)
            for each, what in images.items()
        ]

    def stack(_: object) -> Any:
        return account.stack()

    monkeypatch.setattr(images_command, "find_skopeo", skopeo)
    monkeypatch.setattr(images_command, "make_repositories", repositories)
    monkeypatch.setattr(images_command, "new_stack", stack)
    monkeypatch.setattr(images_command.Mirror, "run", copied)
    return found


def test_mirror_makes_the_repositories_before_it_copies(
    project: Path, registry: Registry, steps: list[str]
) -> None:
    result = run(project, "mirror", "--json", stack="acme/mirrored")
    assert result.exit_code == 0, result.output
    assert steps == ["skopeo", "repositories of acme/mirrored", f"copied to {HOST}"]
    assert json.loads(result.stdout)["images"] == {each: ALL[each].model_dump() for each in ALL}
    assert registry.asked


def test_mirror_makes_nothing_if_an_image_is_not_there(
    project: Path, registry: Registry, steps: list[str]
) -> None:
    registry.images = {}
    result = run(project, "mirror", stack="mirrored")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 3
    assert steps == ["skopeo"]


@pytest.mark.usefixtures("registry")
def test_mirror_stops_when_the_engine_was_cancelled(
    project: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(*_: object) -> None:
        raise CancelledError("image repositories of stack mirrored: cancelled; run it again.")

    monkeypatch.setattr(images_command, "make_repositories", cancelled)
    result = run(project, "mirror", stack="mirrored")
    assert (result.exit_code, steps) == (130, ["skopeo"])
    assert result.stderr.startswith("error: image repositories of stack mirrored: cancelled")


def test_ecr_gives_a_host_and_a_login(account: Account) -> None:
    found = images_command.ecr(account.stack())
    assert found.host == HOST
    assert found.prefix == "langfuse-dev"
    assert found.login is not None
    assert found.login.username == "AWS"


# --- copies


class Copies:
    """In place of the tool."""

    def __init__(self, *ends: Exception | None) -> None:
        self.ends = list(ends)
        self.asked: list[tuple[str, str]] = []

    def copy(self, source: str, destination: str) -> None:
        """Note it, and end as the test says."""
        self.asked.append((source, destination))
        end = self.ends.pop(0) if self.ends else None
        if end:
            raise end

    def stop(self) -> None:
        """Nothing runs."""


IMAGE = Image("web", WEB, "arm64", ("web",))


def mirrored(
    copies: Copies, answer: Any, folder: Path, *, cancelled: bool = False
) -> tuple[ImageEvent, list[ImageEvent]]:
    """Mirror one image into a registry that answers as the test says."""
    told: list[ImageEvent] = []
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        destination = Destination(HOST, "langfuse-dev", Login("AWS", "token"))
        run = Mirror(client, copies, destination, folder / "lock.json", told.append)  # pyright: ignore
        if cancelled:
            run.cancel()
        (last,) = run.run({IMAGE: ALL[WEB]})
    return last, told


def nothing(_: httpx.Request) -> httpx.Response:
    return httpx.Response(404)


def test_what_is_not_there_after_the_copy_is_not_locked(tmp_path: Path) -> None:
    copies = Copies()
    last, told = mirrored(copies, nothing, tmp_path)
    assert copies.asked == [
        (
            f"ghcr.io/langfuse/langfuse@{ALL[WEB].digest}",
            f"{HOST}/langfuse-dev/langfuse:{LANGFUSE}",
        )
    ]
    assert [each.state for each in told] == ["copying", "failed"]
    assert last.message == (
        f"{HOST}/langfuse-dev/langfuse: does not have all of {ALL[WEB].digest} after the copy. Run "
        "the command again."
    )
    assert not (tmp_path / "lock.json").exists()


def test_what_is_there_is_locked_with_its_size_and_not_copied(tmp_path: Path) -> None:
    parts = {
        each["digest"]: {
            "mediaType": MANIFEST,
            "config": {"digest": "sha256:shared", "size": 2**20},
            "layers": [{"digest": f"sha256:{number}", "size": 2**19}],
        }
        for number, each in enumerate(BOTH[WEB]["manifests"])
    }
    whole = {**BOTH[WEB], "manifests": [{"digest": digest_of(each)} for each in parts.values()]}
    there = {digest_of(each): each for each in (whole, *parts.values())} | {LANGFUSE: whole}

    def answer(request: httpx.Request) -> httpx.Response:
        version = request.url.path.rpartition("/")[2]
        return httpx.Response(200, content=json.dumps(there[version]).encode())

    wanted = LockedImage(digest=digest_of(whole), platforms={})
    told: list[ImageEvent] = []
    copies = Copies()
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        destination = Destination(HOST, "langfuse-dev")
        Mirror(client, copies, destination, tmp_path / "lock", told.append).run({IMAGE: wanted})  # pyright: ignore
    (event,) = told
    assert (event.state, event.mebibytes, copies.asked) == ("there", 3.0, [])
    assert read_lock(tmp_path / "lock") == {WEB: wanted}


def test_an_index_without_its_tag_is_copied_again(tmp_path: Path) -> None:
    part = {"config": {"digest": "sha256:c", "size": 1}, "layers": list[Any]()}
    whole = {"mediaType": INDEX, "manifests": [{"digest": digest_of(part)}]}
    there: dict[str, Any] = {digest_of(each): each for each in (whole, part)}

    def answer(request: httpx.Request) -> httpx.Response:
        found = there.get(request.url.path.rpartition("/")[2])
        return httpx.Response(200, content=encoded(found)) if found else nothing(request)

    copies = Copies()
    wanted = LockedImage(digest=digest_of(whole), platforms={})
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        destination = Destination(HOST, "langfuse-dev")
        run = Mirror(client, copies, destination, tmp_path / "lock", print)  # pyright: ignore
        (last,) = run.run({IMAGE: wanted})
    assert (last.state, len(copies.asked)) == ("failed", 1)


def test_a_rate_limit_that_the_tool_meets_is_told_with_what_helps(tmp_path: Path) -> None:
    last, _ = mirrored(Copies(ToolError("skopeo: toomanyrequests: limit.")), nothing, tmp_path)
    assert last.message == (
        "skopeo: toomanyrequests: limit. docker login ghcr.io raises it; or wait, six hours at the "
        "most, and run the command again."
    )


def test_a_destination_that_refuses_is_a_failure_of_that_image(tmp_path: Path) -> None:
    last, _ = mirrored(Copies(), lambda _: httpx.Response(403), tmp_path)  # pyright: ignore
    assert last.state == "failed"
    assert "403 Forbidden" in last.message
    assert len(last.message.splitlines()) == 1


def test_after_a_cancellation_nothing_is_asked_or_copied(tmp_path: Path) -> None:
    copies = Copies()
    last, _ = mirrored(copies, lambda _: httpx.Response(500), tmp_path, cancelled=True)  # pyright: ignore
    assert (last.state, copies.asked) == ("cancelled", [])


def test_on_a_terminal_the_status_names_what_is_being_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Console(force_terminal=True, width=200, record=True, file=StringIO())
    monkeypatch.setattr(image_display, "console", terminal)
    display = ImagesForPeople()
    status = display._status  # pyright: ignore[reportPrivateUsage]
    display.image(ImageEvent(state="copying", image=WEB, digest="sha256:a"))
    display.image(ImageEvent(state="copying", image=WORKER, digest="sha256:b"))
    assert status.status == f"copying {WEB}, {WORKER}"
    display.image(
        ImageEvent(state="verified", image=WEB, digest="sha256:a", mebibytes=1.5, seconds=2.04)
    )
    assert status.status == f"copying {WORKER}"
    display.image(ImageEvent(state="failed", image=WORKER, digest="sha256:b", message="no"))
    shown = terminal.export_text()
    assert f"verified      {WEB} sha256:a 1.5 MiB, 2.0 s\n" in shown
    assert f"failed        {WORKER}\n" in shown


# --- repositories


def test_only_the_component_and_its_repositories_are_touched() -> None:
    settings = load_without_secrets({"size": "dev", "images": {"source": "mirror"}})
    begin = "urn:pulumi:dev::langfuse::langfuse:index:Images"
    assert image_repositories.targets("langfuse", "dev", settings) == [
        f"{begin}::langfuse-dev",
        f"{begin}$aws:ecr/repository:Repository::langfuse-dev-web",
        f"{begin}$aws:ecr/repository:Repository::langfuse-dev-worker",
        f"{begin}$aws:ecr/repository:Repository::langfuse-dev-clickhouse",
    ]


@pytest.mark.parametrize("source", ["upstream", "pullThrough"])
def test_repositories_are_for_the_mirror(source: str) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache"
    secrets = {"githubSecretArn": f"{arn}/a", "dockerHubSecretArn": f"{arn}/b"}
    images = {"source": source, **(secrets if source == "pullThrough" else {})}
    settings = load_without_secrets({"size": "dev", "images": images})
    with pytest.raises(UserError, match=f"langfuse:images.source is {source}: nothing is mirrored"):
        image_repositories.check_source("dev", settings)
