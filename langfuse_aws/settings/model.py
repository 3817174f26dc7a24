"""The settings of one stack: every key of the `langfuse:` namespace but the secrets.

Sections that fill a file have one of their own.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from langfuse_aws.settings.external_stores import Name
from langfuse_aws.settings.host_names import Domain, DomainBelowZone
from langfuse_aws.settings.hours import Hours
from langfuse_aws.settings.images import Images
from langfuse_aws.settings.installation import REPOSITORY_URL
from langfuse_aws.settings.managed_policies import PolicyArn
from langfuse_aws.settings.network import Network
from langfuse_aws.settings.regions import Region
from langfuse_aws.settings.rotation import Rotation
from langfuse_aws.settings.section import Email, Form, Section, invalid
from langfuse_aws.settings.services import Ingress, Web, Worker
from langfuse_aws.settings.sign_in import Providers, Smtp
from langfuse_aws.settings.stores import ClickHouse, Postgres, Redis, Storage
from langfuse_aws.settings.trusted_certificates import TrustedCertificates
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_MAJORS, LANGFUSE_MINIMUM, version_of

WriteMode = Literal["legacy", "dual", "events_only"]

DEFAULT_WRITE_MODE: Final[dict[int, WriteMode]] = {3: "legacy", 4: "events_only"}
"""Langfuse's own defaults, by major."""


class Backups(Section):
    """Snapshots of the ClickHouse volumes, by AWS Backup.

    PostgreSQL has point-in-time recovery (`postgres.backupRetentionDays`) beside them.
    """

    hourly_retention_days: int = Field(
        ge=0, le=35, description="Days that hourly snapshots are kept; 0: none are taken"
    )
    daily_retention_days: int = Field(
        ge=1, le=3650, description="Days that daily snapshots are kept"
    )
    copy_region: Region | None = Field(
        None,
        description="Second region for copies of the daily snapshots, and of PostgreSQL's",
    )
    vault_lock: bool = Field(
        False,
        description="Lock the vault in governance mode: nobody deletes a snapshot early without "
        "the permission to take the lock away",
    )


class V4(Section):
    """How Langfuse writes while it moves to version 4's tables. See docs/upgrade.md."""

    write_mode: WriteMode | None = Field(
        None,
        description="Tables that are written; not set: `legacy` in Langfuse 3, "
        "`events_only` in Langfuse 4",
    )
    historic_backfill: bool | None = Field(
        None,
        description="Copy old events to the new tables, which takes three times their disk; "
        "not set: unless the write mode is `legacy`",
    )


DisplayName = Annotated[str, Field(min_length=1, max_length=60)]


class Bootstrap(Section):
    """An organization, a project with API keys, and the organization's owner.

    Langfuse makes them when web starts, if they are not there. It changes none that is.
    """

    user_email: Email = Field(
        description="Owner of the organization, who signs in with a generated password"
    )
    organization: DisplayName = Field(
        "Langfuse", description="Name of the organization; afterwards it is changed in Langfuse"
    )
    project: DisplayName = Field(
        "Default", description="Name of the project; afterwards it is changed in Langfuse"
    )
    key_version: int = Field(
        1, ge=1, description="Raise it to get another pair of API keys; the old pair stays valid"
    )


class Grafana(Section):
    """Grafana behind the ingress, at the path `/grafana`."""

    enabled: bool = Field(
        False, description="Run Grafana with a dashboard of the stack; see docs/grafana.md"
    )
    clickhouse_user: Name | None = Field(
        None,
        description="User that may only read; needed with an external ClickHouse, and only there",
    )


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


RUNBOOK_URL: Final = f"{REPOSITORY_URL}/blob/main/docs/operations.md"
"""The repository's own page."""
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
            raise invalid(
                "is not the address of a page, from https:// on and without a #",
                "write it as a browser shows it: each mail adds its own #heading",
            )
        if len(value) > LONGEST_RUNBOOK_URL:
            raise invalid(
                f"has {len(value)} characters, and an alarm's description has room for "
                f"{LONGEST_RUNBOOK_URL}",
                "take a shorter address",
            )
        return value

    @field_validator("monthly_budget_usd")
    @classmethod
    def _monthly_budget_usd(cls, value: float | None) -> float | None:
        if value is not None and value != round(value, 2):
            raise invalid(
                "has more than the two decimals of a cent",
                "round it: AWS Budgets would compare with another amount",
            )
        return value


