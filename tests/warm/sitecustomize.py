"""Hands a Pulumi program over to the server of `tests/warm_python.py`; Python reads it at start.

Every other Python goes on as usual, and so does this one if there is no server.
"""

import os
import sys

EXECUTOR = "pulumi-language-python-exec"


def hand_over(path: str) -> None:
    """Let the server run this program; comes back only if there is no server."""
    import json
    import signal
    import socket

    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        return
    request = {
        "arguments": sys.orig_argv[1:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": sys.path,
    }
    content = json.dumps(request).encode()
    # The program may run, and be stopped, before this process knows that all is sent.
    handed_on = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, handed_on)
    for number in handed_on:
        signal.signal(number, lambda number, _: connection.send(bytes([number])))
    socket.send_fds(connection, [len(content).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(content)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handed_on)
    status = connection.recv(1)
    os._exit(status[0] if status else 1)


def answer(path: str) -> None:
    """Say what the language host heard before, if it did."""
    try:
        with open(path, "rb") as known:
            os.write(1, known.read())
    except OSError:
        return
    os._exit(0)


if server := os.environ.get("WARM_PYTHON_SOCKET"):
    asked = sys.orig_argv[1:]
    if asked and os.path.basename(asked[0]) == EXECUTOR:
        hand_over(server)
    elif asked == ["-m", "pip", "list", "-v", "--format", "json"]:
        answer(server + ".pip")
