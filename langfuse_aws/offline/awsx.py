"""The awsx provider, which is `awsx:ec2:Vpc` and nothing else.

`python -m langfuse_aws.offline.awsx` serves it on a free loopback port, which it prints, until
standard input ends.
"""

# ruff: noqa: ARG002, N802 -- gRPC calls these methods by their names, with both arguments.

import asyncio
import sys
import threading
from collections.abc import Mapping
from importlib.metadata import version
from os import _exit
from typing import Any

import grpc.aio
import pulumi
from google.protobuf.empty_pb2 import Empty
from pulumi.provider import ConstructResult
from pulumi.provider import Provider as ComponentProvider
from pulumi.provider.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from langfuse_aws.offline.vpc_component import VPC, Vpc


class Awsx(ComponentProvider):
    """Makes the component."""

    def __init__(self) -> None:
        super().__init__(version("pulumi-awsx"))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make one component."""
        if resource_type != VPC:
            message = f"{resource_type} is not made by langfuse_aws/offline/awsx.py, only {VPC} is"
            raise ValueError(message)
        vpc = Vpc(name, dict(inputs), options)
        state = vpc.state()
        vpc.register_outputs(state)
        return ConstructResult(vpc.urn, state)


class Servicer(ProviderServicer):
    """The SDK's servicer, with the handshake it lacks, and one component at a time.

    Several engines may share it, and a request does not say which of them logs its lines: it never
    learns where one is, since a line to an engine that has ended would end a registration too.
    """

    def __init__(self) -> None:
        super().__init__(Awsx(), [], "")
        self._turn = asyncio.Lock()

    async def Handshake(self, request: Any, context: Any) -> Any:
        """Say what the provider understands."""
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=True
        )

    async def Attach(self, request: Any, context: Any) -> Any:
        """Take note of an engine."""
        return Empty()

    async def CheckConfig(self, request: Any, context: Any) -> Any:
        """Accept any configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: Any, context: Any) -> Any:
        """There is nothing to configure."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    async def Construct(self, request: Any, context: Any) -> Any:
        """Make one component; several at once would slow down each other's blocking invokes."""
        async with self._turn:
            return await super().Construct(request, context)


async def serve() -> None:
    """Serve on a free loopback port, which is printed."""
    server = grpc.aio.server()
    add_ResourceProviderServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    sys.stdout = sys.stderr
    await server.wait_for_termination()


def _end_with_standard_input() -> None:
    sys.stdin.read()
    _exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    asyncio.run(serve())