CUSTOMER_KEY: Final = "customerKey"

EncryptionKey = Annotated[
    str,
    Form(
        rf"^({CUSTOMER_KEY}|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{{12}}:key/[A-Za-z0-9-]+)$",
        f"must be {CUSTOMER_KEY} or the ARN of a KMS key",
        "an alias is not enough; see aws kms describe-key --key-id alias/NAME, which shows the ARN",
    ),
]


RECORD_DAYS: Final = 365
"""Who audits asks what changed the databases, and whether they were backed up, a year back. Of both
there are a few KB a day, which tell of nobody who uses Langfuse."""


class Logs(Section):
    """CloudWatch log groups."""

    retention_days: int = Field(
        description=f"Days until log events expire; of migrations and backups {RECORD_DAYS} or more"
    )

    @field_validator("retention_days")
    @classmethod
    def _retention_days(cls, value: int) -> int:
        if value not in RETENTION_DAYS:
            days = ", ".join(str(days) for days in RETENTION_DAYS)
            raise invalid(f"CloudWatch Logs keeps events for one of {days} days", "30 is a month")
        return value

    @property
    def record_days(self) -> int:
        """Days until what tells of migrations and backups expires."""
        return max(self.retention_days, RECORD_DAYS)


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
    permissions_boundary: PolicyArn | None = Field(
        None,
        description="Managed policy that bounds every role that the stack makes; see "
        "docs/operations.md",
    )
    trusted_certificates: TrustedCertificates | None = Field(
        None,
        description="Certificates of private authorities that web, worker and the migration trust "
        "beside the public ones, as PEM; see docs/operations.md",
    )
    encryption: EncryptionKey | None = Field(
        None,
        description="`customerKey`: one KMS key of the stack for all that it keeps; or the ARN of "
        "a key of yours. Not set: keys of AWS's. See docs/operations.md, Encryption",
    )
    hours: Hours | None = Field(
        None,
        description="When the stack is awake, for stacks that nobody needs at night: outside of "
        "these hours it takes no events and costs what it keeps; see docs/hours.md",
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
    exec: bool = Field(
        False,
        description="A shell in web and worker by ECS Exec, for whoever IAM lets call "
        "ecs:ExecuteCommand: every secret of Langfuse is in reach of it. Another value starts "
        "their tasks anew; see docs/status.md",
    )
    v4: V4 = V4()  # pyright: ignore[reportCallIssue]
    grafana: Grafana = Grafana()  # pyright: ignore[reportCallIssue]
    rotation: Rotation = Rotation()  # pyright: ignore[reportCallIssue]
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
            raise invalid(bound, remedy) from None
        if version < LANGFUSE_MINIMUM or version[0] not in LANGFUSE_MAJORS:
            raise invalid(bound, remedy)
        return value

    @property
    def write_mode(self) -> WriteMode:
        """Which tables Langfuse writes."""
        return self.v4.write_mode or DEFAULT_WRITE_MODE[self.major]

    @property
    def backfills(self) -> bool:
        """Whether Langfuse copies old events to the tables of Langfuse 4."""
        if self.v4.historic_backfill is None:
            return self.write_mode != "legacy"
        return self.v4.historic_backfill

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
    def policies(self) -> list[tuple[str, str]]:
        """The managed policies that the stack file names: the key of each, and its ARN."""
        boundary = self.permissions_boundary
        return [
            *(("web.policyArns", arn) for arn in self.web.policy_arns),
            *(("worker.policyArns", arn) for arn in self.worker.policy_arns),
            *([("permissionsBoundary", boundary)] if boundary else []),
        ]

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
        return self.domain.partition(".")[2]
