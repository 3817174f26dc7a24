"""Follows an operation to its end, and cancels it when this process is told to stop."""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

from langfuse_aws.automation.engine.events import Event
from langfuse_aws.automation.engine.operation import Operation
from langfuse_aws.automation.engine.stopping import handled

Result = TypeVar("Result")


def follow(start: Callable[[], Operation[Result]], take: Callable[[Event], None]) -> Result:
    """Start an operation, give `take` its events, and return its result.

    Ctrl-C, SIGTERM and the end of the terminal cancel it, and so does an error of `take`, such as a
    closed pipe: the engine never goes on unseen. Works in the main thread only.
    """
    with _cancelled_by_signals(start) as operation:
        try:
            for event in operation:
                take(event)
        except BaseException:
            operation.cancel()
            with suppress(Exception):
                operation.result()
            raise
        return operation.result()


@contextmanager
def _cancelled_by_signals(
    start: Callable[[], Operation[Result]],
) -> Generator[Operation[Result]]:
    started: list[Operation[Result]] = []
    early: list[bool] = []

    def cancel() -> None:
        early.append(True)
        for operation in started:
            operation.cancel()

    with on_signals(cancel):
        started.append(start())
        if early:
            started[0].cancel()
        yield started[0]


@contextmanager
def on_signals(act: Callable[[], None]) -> Generator[None]:
    """Have what ends a command call `act` instead. Works in the main thread only."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        act()

    before = {number: signal.signal(number, handle) for number in handled()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
