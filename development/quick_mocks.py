"""Spares a run on Pulumi's mocks what nobody asks for, a third of its time.

What is registered, with which values and dependencies, is the same. An engine needs all of it.
"""

import asyncio
import gc
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pulumi
from pulumi import output
from pulumi.runtime import resource as registering
from pulumi.runtime import rpc
from pulumi.runtime.proto import source_pb2


@contextmanager
def quick() -> Generator[None]:
    """Leave out who registers a resource, debug messages and collecting small objects.

    And the URN that is worked out in case that there is no monitor, and three of four futures of
    each property.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with (
            patch.object(registering, "_get_stack_trace", source_pb2.StackTrace),
            patch.object(registering, "create_urn", _no_urn),
            patch.object(rpc, "transfer_properties", _transfer_properties),
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
