"""The awsx provider, which several engines may share."""

import asyncio

from pulumi.runtime.proto import plugin_pb2, provider_pb2

from langfuse_aws.offline.awsx import Servicer

ENDED = "127.0.0.1:1"


def test_no_line_goes_to_an_engine_that_may_have_ended() -> None:
    """A registration whose line cannot be logged is never answered, and an update waits for it."""
    servicer = Servicer()
    handshake = provider_pb2.ProviderHandshakeRequest(engine_address=ENDED)
    asyncio.run(servicer.Handshake(handshake, None))
    asyncio.run(servicer.Attach(plugin_pb2.PluginAttach(address=ENDED), None))
    assert not servicer.engine_address
