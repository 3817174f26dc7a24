"""Spares a run on Pulumi's mocks what nobody asks for, two thirds of its time.

What is registered, with which values and dependencies, is the same. An engine needs all of it.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import pulumi
from pulumi import _types, output  # pyright: ignore[reportPrivateUsage]
from pulumi.runtime import mocks, rpc
from pulumi.runtime import resource as registering
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.settings import SETTINGS

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_serialize: Final = rpc.serialize_property
_deserialize: Final = rpc.deserialize_property
_resource_types: Final = cache(_types.resource_types)
_unwrap_type: Final = cache(_types.unwrap_type)
_unwrap_optional_type: Final = cache(_types.unwrap_optional_type)


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
    property, those of plain values, a lock that no other thread asks for, what plain values could
    be besides, unknown values, which only a preview has, and reading the same annotations again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with (
            patch.object(registering, "_get_stack_trace", source_pb2.StackTrace),
            patch.object(registering, "create_urn", _no_urn),
            patch.object(rpc, "transfer_properties", _transfer_properties),
            patch.object(rpc, "serialize_property", _serialize_property),
            patch.object(rpc, "deserialize_property", _deserialize_property),
            patch.object(rpc, "contains_unknowns", _is_known),
            patch.object(output, "contains_unknowns", _is_known),
            patch.object(_types, "resource_types", _resource_types),
            patch.object(_types, "unwrap_type", _unwrap_type),
            patch.object(_types, "unwrap_optional_type", _unwrap_optional_type),
            patch.object(mocks, "_sync_await", _at_once),
            patch.object(pulumi.Output, "all", _all),
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


def _is_known(_: object) -> bool:
    return False


async def _serialize_property(value: Any, *how: Any, **options: Any) -> Any:
    return value if type(value) in _PLAIN else await _serialize(value, *how, **options)


def _deserialize_property(value: Any, *how: Any) -> Any:
    return value if type(value) in _PLAIN else _deserialize(value, *how)


def _all(*listed: Any, **named: Any) -> pulumi.Output[Any]:
    """Make one output of inputs of which most are plain, and need none of their own."""
    made: list[Any] = [
        each if type(each) in _PLAIN else pulumi.Output.from_input(each)
        for each in (named.values() if named else listed)
    ]

    async def gathered() -> Any:
        values: list[Any] = []
        origins: set[pulumi.Resource] = set()
        known, secret = True, False
        for each in made:
            if type(each) in _PLAIN:
                values.append(each)
                continue
            data = await each._data
            values.append(data.value)
            origins |= data.resources
            known, secret = known and data.is_known, secret or data.is_secret
        value = dict(zip(named, values, strict=True)) if named else values
        return output._OutputData(origins, value, known, secret)  # pyright: ignore[reportPrivateUsage]

    return pulumi.Output._from_data(gathered())  # pyright: ignore


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
        if made._data.done():
            return
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
            made = vars(resource)[name] = _Property(resource)
            resolvers[name] = made.resolve
    return resolvers


class _Property(pulumi.Output[Any]):
    """An output of which there is a future as soon as somebody asks for it, as few do."""

    def __init__(self, resource: pulumi.Resource) -> None:
        self._of = resource
        self._resolved: tuple[Any, ...] = ()
        self._asked: asyncio.Future[Any] | None = None

    @property
    def _data(self) -> asyncio.Future[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        if self._asked is None:
            self._asked = asyncio.Future()
            self._answer()
        return self._asked

    def resolve(
        self,
        value: Any,
        known: bool,
        secret: bool,
        origins: set[pulumi.Resource] | None,
        failure: Exception | None,
    ) -> None:
        """Note what the resource has, or why it has nothing."""
        self._resolved = (value, known, secret, origins, failure)
        self._answer()

    def _answer(self) -> None:
        if self._asked is None or not self._resolved:
            return
        value, known, secret, origins, failure = self._resolved
        if failure is not None:
            self._asked.set_exception(failure)
        else:
            data = output._OutputData({self._of, *(origins or ())}, value, known, secret)  # pyright: ignore[reportPrivateUsage]
            self._asked.set_result(data)
