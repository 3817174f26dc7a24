"""Starts Pulumi programs in a Python that has imported Pulumi and its SDKs already.

Every `pulumi` command starts the program in a new Python, which spends most of its first second on
packages that no test changes. `warm_python` keeps one process that has imported them, and that
forks a child for each program. `tests/warm/sitecustomize.py` makes the Python that the language
host starts hand over to it.

The engine, the language host, its executor script and the program are what they always are: each
child reads them from disk, with the arguments, environment, folder and streams of its client. Left
out are the start and the end of the interpreter, the import of third-party packages, and all but
the first `pip list` of the language host. Children of one server share its hash seed, so what a
program does in the order of a set is the same each time: a test of that must run without this.
"""

import ast
import contextlib
import gc
import importlib
import json
import os
import re
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
CLIENT = Path(__file__).with_name("warm")
SOCKET = "WARM_PYTHON_SOCKET"
PIP_LIST = ("-m", "pip", "list", "-v", "--format", "json")
"""What the language host asks to find Pulumi's plugins among the packages."""


@contextmanager
def warm_python() -> Generator[dict[str, str]]:
    """Serve for as long as the block lasts; gives the environment whose Pythons are clients."""
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        path = Path(folder, "s")  # a socket's path has 104 bytes at the most on macOS
        command = [sys.executable, __file__, str(path)]
        listed = subprocess.run([sys.executable, *PIP_LIST], stdout=subprocess.PIPE, check=True)
        path.with_suffix(".pip").write_bytes(listed.stdout)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as server:
            if not server.stdout or not server.stdout.readline():
                raise RuntimeError(f"the warm Python ended at once, with status {server.wait()}")
            yield {SOCKET: str(path), "PYTHONPATH": str(CLIENT)}
            server.communicate()  # it ends when its standard input does


def serve(path: str) -> None:
    """Fork a child for each connection, until standard input ends."""
    for name in (*_third_party(), *_of_aws()):
        hasattr(importlib.import_module(name), "x")  # AWS's modules load when they are asked
    if threading.active_count() > 1:
        raise RuntimeError("an import has started a thread, which a fork would lose")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
            if ready:
                connection, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    _run(connection)
                connection.close()


def _third_party() -> list[str]:
    """Name the modules from outside the repository that the program imports."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        sys.path.insert(0, str(ROOT))
        program = ast.parse((ROOT / "__main__.py").read_text(encoding="utf-8"))
        for statement in program.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                exec(compile(ast.Module([statement], []), "__main__.py", "exec"), {})  # noqa: S102
        own = {"__main__", *(path.parent.name for path in ROOT.glob("*/__init__.py"))}
        names = [
            name
            for name, module in sys.modules.items()
            if name.split(".")[0] not in own and type(module) is ModuleType
        ]
        with open(writer, "w", encoding="utf-8") as pipe:
            pipe.write(" ".join(names))
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        names = pipe.read().split()
    os.waitpid(child, 0)
    return names


def _of_aws() -> set[str]:
    """Name the modules of AWS's SDK that only a running program asks for, a dozen of them."""
    sources = (path.read_text(encoding="utf-8") for path in ROOT.glob("components/**/*.py"))
    return {
        f"pulumi_aws.{name}"
        for source in sources
        for name in re.findall(r"\baws\.(\w+)\.[A-Z]", source)
    }


def _run(connection: socket.socket) -> None:
    """Be the Python that a client asks for, and tell it the exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    request = json.loads(connection.makefile("rb").read(int.from_bytes(size, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = request["arguments"]
    sys.path[:] = [os.path.dirname(sys.argv[0]), *request["path"]]
    threading.Thread(target=_obey, args=[connection], daemon=True).start()
    status = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([status]))
    os._exit(status)


def _obey(connection: socket.socket) -> None:
    """Take the signals that the client gets, and end when it does."""
    while number := connection.recv(1):
        os.kill(os.getpid(), number[0])
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(sys.argv[1])
