"""A preview, update, refresh or destroy while it runs: its events, its result, its cancellation."""

import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Final, Generic, TypeVar

from pulumi import automation as auto
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from langfuse_aws.automation.engine import pulumi_cli
from langfuse_aws.automation.engine.engines import RUNNING
from langfuse_aws.automation.engine.events import DiagnosticEvent, Event, read
from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.errors import NOT_LOGGED_IN, UserError, is_logged_out, of_passphrase
from langfuse_aws.settings.installation import COMMAND

Result = TypeVar("Result")
OnEvent = Callable[[auto.EngineEvent], None]

ERRORS_QUOTED = 8
NO_PROGRAM: Final = "unable to find main python program"
NEW_PROGRAM: Final = f". Name the folder that has it with --dir; {COMMAND} new makes one."
ENDED: Final = re.compile(r"program exited with non-zero exit code: \d+\W*$", re.IGNORECASE)
"""What the engine says after a program has said why."""
STOPPING = "stopping: nothing was changed."
CANCELLING = "cancelling: the engine finishes what it is doing with resources, then stops."
STILL_CANCELLING = "still cancelling: the engine is not done with what it had begun."


class OperationError(UserError):
    """The engine gave up. The message quotes what it said; `errors` has all of it."""

    def __init__(self, message: str, errors: tuple[str, ...] = ()) -> None:
        """Take the message and the engine's own errors."""
        super().__init__(message)
        self.errors = errors

    @property
    def messages(self) -> Sequence[str]:
        """One, which quotes the engine: line by line, if it said more than a line."""
        title, *quoted = str(self).splitlines()
        if len(quoted) == 1:
            return [f"{title} {quoted[0].removeprefix('error: ')}"]
        return [str(self)]


class CancelledError(OperationError):
    """The operation was cancelled. What it had begun is finished, and the stack is unlocked."""


