"""What web and worker both need of the rest of the stack."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi

from components import clickhouse, iam, postgres
from components.clickhouse import ClickHouse
from components.cluster import Cluster
from components.data_plane import DataPlane
from components.location import Location
from components.network import Network
from components.security_groups import Door
from components.stored_secret import SecretReference
from contract.environment import Credentials, Endpoints
from contract.runtime import REDIS_PORT
from settings.model import Settings


@dataclass(frozen=True)
class StackParts:
    """The stack's parts, as the containers see them."""

    settings: Settings
    location: Location
    network: Network
    cluster: Cluster
    data_plane: DataPlane
    clickhouse: ClickHouse
    url: pulumi.Output[str]

    @cached_property
    def endpoints(self) -> Endpoints[pulumi.Input[str]]:
        """Where the stores are."""
        return Endpoints(
            url=self.url,
            region=self.location.region,
            database_host=self.data_plane.postgres.host,
            database_user=postgres.USER,
            database_name=postgres.DATABASE,
            redis_host=self.data_plane.redis.host,
            redis_port=REDIS_PORT,
            clickhouse_url=self.clickhouse.http_url,
            clickhouse_migration_url=self.clickhouse.native_url,
            clickhouse_user=clickhouse.USER,
            clickhouse_memory_bytes=int(self.settings.clickhouse.memory_gib * 2**30),
            bucket=self.data_plane.storage.bucket,
        )

    @cached_property
    def credentials(self) -> Credentials[SecretReference]:
        """References to the containers' secrets."""
        return Credentials(
            database_password=self.data_plane.postgres.password,
            redis_password=self.data_plane.redis.password,
            clickhouse_password=self.clickhouse.password,
            salt=self.data_plane.salt,
            encryption_key=self.data_plane.encryption_key,
            nextauth_secret=self.data_plane.nextauth_secret,
            environment=self.data_plane.environment,
        )

    @cached_property
    def statements(self) -> Sequence[iam.Statement]:
        """What the containers' roles may do."""
        storage = self.data_plane.storage
        return iam.bucket_access(storage.bucket_arn, storage.key_arn)

    @property
    def doors(self) -> dict[str, Door]:
        """The stores that both containers connect to."""
        return {**self.data_plane.doors, "clickhouse-http": self.clickhouse.http_door}

    @property
    def after(self) -> Sequence[pulumi.Resource]:
        """What must run before the containers start."""
        return [self.data_plane, self.clickhouse]
