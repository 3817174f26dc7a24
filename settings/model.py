"""The settings of one stack: every key of the `langfuse:` namespace but the secrets."""

from typing import Annotated, Final, Literal

from pydantic import EmailStr, Field, ValidationInfo, field_validator

from contract.metrics import FIRST_RELEASE as QUEUE_METRICS_SINCE
from settings.app_runner import APP_RUNNER, FARGATE, web_fault
from settings.bootstrap import Bootstrap
from settings.data_safety import DEFAULT_WRITE_MODE, V4, Backups, WriteMode
from settings.external_stores import ExternalClickHouse
from settings.grafana import Grafana
from settings.images import DOCKER_HUB, GITHUB, Images
from settings.network import CreatedNetwork, Network
from settings.releases import LANGFUSE, LANGFUSE_MAJORS, LANGFUSE_MINIMUM, version_of
from settings.section import Section, refusal
from settings.services import ApiGatewayIngress, Ingress, Web, Worker
from settings.sign_in import Domain, Providers, Smtp
from settings.stores import (
    ClickHouse,
    ClickHouseOnEc2,
    ElastiCacheRedis,
    Postgres,
    PostgresInstance,
    Redis,
    Storage,
)

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)

CERTIFICATE_NAME_LENGTH: Final = 64
"""Of the first name of a certificate that ACM makes, in characters.
https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html"""

AdoptedStore = Literal["postgres", "redis", "storage"]
ResourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]


class Auth(Section):
    """Sign-in."""

    disable_signup: bool | None = Field(
        None, description="Refuse new accounts; not set: once `bootstrap` makes the first user"
    )
    disable_password: bool = Field(False, description="Refuse sign-in by password")
    enforce_sso_domains: list[Domain] = Field(
        [], description="Email domains whose users must sign in by a provider, never by password"
    )
    providers: Providers = Field(
        default_factory=Providers,
        description="Ways to sign in beside the password, each with the keys below; see "
        "docs/sign-in.md",
    )


class Alarms(Section):
    """Who is told, and of what."""

    email: EmailStr = Field(
        description="Address that gets the alarms, and is told when spending nears the budget"
    )
    monthly_budget_usd: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="AWS Budget on the account's monthly cost, USD; not set: none, as in GovCloud, "
        "which has no AWS Budgets",
    )


class Logs(Section):
    """CloudWatch log groups."""

    retention_days: int = Field(30, description="Days until log events expire")

    @field_validator("retention_days")
    @classmethod
    def _retention_days(cls, value: int) -> int:
        if value not in RETENTION_DAYS:
            days = ", ".join(str(days) for days in RETENTION_DAYS)
            raise refusal(f"CloudWatch Logs keeps events for one of {days} days", "30 is a month")
        return value


