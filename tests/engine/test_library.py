"""`LangfuseStack` with the real engine on the in-memory providers of this process.

It proves that stacks do not disturb each other, that a cancelled update can go on, that no secret
leaves, and that nothing piles up in the process. Providers and engine are the only things that run.
"""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.automation.engine.events import Event, ResourceEvent, SummaryEvent
from langfuse_aws.automation.engine.operation import CancelledError, OperationError
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.stack import LangfuseStack

HUSH = 'Hush "hush" 4711'
SECRETS = {"secretEnvironment": '{"ADMIN_API_KEY": "Hush \\"hush\\" 4711"}'}
PREVIEWS = 20
MEBIBYTE = 2**20
LEAK_MIB = 4
"""More than the noise of an allocator, less than what twenty forgotten previews take."""

pytestmark = pytest.mark.usefixtures("engine_on_path")


def settings(region: str, **more: Any) -> dict[str, Any]:
    return {"size": "dev", "aws:region": region, **more}


@pytest.mark.running
def test_two_stacks_at_once_and_one_of_them_cancelled_on_its_way(tmp_path: Path) -> None:
    def folder(name: str) -> Path:
        return tmp_path / name

    a = LangfuseStack("team-a", settings("eu-west-1"), work_dir=folder("a"), offline=True)
    b = LangfuseStack(
        "team-b", settings("us-east-1"), secrets=SECRETS, work_dir=folder("b"), offline=True
    )
    up_a, up_b = a.start_up(), b.start_up()
    begun: list[Event] = []
    for event in up_b:
        begun.append(event)
        if len(begun) == 150:
            up_b.cancel()
    with pytest.raises(CancelledError, match="up of stack team-b: cancelled; run it again"):
        up_b.result()
    made = {each.urn for each in b.deployed().resources}
    assert 1 < len(made) < 150, "it stopped on its way, and the state has what was made"

    again = b.start_up()
    events = [*begun, *again]
    assert not [each for each in events if HUSH in each.model_dump_json()]
    result_a, result_b = up_a.result(), again.result()
    assert result_a.changes == {"create": len(a.deployed().resources)}
    assert isinstance(events[-1], SummaryEvent)
    assert events[-1].changes == result_b.changes
    assert result_b.changes["same"] + result_b.changes["create"] == len(b.deployed().resources)
    done = {each.urn for each in events if isinstance(each, ResourceEvent) and each.state == "done"}
    assert {each.urn for each in b.deployed().resources} <= done

    assert result_a.outputs["cluster_name"].startswith("langfuse-team-a-")
    assert result_b.outputs["cluster_name"].startswith("langfuse-team-b-")
    assert "eu-west-1" in result_a.outputs["url"]
    assert "us-east-1" in result_b.outputs["url"]
    assert not [path for path in files(tmp_path) if HUSH.encode() in path.read_bytes()]
    assert not [path for path in files(tmp_path) if b'\\\\"hush' in path.read_bytes()]

    assert a.destroy(remove=True).changes == {"delete": result_a.changes["create"]}
    with pytest.raises(UserError, match="stack team-a: this backend has no such stack"):
        a.outputs()
    with pytest.raises(UserError, match="stack team-a: this backend has no such stack"):
        a.refresh()
    assert b.outputs() == result_b.outputs


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


PROGRAM = """
import pulumi_aws as aws
import pulumi_awsx as awsx

vpc = awsx.ec2.Vpc("vpc", subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO)
for number in range(10):
    aws.cloudwatch.LogGroup(f"group-{number}", tags={"Vpc": vpc.vpc_id})
"""


def project(folder: Path, program: str) -> Path:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text("config:\n  aws:region: us-east-1\n")
    (folder / "__main__.py").write_text(program)
    return folder


@pytest.mark.running
def test_twenty_previews_leave_nothing_behind_in_the_process(tmp_path: Path) -> None:
    # What piles up would do so in the library and the providers, whatever the program is.
    small = project(tmp_path / "small", PROGRAM)
    sizes: list[tuple[float, int]] = []
    with LangfuseStack("dev", project=small, offline=True) as stack:
        for _ in range(PREVIEWS):
            assert len(stack.planned().of_type("aws:cloudwatch/logGroup:LogGroup")) == 10
            gc.collect()
            sizes.append((resident_mib(), len(os.listdir("/proc/self/fd"))))
    warm, last = sizes[PREVIEWS // 4], sizes[-1]
    assert last[0] - warm[0] < LEAK_MIB, f"resident memory in MiB and open files: {sizes}"
    assert last[1] <= warm[1], f"resident memory in MiB and open files: {sizes}"


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE


def test_a_preview_changes_neither_the_backend_nor_the_stack_file(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    small, states = project(tmp_path / "small", PROGRAM), tmp_path / "states"
    states.mkdir()
    own = {**environment, "PULUMI_CONFIG_PASSPHRASE": "of its owner", "PULUMI_HOME": str(tmp_path)}
    file = small / "Pulumi.dev.yaml"
    with LangfuseStack("dev", project=small, backend=states.as_uri(), environment=own) as stack:

        def there() -> dict[Path, bytes]:
            # pulumi stack ls makes the backend's own file, too.
            found = (each for each in files(states) if not each.name.startswith("meta.yaml"))
            return {each: each.read_bytes() for each in (*found, file)}

        def previewed() -> dict[str, int]:
            before = there()
            found = stack.preview()
            assert there() == before
            assert len(found.graph.of_type("aws:cloudwatch/logGroup:LogGroup")) == 10
            return dict(found.changes)

        new = previewed()
        assert list(there()) == [file]
        assert set(new) == {"create"}
        assert stack.up().changes == new
        assert set(previewed()) == {"same"}
        assert "encryptionsalt" in file.read_text(), "up writes it"


@pytest.mark.parametrize(
    "ask",
    [
        LangfuseStack.preview,
        LangfuseStack.up,
        LangfuseStack.refresh,
        LangfuseStack.destroy,
        LangfuseStack.outputs,
        LangfuseStack.deployed,
        LangfuseStack.exists,
        LangfuseStack.backend,
        LangfuseStack.unprotect,
    ],
)
def test_a_stack_that_is_closed_says_so(ask: Callable[[LangfuseStack], Any]) -> None:
    with LangfuseStack("dev", settings("eu-west-1"), offline=True) as stack:
        pass
    stack.close()
    with pytest.raises(UserError) as refused:
        ask(stack)
    assert str(refused.value) == (
        "stack dev: is closed, and what was written for its settings is gone. Do all within the "
        "with block, or make another LangfuseStack."
    )


def test_what_the_engine_says_of_a_broken_program_is_the_error(tmp_path: Path) -> None:
    broken = project(tmp_path / "broken", "raise ZeroDivisionError('ours')")
    with LangfuseStack("dev", project=broken, offline=True) as stack:
        with pytest.raises(OperationError, match="preview of stack dev failed:") as caught:
            stack.preview()
        assert "ZeroDivisionError: ours" in "\n".join(caught.value.errors)
        with pytest.raises(OperationError, match="ZeroDivisionError: ours"):
            stack.up()