class Command(auto.PulumiCommand):
    """The `pulumi` command of one stack, which can be interrupted.

    It runs in a session of its own: a Ctrl-C reaches it through `interrupt` only, and the process
    that serves its providers is there until it has ended.
    """

    def __init__(self) -> None:
        """Find it. Raises UserError."""
        try:
            found = pulumi_cli.find()
        except pulumi_cli.UnusableError as error:
            raise UserError(f"pulumi: {error}. Install it: {pulumi_cli.PULUMI_SITE}.") from error
        self.command, self.version = str(found.program), VersionInfo(*found.version)
        self._folder = found.folder
        self._begin()

    def _begin(self) -> None:
        self.previews_first = False
        """Whether an `up` begins with a preview of its own, which the Automation API skips."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._interrupted = False

    def _with_its_folder(self, path: str) -> str:
        """PATH on which the language host is too, if the command came from elsewhere."""
        folder = str(self._folder)
        return path if folder in path.split(os.pathsep) else os.pathsep.join([folder, path])

    def another(self) -> "Command":
        """The same command for another operation, which is interrupted by itself."""
        found = copy(self)
        found._begin()
        return found

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
        given: str | None = None,
    ) -> auto.CommandResult:
        """Run to the end, with `given` on standard input. Raises auto.CommandError."""
        if self.previews_first:
            args = [each for each in args if each != "--skip-preview"]
        command = [self.command, "--non-interactive", *args]
        env = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        env["PATH"] = self._with_its_folder(env.get("PATH", os.defpath))
        with self._lock:
            if self._interrupted or RUNNING.ending:
                raise auto.errors.CommandError(auto.CommandResult("", "cancelled", 1))
            self._process = process = subprocess.Popen(  # noqa: S603
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )
            RUNNING.add(process, args)
        with process:
            try:
                stdout, stderr = process.communicate(given)
            except BaseException:
                RUNNING.stop(process)
                process.communicate()
                raise
            finally:
                RUNNING.remove(process)
        for text, callback in ((stdout, on_output), (stderr, on_error)):
            if callback:
                for line in text.splitlines():
                    callback(line)
        done = auto.CommandResult(stdout, stderr, process.returncode)
        if done.code:
            raise create_command_error(done)
        return done

    def interrupt(self) -> None:
        """Have what runs stop; an engine first finishes what it is doing with resources."""
        with self._lock:
            self._interrupted = True
            if self._process:
                RUNNING.stop(self._process)


class Operation(Generic[Result]):
    """Runs beside the caller. Iterate over it for the events, then ask for the result."""

    def __init__(
        self,
        title: str,
        work: Callable[[Command, OnEvent], Result],
        command: Command,
        redaction: Redaction,
        unlock: str = "pulumi cancel",
        *,
        changes: bool = True,
    ) -> None:
        """Start it. `unlock` is what to do if a dead process holds the stack.

        One that `changes` nothing is over at once when it is cancelled.
        """
        self._changes = changes
        self._title = title
        self._work = work
        self._command = command.another()
        self._redaction = redaction
        self._unlock = unlock
        self._begin = time.monotonic()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._cancelled = False
        self._result: Result | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=title, daemon=True)
        self._done = threading.Event()
        self._thread.start()

    def __iter__(self) -> Iterator[Event]:
        """Every event, as it comes; ends with the operation. They can be had once."""
        while (event := self._events.get()) is not None:
            yield event
        self._events.put(None)  # for whoever asks again

    def result(self) -> Result:
        """Wait for the end. Raises OperationError or CancelledError.

        What a signal's handler raises meanwhile cancels, waits for that, and goes on.
        """
        # Not the thread's join, which takes it for ended once a signal has interrupted it:
        # https://github.com/python/cpython/issues/90882
        try:
            self._done.wait()
        except BaseException:  # a signal's
            self.cancel()
            self._done.wait()
            raise
        if self._failure:
            raise self._failure
        return self._result  # pyright: ignore[reportReturnType] -- set unless there is a failure

    def cancel(self) -> None:
        """Ask the engine to stop; `result` then raises CancelledError, unless it was done.

        Each call is reported as a warning, and only the first one reaches the engine: at a second
        one it would leave what it is doing with resources. May be called in a signal's handler.
        """
        again, self._cancelled = self._cancelled, True
        message = CANCELLING if self._changes else STOPPING
        if again and self._changes:
            message = STILL_CANCELLING
        seconds = time.monotonic() - self._begin
        self._events.put(
            DiagnosticEvent(seconds=seconds, severity="warning", message=message, urn="")
        )
        if not again:
            self._command.interrupt()

    def _run(self) -> None:
        try:
            self._result = self._work(self._command, self._take)
        except auto.errors.CommandError as error:
            self._failure = self._explained(error)
        except BaseException as error:
            self._failure = error
        finally:
            self._events.put(None)
            self._done.set()

    def _take(self, found: auto.EngineEvent) -> None:
        event = read(found, time.monotonic() - self._begin, self._redaction.text)
        if isinstance(event, DiagnosticEvent) and event.severity == "error":
            self._errors.append(event.message)
        if event:
            self._events.put(event)

    def _explained(self, error: auto.errors.CommandError) -> OperationError:
        if self._cancelled and not self._changes:
            return CancelledError(f"{self._title}: stopped; nothing was changed.")
        if self._cancelled:
            return CancelledError(f"{self._title}: cancelled; run it again to go on from here.")
        if isinstance(error, auto.errors.ConcurrentUpdateError):
            return OperationError(
                f"{self._title}: another update holds the stack, or was killed while it did. Wait "
                f"for its end; if it is dead: {self._unlock}."
            )
        if is_logged_out(error):
            return OperationError(NOT_LOGGED_IN)
        if told := of_passphrase(error):
            return OperationError(told)
        said = self._redaction.text(str(error).rpartition("stderr: ")[2].strip())
        lines = tuple(self._errors) or tuple(said.splitlines()) or (f"exit code {error}",)
        lines = tuple(line for line in lines if not ENDED.search(line)) or lines
        lines = tuple(line + NEW_PROGRAM * (NO_PROGRAM in line) for line in lines)
        quoted = "\n".join(lines[:ERRORS_QUOTED])
        more = len(lines) - ERRORS_QUOTED
        rest = f"\n… and {more} more errors." if more > 0 else ""
        return OperationError(f"{self._title} failed:\n{quoted}{rest}", lines)
