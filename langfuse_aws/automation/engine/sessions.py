"""A session of AWS with the credentials that Pulumi's provider takes from a stack's configuration.

https://www.pulumi.com/registry/packages/aws/installation-configuration/
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

import boto3
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

from langfuse_aws.settings import provider_keys, regions

_KEYS: Final = {
    "aws:accessKey": "aws_access_key_id",
    "aws:secretKey": "aws_secret_access_key",
    "aws:token": "aws_session_token",
}
_ARGUMENTS: Final = {
    "externalId": "ExternalId",
    "policy": "Policy",
    "sessionName": "RoleSessionName",
    "sourceIdentity": "SourceIdentity",
    "transitiveTagKeys": "TransitiveTagKeys",
}
"""Of a role in the configuration, and of sts:AssumeRole. A session lasts as long as AWS lets it
by default, an hour, and is made again: `duration` does not matter."""


def session_of(region: str | None, config: Mapping[str, Any]) -> Any:
    """Give boto3's session for a stack with that configuration, its keys with their namespaces.

    Values are YAML's own, or Pulumi's JSON text. If one of the keys is encrypted, all are passed
    over: the credentials are those of the environment then.
    """
    keys = {name: config[key] for key, name in _KEYS.items() if config.get(key)}
    if not all(isinstance(each, str) for each in keys.values()):
        keys = {}
    first: Any = boto3.Session(
        region_name=region, profile_name=config.get(regions.PROFILE_KEY), **keys
    )
    return reduce(_as_role, provider_keys.assumed_roles(config), first)


class _Assumed(CredentialProvider):
    """Gives the credentials of a role, which are asked for when the first call needs them."""

    METHOD = "assume-role"

    def __init__(self, session: Any, role: Mapping[str, Any]) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._session, self._role = session, role

    def load(self) -> Any:
        """Give them."""
        arguments = {_ARGUMENTS[key]: self._role[key] for key in _ARGUMENTS if self._role.get(key)}
        if arns := self._role.get("policyArns"):
            arguments["PolicyArns"] = [{"arn": each} for each in arns]
        if tags := self._role.get("tags"):
            arguments["Tags"] = [{"Key": key, "Value": tags[key]} for key in tags]
        region = self._session.region_name

        def client(service: str, **credentials: Any) -> Any:
            return self._session.client(service, region_name=region, **credentials)

        fetcher = AssumeRoleCredentialFetcher(
            client_creator=client,
            source_credentials=self._session.get_credentials(),
            role_arn=self._role["roleArn"],
            extra_args=arguments,
        )
        return DeferredRefreshableCredentials(
            method=self.METHOD, refresh_using=fetcher.fetch_credentials
        )


def _as_role(session: Any, role: Mapping[str, Any]) -> Any:
    """A session with the rights of a role that another one may assume."""
    core = Session()
    resolver = CredentialResolver([_Assumed(session, role)])
    core.register_component("credential_provider", resolver)  # pyright: ignore[reportUnknownMemberType]
    return boto3.Session(region_name=session.region_name, botocore_session=core)