class Settings(Section):
    """A stack's settings, complete: what the stack file left out comes from its size's row."""

    size: Literal["dev", "staging", "prod"] = Field(
        description="Row of the sizing table; the only key that must be set"
    )
    release: str = Field(
        LANGFUSE,
        description="Exact Langfuse release, 3.125.0 or later, or 4.x. A default takes no running "
        "stack to another major",
    )
    domain: str | None = Field(
        None,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.){2,}[a-z]{2,63}$",
        max_length=253,
        description="Host name that users open, such as langfuse.example.com; 64 characters at the "
        "most where the stack makes the certificate",
    )
    deletion_protection: bool = Field(
        False,
        description="Keep every store on destroy or replacement: Pulumi's protect, AWS's own "
        "protection, final snapshots, secret recovery",
    )
    allow_replace: list[ResourceName] = Field(
        [],
        description="Names of stores that the next `pulumi up` may replace or delete, and of a "
        "protected load balancer that may go in the one after it; any other is refused in the "
        "preview. Take it away afterwards",
    )
    adopted: list[AdoptedStore] = Field(
        [],
        description="Stores that `pulumi import` has brought in: each stays what it was made with, "
        "and none is made; see docs/migrate-from-terraform.md",
    )
    network: Network = CreatedNetwork()  # pyright: ignore[reportCallIssue]
    ingress: Ingress = ApiGatewayIngress(kind="apiGateway")  # pyright: ignore[reportCallIssue]
    web: Web = Web()  # pyright: ignore[reportCallIssue]
    worker: Worker = Worker()  # pyright: ignore[reportCallIssue]
    clickhouse: ClickHouse = ClickHouseOnEc2(mode="ec2")  # pyright: ignore[reportCallIssue]
    postgres: Postgres = PostgresInstance(mode="instance")  # pyright: ignore[reportCallIssue]
    redis: Redis = ElastiCacheRedis(mode="elasticache")  # pyright: ignore[reportCallIssue]
    storage: Storage = Storage()  # pyright: ignore[reportCallIssue]
    backups: Backups = Backups()  # pyright: ignore[reportCallIssue]
    bootstrap: Bootstrap | None = None
    auth: Auth = Auth()  # pyright: ignore[reportCallIssue]
    smtp: Smtp | None = None
    alarms: Alarms | None = None
    logs: Logs = Logs()  # pyright: ignore[reportCallIssue]
    v4: V4 = V4()  # pyright: ignore[reportCallIssue]
    grafana: Grafana = Grafana()  # pyright: ignore[reportCallIssue]
    images: Images = Images()  # pyright: ignore[reportCallIssue]

    @field_validator("release")
    @classmethod
    def _release(cls, value: str) -> str:
        least = ".".join(str(part) for part in LANGFUSE_MINIMUM)
        bound = f"must be an exact Langfuse release, {least} or later, of major 3 or 4"
        remedy = f'"{LANGFUSE}" is the default; floating tags have pointed at other majors before'
        try:
            version = version_of(value)
        except ValueError:
            raise refusal(bound, remedy) from None
        if version < LANGFUSE_MINIMUM or version[0] not in LANGFUSE_MAJORS:
            raise refusal(bound, remedy)
        return value

    @field_validator("ingress")
    @classmethod
    def _ingress(cls, value: Ingress, info: ValidationInfo) -> Ingress:
        if "domain" not in info.data:
            return value
        domain = info.data["domain"]
        if value.kind == "alb" and domain is None:
            raise refusal(
                "ingress.kind alb serves https and so needs a domain",
                "set langfuse:domain, or set ingress.kind to apiGateway, which has a name of "
                "its own",
                key="kind",
            )
        if value.kind == APP_RUNNER and domain is None:
            raise refusal(
                "App Runner tells its own name only once web runs, and web must know its URL "
                "before, so it needs a domain",
                f"set langfuse:domain, in a public hosted zone of Route 53, or {FARGATE}",
                key="kind",
            )
        if value.kind == "apiGateway" and domain is None and value.certificate_arn:
            raise refusal(
                "a certificate is for a domain, and none is set",
                "set langfuse:domain",
                key="certificateArn",
            )
        made_here = value.kind != APP_RUNNER and not value.certificate_arn
        if domain and made_here and len(domain) > CERTIFICATE_NAME_LENGTH:
            raise refusal(
                f"is not set, and ACM makes certificates for names of at most "
                f"{CERTIFICATE_NAME_LENGTH} characters: the domain {domain} has {len(domain)}",
                "choose a shorter langfuse:domain, or name a wildcard certificate that covers it",
                key="certificateArn",
            )
        if domain and value.hosted_zone and not f".{domain}".endswith(f".{value.hosted_zone}"):
            raise refusal(
                f"the domain {domain} is not in this zone",
                "name the public hosted zone that holds the domain",
                key="hostedZone",
            )
        return value

    @field_validator("web")
    @classmethod
    def _web(cls, value: Web, info: ValidationInfo) -> Web:
        if fault := web_fault(value, info.data.get("ingress"), info.data.get("network")):
            key, bound, remedy = fault
            raise refusal(bound, remedy, key=key)
        return value

    @field_validator("worker")
    @classmethod
    def _worker(cls, value: Worker, info: ValidationInfo) -> Worker:
        release = info.data.get("release")
        if value.scale_on == "backlog" and release and version_of(release) < QUEUE_METRICS_SINCE:
            first = ".".join(str(part) for part in QUEUE_METRICS_SINCE)
            raise refusal(
                f"Langfuse {release} does not publish how many jobs wait; {first} is the first "
                "release that does",
                "set langfuse:release to a later one, or worker.scaleOn to cpu",
                key="scaleOn",
            )
        return value

    @field_validator("postgres", "redis")
    @classmethod
    def _adopted(cls, value: Postgres | Redis, info: ValidationInfo) -> Postgres | Redis:
        adoptable = {"postgres": "auroraServerless", "redis": "elasticache"}[info.field_name or ""]
        if info.field_name in info.data.get("adopted", ()) and value.mode != adoptable:
            raise refusal(
                f"langfuse:adopted names it, and only {adoptable} can be adopted",
                f"choose {adoptable}, or take {info.field_name} off langfuse:adopted",
                key="mode",
            )
        return value

    @field_validator("clickhouse")
    @classmethod
    def _clickhouse(cls, value: ClickHouse, info: ValidationInfo) -> ClickHouse:
        network = info.data.get("network")
        if value.mode == "ec2" and network is not None and network.zone_count < value.replicas:
            raise refusal(
                f"every server has a zone of its own, and the network has {network.zone_count}",
                "set langfuse:network.zones to 3, or list three subnets of an adopted VPC",
                key="replicas",
            )
        return value

    @field_validator("grafana")
    @classmethod
    def _grafana(cls, value: Grafana, info: ValidationInfo) -> Grafana:
        clickhouse = info.data.get("clickhouse")
        if clickhouse is not None and (fault := _reader_fault(value, clickhouse)):
            raise refusal(*fault, key="clickhouseUser")
        web = info.data.get("web")
        if value.enabled and web is not None and web.platform == APP_RUNNER:
            raise refusal(
                "Grafana is at a path of the ingress, and web.platform appRunner has none",
                f"remove it, or {FARGATE}",
                key="enabled",
            )
        return value

    @field_validator("images")
    @classmethod
    def _images(cls, value: Images, info: ValidationInfo) -> Images:
        grafana, clickhouse = info.data.get("grafana"), info.data.get("clickhouse")
        web = info.data.get("web")
        if value.source != "mirror" and web is not None and web.platform == APP_RUNNER:
            raise refusal(
                "App Runner pulls from ECR only, and what is there before it starts",
                f"set images.source to mirror, or {FARGATE}",
                key="source",
            )
        registries = {GITHUB}
        if (grafana and grafana.enabled) or isinstance(clickhouse, ClickHouseOnEc2):
            registries.add(DOCKER_HUB)
        if missing := value.missing_secret(registries):
            raise refusal(
                "is not set, and ECR pulls nothing through without a user of the registry",
                "make the secret as docs/images.md says, and put its ARN here",
                key=missing,
            )
        return value

    @property
    def write_mode(self) -> WriteMode:
        """Which tables Langfuse writes."""
        return self.v4.write_mode or DEFAULT_WRITE_MODE[self.major]

    @property
    def publishes_queue_metrics(self) -> bool:
        """Whether the worker publishes its queues' metrics to CloudWatch (`contract.metrics`)."""
        return self.worker.scale_on == "backlog"

    @property
    def version(self) -> tuple[int, int, int]:
        """Langfuse's release, as numbers."""
        return version_of(self.release)

    @property
    def major(self) -> int:
        """Langfuse's major version, 3 or 4."""
        return self.version[0]

    @property
    def signup_disabled(self) -> bool:
        """Whether nobody can make an account."""
        if self.auth.disable_signup is None:
            return self.bootstrap is not None
        return self.auth.disable_signup

    @property
    def hosted_zone(self) -> str | None:
        """The Route 53 zone that gets the domain's records; None: the program makes no record."""
        if self.domain is None:
            return None
        if self.ingress.hosted_zone or self.ingress.certificate_arn:
            return self.ingress.hosted_zone
        return self.domain.split(".", 1)[1]


def _reader_fault(grafana: Grafana, clickhouse: ClickHouse) -> tuple[str, str] | None:
    """What is wrong with the user that Grafana reads ClickHouse as, and what to do."""
    user = grafana.clickhouse_user
    if not (grafana.enabled and isinstance(clickhouse, ExternalClickHouse)):
        if user is None:
            return None
        return (
            "exists only for grafana.enabled true with clickhouse.mode external",
            "remove it; the stack's own ClickHouse gets a user by itself",
        )
    if user is None:
        return (
            "an external ClickHouse needs a user that may only read",
            "make one as docs/grafana.md says, and name it here",
        )
    if user == clickhouse.user:
        return (
            "this is Langfuse's own user, which may write",
            "name one that may only read; docs/grafana.md has the SQL",
        )
    return None
