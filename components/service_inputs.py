"""What web, worker and the migration need of the rest of the stack."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi

from langfuse_aws.components.authorities import Authorities, authorities
from langfuse_aws.components.clickhouse.clickhouse import ClickHouse
from langfuse_aws.components.data_plane.data_plane import DataPlane
from langfuse_aws.components.environment import Credentials, Endpoints, Environment
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.images import Images
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.security_groups import IngressRule
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.contract import metrics
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.sign_in import SesMail


@dataclass(frozen=True)
class ServiceInputs:
    """The stack's parts, as the containers see them."""

    settings: Settings
    location: Location
    network: Network
    cluster: Cluster
    images: Images
    data_plane: DataPlane
    clickhouse: ClickHouse
    guarded: pulumi.Resource
    """What refuses a release that nobody named (`components/protection/release_guard.py`)."""
    url: pulumi.Output[str]

    @cached_property
    def endpoints(self) -> Endpoints[pulumi.Input[str]]:
        """Where the stores are."""
        return Endpoints(
            url=self.url,
            region=self.location.region,
            database_host=self.data_plane.postgres.host,
            database_owner=self.data_plane.postgres.user,
            database_user=self.data_plane.postgres.services_user,
            database_name=self.data_plane.postgres.database,
            redis_host=self.data_plane.redis.host,
            redis_port=self.data_plane.redis.port,
            clickhouse_url=self.clickhouse.http_url,
            clickhouse_migration_url=self.clickhouse.native_url,
            clickhouse_user=self.clickhouse.user,
            redis_tls=self.data_plane.redis.tls,
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
            providers=self.data_plane.providers,
            smtp_url=self.data_plane.smtp_url,
        )

    @property
    def authorities(self) -> Authorities | None:
        """What the containers trust besides; None: what their images do."""
        return authorities(self.settings, self.location.region)

    @property
    def first_start(self) -> Environment[pulumi.Input[str], SecretReference] | None:
        """What has the first start make a project and a user; None: users do."""
        bootstrap = self.data_plane.bootstrap
        return bootstrap.environment if bootstrap is not None else None

    @cached_property
    def statements(self) -> Sequence[iam.Statement]:
        """What the containers' roles may do."""
        storage = self.data_plane.storage
        statements = iam.bucket_access(storage.bucket_arn, storage.key_arn)
        smtp = self.settings.smtp
        if isinstance(smtp, SesMail):
            guessed = iam.mail_identities(self.location, smtp.identities)
            statements.append(iam.mail_access(smtp.from_address, smtp.resource_arns or guessed))
        services = self.settings.web, self.settings.worker
        if any(metrics.publishes(each.environment) for each in services):
            statements.append(iam.metric_publishing(metrics.NAMESPACE))
        return statements

    @property
    def ingress_rules(self) -> dict[str, IngressRule]:
        """The stores that both containers connect to."""
        return {**self.data_plane.ingress_rules, **self.clickhouse.http_ingress}

    @property
    def migration_ingress(self) -> dict[str, IngressRule]:
        """The stores that the migration connects to."""
        return {**self.data_plane.postgres.ingress_rules, **self.clickhouse.native_ingress}

    @property
    def store_identities(self) -> dict[str, pulumi.Output[str]]:
        """What tells that a database is another one, though it has the old one's name."""
        return {
            "postgres": self.data_plane.postgres.identity,
            "clickhouse": self.clickhouse.identity,
        }

    @property
    def before_migration(self) -> Sequence[pulumi.Resource]:
        """What must be there before the databases are migrated: both, and no other store."""
        return [self.data_plane.postgres, self.clickhouse, self.guarded]

    @property
    def before_services(self) -> Sequence[pulumi.Resource]:
        """What must run before web and worker do, beside the migration."""
        return [self.data_plane, self.clickhouse]
