"""Makes clients of AWS for a stack that may not be there yet, from its file and the environment."""

from collections.abc import Callable, Mapping
from functools import cached_property
from threading import Lock
from typing import Any

from botocore.config import Config

from langfuse_aws.automation.aws.answers import NewStack
from langfuse_aws.automation.engine.region import region_of
from langfuse_aws.automation.engine.sessions import session_of
from langfuse_aws.automation.engine.stack_file import StackFile


class Clients:
    """Clients of AWS with the stack's credentials, made once each; safe in threads."""

    def __init__(self, region: str, config: Mapping[str, Any]) -> None:
        """Take the configuration of a stack, with its keys of `aws:`."""
        self._region, self._config = region, config
        self._client = one_of_each(self._made)

    @cached_property
    def _session(self) -> Any:
        return session_of(self._region, self._config)

    def __call__(self, service: str, region: str | None = None) -> Any:
        """Give a client of a service, in the stack's region or in another."""
        return self._client(service, region)

    def _made(self, service: str, region: str | None) -> Any:
        retries: Any = {"mode": "standard", "total_max_attempts": 5}
        patient = Config(retries=retries, connect_timeout=10, read_timeout=30)
        return self._session.client(service, region_name=region, config=patient)


def one_of_each(make: Callable[..., Any]) -> Callable[..., Any]:
    """Make each client once, and one at a time: boto3's sessions are not for several threads."""
    made: dict[tuple[str | None, ...], Any] = {}
    lock = Lock()

    def client(*which: str | None) -> Any:
        with lock:
            if which not in made:
                made[which] = make(*which)
            return made[which]

    return client


def new_stack(found: StackFile) -> NewStack:
    """Find the region, and make the clients. UserError without a region that there is."""
    region = region_of(found.name, found.region, found.profile)
    clients = Clients(region, found.provider)
    return NewStack(found.name, found.prefix, region, found.settings, clients, found.folder)
