"""The settings of one stack: every key of the `langfuse:` namespace but the secrets."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from langfuse_aws.settings.bootstrap import Bootstrap
from langfuse_aws.settings.data_safety import DEFAULT_WRITE_MODE, V4, Backups, WriteMode
from langfuse_aws.settings.grafana import Grafana
from langfuse_aws.settings.host_names import Domain, DomainBelowZone
from langfuse_aws.settings.images import Images
from langfuse_aws.settings.network import Network
from langfuse_aws.settings.releases import LANGFUSE, LANGFUSE_MAJORS, LANGFUSE_MINIMUM, version_of
from langfuse_aws.settings.section import Email, Form, Section, refusal
from langfuse_aws.settings.services import Ingress, Web, Worker
from langfuse_aws.settings.sign_in import Providers, Smtp
from langfuse_aws.settings.stores import ClickHouse, Postgres, Redis, Storage

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)

MOST_BUDGET_USD: Final = 1_000_000_000
"""A guard against typing errors: AWS Budgets takes any number of digits."""

AdoptedStore = Literal["postgres", "redis", "storage"]
ResourceName = Annotated[
    str,
    Form(
        r"^[A-Za-z0-9][A-Za-z0-9-]*$",
        "must be the name of a resource, such as langfuse-prod-redis",
        "take it from the error that asked for it",
    ),
]


class Auth(Section):
    """Sign-in."""

    disable_signup: bool | None = Field(
        None, description="Refuse new accounts; not set: once `bootstrap` makes the first user"
    )
    disable_password: bool = Field(False, description="Refuse sign-in by password")
    enforce_sso_domains: list[Domain] = Field(
        [], description="Email domains whose users must sign in by a provider, never by password"
    )
    existing_accounts: bool = Field(
        False,
        description="People have accounts already, beside the one that `bootstrap` makes: then "
        "nothing is refused for their want",
    )
    providers: Providers = Field(
        default_factory=Providers,
        description="Ways to sign in beside the password, each with the keys below; see "
        "docs/sign-in.md",
    )


RUNBOOK_URL: Final = "https://github.com/OWNER/langfuse-aws/blob/main/docs/operations.md"
"""The repository's own page; whoever publishes it writes its owner here."""
LONGEST_RUNBOOK_URL: Final = 700
"""Of the 1024 characters of an alarm's description, which has a sentence and a heading besides.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


class Alarms(Section):
    """Who is told, and of what."""

    email: Email = Field(
        description="Address that gets the alarms, and is told when spending nears the budget"
    )
    monthly_budget_usd: float | None = Field(
        None,
        gt=0,
        le=MOST_BUDGET_USD,
        allow_inf_nan=False,
        description="AWS Budget on the account's monthly cost, USD; not set: none, as in GovCloud, "
        "which has no AWS Budgets",
    )
    runbook_url: str = Field(
        RUNBOOK_URL,
        description="Page with a heading for each alarm, which its mail links to: this "
        "repository's docs/operations.md, or a copy of yours",
    )

    @field_validator("runbook_url")
    @classmethod
    def _runbook_url(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[!-~]+", value) or "#" in value:
            raise refusal(
                "is not the address of a page, from https:// on and without a #",
                "write it as a browser shows it: each mail adds its own #heading",
            )
        if len(value) > LONGEST_RUNBOOK_URL:
            raise refusal(
                f"has {len(value)} characters, and an alarm's description has room for "
                f"{LONGEST_RUNBOOK_URL}",
                "take a shorter address",
            )
        return value

    @field_validator("monthly_budget_usd")
    @classmethod
    def _monthly_budget_usd(cls, value: float | None) -> float | None:
        if value is not None and value != round(value, 2):
            raise refusal(
                "has more than the two decimals of a cent",
                "round it: AWS Budgets would compare with another amount",
            )
        return value


class Logs(Section):
    """CloudWatch log groups."""

    retention_days: int = Field(description="Days until log events expire")

    @field_validator("retention_days")
    @classmethod
    def _retention_days(cls, value: int) -> int:
        if value not in RETENTION_DAYS:
            days = ", ".join(str(days) for days in RETENTION_DAYS)
            raise refusal(f"CloudWatch Logs keeps events for one of {days} days", "30 is a month")
        return value


class Settings(Section):
    """A stack's settings, complete: what the stack file left out comes from its size's row.

    A key that a size decides has no default here: every row has it. Each section is right by
    itself; `langfuse_aws.settings.agreement` says what they must be to each other.
    """

    size: Literal["dev", "staging", "prod"] = Field(
        description="Row of the sizing table; the only key that must be set"
    )
    release: str = Field(
        LANGFUSE,
        description="Exact Langfuse release, 3.125.0 or later, or 4.x. A default takes no running "
        "stack to another major",
    )
    domain: DomainBelowZone | None = Field(
        None,
        description="Host name that users open, such as langfuse.example.com; 64 characters at the "
        "most where the stack makes the certificate",
    )
    deletion_protection: bool = Field(
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
    network: Network
    ingress: Ingress
    web: Web
    worker: Worker
    clickhouse: ClickHouse
    postgres: Postgres
    redis: Redis
    storage: Storage
    backups: Backups
    bootstrap: Bootstrap | None = None
    auth: Auth = Auth()  # pyright: ignore[reportCallIssue]
    smtp: Smtp | None = None
    alarms: Alarms | None = None
    logs: Logs
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

    @property
    def write_mode(self) -> WriteMode:
        """Which tables Langfuse writes."""
        return self.v4.write_mode or DEFAULT_WRITE_MODE[self.major]

    @property
    def probes_queues(self) -> bool:
        """Whether each worker has a queue probe beside it."""
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
