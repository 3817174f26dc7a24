"""Spares a run on Pulumi's mocks what nobody asks for, half of its time.

What is registered, with which values and dependencies, is the same. An engine needs all of it.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

import pulumi
from pulumi import output
from pulumi.runtime import mocks, rpc
from pulumi.runtime import resource as registering
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.settings import SETTINGS

_HOLDS_NOTHING: Final = (str, int, float, type(None))


class QuickLoop(asyncio.SelectorEventLoop):
    """Asks the mocks where it is: handing each question to a thread takes longer than an answer."""

    def run_in_executor(self, _: object, func: Callable[..., Any], *args: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Call the function at once."""
        answer = self.create_future()
        try:
            answer.set_result(func(*args))
        except Exception as error:
            answer.set_exception(error)
        return answer


@contextmanager
def quick() -> Generator[None]:
    """Leave out who registers a resource, debug messages and collecting small objects.

    And the URN that is worked out in case that there is no monitor, three of four futures of each
    property, a lock that no other thread asks for, and looking for unknown values in plain ones.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with (
            patch.object(registering, "_get_stack_trace", source_pb2.StackTrace),
            patch.object(registering, "create_urn", _no_urn),
            patch.object(rpc, "transfer_properties", _transfer_properties),
            patch.object(rpc, "contains_unknowns", _or_plain(rpc.contains_unknowns)),
            patch.object(output, "contains_unknowns", _or_plain(output.contains_unknowns)),
            patch.object(mocks, "_sync_await", _at_once),
            patch.object(pulumi.Output, "_track", _tracking()),
            patch.object(pulumi.log, "debug", _nothing),
        ):
            yield
    finally:
        if collecting:
            gc.enable()


class _NoUrn:
    async def future(self) -> None:
        """Answer as an output does."""


def _no_urn(*_: object) -> _NoUrn:
    return _NoUrn()


def _nothing(*_: object) -> None:
    pass


def _or_plain(contains_unknowns: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, _HOLDS_NOTHING) and contains_unknowns(value)


def _at_once(serializing: Coroutine[Any, Any, Any]) -> Any:
    """Have what a mock answers with, which is there, without going round the loop."""
    try:
        serializing.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a mock answers with a value that has to be waited for")


def unfinished_outputs() -> set[asyncio.Future[Any]]:
    """What the SDK waits for at the end of a program, and what has failed."""
    return SETTINGS.outputs  # pyright: ignore


def _tracking() -> Callable[[Any], None]:
    """Remember what has to be waited for, and what has failed, until somebody asks at the end."""
    unfinished = unfinished_outputs()

    def forget(data: asyncio.Future[Any]) -> None:
        if not data.cancelled() and data.exception() is None:
            unfinished.discard(data)

    def track(made: Any) -> None:
        unfinished.add(made._data)
        made._data.add_done_callback(forget)

    return track


def _transfer_properties(
    resource: pulumi.Resource, properties: Mapping[str, Any], custom: bool
) -> dict[str, Callable[..., None]]:
    """Give a resource its outputs; they are resolved by the functions, by their names."""
    resolvers: dict[str, Callable[..., None]] = {}
    for name in properties:
        if name != "urn" and not (name == "id" and custom):
            resolvers[name], vars(resource)[name] = _output_of(resource)
    return resolvers


def _output_of(resource: pulumi.Resource) -> tuple[Callable[..., None], Any]:
    future: asyncio.Future[Any] = asyncio.Future()

    def resolve(
        value: Any,
        known: bool,
        secret: bool,
        origins: set[pulumi.Resource] | None,
        failure: Exception | None,
    ) -> None:
        if failure is not None:
            future.set_exception(failure)
        else:
            data = output._OutputData({resource, *(origins or ())}, value, known, secret)  # pyright: ignore[reportPrivateUsage]
            future.set_result(data)

    made: Any = pulumi.Output._from_data(future)  # pyright: ignore
    return resolve, made
