"""What a Langfuse of another program is made from; written by `make docs`.

Keys are those of the `langfuse:` configuration. Values are plain, because they decide which
resources there are; secrets alone may be outputs.
"""
# ruff: noqa: E501

from enum import Enum
from typing import TypedDict

import pulumi
from typing_extensions import NotRequired


class Size(Enum):
    """What `size` may be."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class Hours(TypedDict):
    """When the stack is awake; outside of these hours it takes no events. See docs/hours.md."""

    days: NotRequired[str]
    """Days of the week, two or more, such as `mon-fri` or `mon,wed,fri-sun`. Value: days or ranges of them, two days or more; default `mon-fri`."""
    from_: str
    """Time of day from which it is awake, such as `"08:00"`. Value: time of day."""
    to: str
    """Time of day at which it begins to go to sleep, such as `"19:00"`; 4 hours later at the least, and on the same day. Value: time of day."""
    timezone: str
    """Time zone of these times, by its canonical name, such as `Europe/Berlin`; `Etc/UTC` is UTC. Value: canonical name of a time zone."""


class NetworkEgress(Enum):
    """What `network.egress` may be."""

    NONE = "none"
    NAT_INSTANCE = "natInstance"
    NAT_GATEWAY = "natGateway"
    NAT_GATEWAY_PER_ZONE = "natGatewayPerZone"
    ENDPOINTS = "endpoints"


class Network(TypedDict):
    """A VPC with public and private subnets in `zones` availability zones. Or: A VPC that exists. Its routes, endpoints and default security group are its owner's."""

    cidr: NotRequired[str]
    """CIDR block of the VPC, /16 to /24. Only for a VPC of the stack. Value: IPv4 block, /16 to /24."""
    zones: NotRequired[int]
    """Availability zones. Only for a VPC of the stack. Value: integer, 2 to 4."""
    egress: NotRequired[NetworkEgress]
    """Way out for tasks: `none` puts them in public subnets with closed security groups; the others keep them private, and `endpoints` leads to AWS services alone, see docs/operations.md. Only for a VPC of the stack. Value: `none`, `natInstance`, `natGateway`, `natGatewayPerZone` or `endpoints`."""
    endpoints: NotRequired[list[str]]
    """More of AWS's services that tasks reach, such as `bedrock-runtime` and `lambda`, with `egress` `endpoints`; each costs by the hour and zone. Only for a VPC of the stack. Value: list of ends of names of endpoint services."""
    flowLogs: NotRequired[bool]
    """VPC flow logs to CloudWatch Logs. Only for a VPC of the stack."""
    vpcId: NotRequired[str]
    """The VPC to adopt instead of making one. Only for an adopted VPC. Value: VPC ID; required there."""
    privateSubnetIds: NotRequired[list[str]]
    """Adopted private subnets, with a way out, in two or more zones. Only for an adopted VPC. Value: list of subnet IDs, 2 or more; required there."""
    publicSubnetIds: NotRequired[list[str]]
    """Adopted public subnets, in two or more zones. Only for an adopted VPC. Value: list of subnet IDs, 2 or more; required there."""


class IngressKind(Enum):
    """What `ingress.kind` may be."""

    ALB = "alb"
    API_GATEWAY = "apiGateway"
    APP_RUNNER = "appRunner"


class IngressWaf(TypedDict):
    """A web application firewall; `{}` makes one with its defaults. Only for `alb`."""

    rateLimitPerFiveMinutes: NotRequired[int]
    """Requests of one address within 5 minutes before HTTP 429; `/api/public/`, where SDKs send to, does not count. Only for `alb`. Value: integer, 10 to 2,000,000,000; default `10000`."""
    countedRules: NotRequired[list[str]]
    """Managed rules that count what they find and block nothing, such as `RestrictedExtensions_URIPATH`. Only for `alb`. Value: list of names of rules."""


class Ingress(TypedDict):
    """An Application Load Balancer: own domain, private or restricted access, streaming. Or: An API Gateway HTTP API: https without a domain, no fixed cost. Or: App Runner's own way in: https under a domain of Route 53, with a certificate of its own."""

    kind: NotRequired[IngressKind]
    """Load balancer, HTTP API (30 s a request, no prompts in folders: README.md has its limits), or what `web.platform` `appRunner` brings by itself. Value: `alb`, `apiGateway` or `appRunner`."""
    certificateArn: NotRequired[str]
    """An ACM certificate of this region; without it one is made and validated in the hosted zone. Only for `alb` or `apiGateway`. Value: ARN of an ACM certificate."""
    hostedZone: NotRequired[str]
    """Route 53 public hosted zone of the domain; default: the domain without its first label, or no record at all when certificateArn is given."""
    internal: NotRequired[bool]
    """Reachable from inside the VPC only. Only for `alb`. Value: `true` or `false`; default `false`."""
    allowedCidrs: NotRequired[list[str]]
    """IPv4 networks that may connect, 30 at the most. Only for `alb`. Value: list of IPv4 blocks, 1 or more; default `0.0.0.0/0`."""
    waf: NotRequired[IngressWaf]
    """A web application firewall; `{}` makes one with its defaults. Only for `alb`."""
    rateLimit: NotRequired[int]
    """Requests a second before HTTP 429. Only for `apiGateway`. Value: integer, 1 to 10,000; default `500`."""
    burstLimit: NotRequired[int]
    """Requests at once before HTTP 429. Only for `apiGateway`. Value: integer, 1 to 5,000; default `1000`."""


class WebArchitecture(Enum):
    """What `web.architecture` may be."""

    ARM_64 = "arm64"
    X_86_64 = "x86_64"


class WebPlatform(Enum):
    """What `web.platform` may be."""

    FARGATE = "fargate"
    APP_RUNNER = "appRunner"


class Web(TypedDict):
    """The web container's service."""

    cpu: NotRequired[int]
    """CPU units of a task (1024 = 1 vCPU). Value: one of 256, 512, 1024, 2048, 4096, 8192, 16384."""
    memory: NotRequired[int]
    """Memory of a task, MiB; Node.js gets 75 % as its heap. Value: MiB that Fargate sells with `cpu`."""
    minTasks: NotRequired[int]
    """Tasks at the least. Value: integer, 1 to 100."""
    maxTasks: NotRequired[int]
    """Tasks at the most. Value: integer, 1 to 100."""
    spot: NotRequired[bool]
    """Run on Fargate Spot: about 70 % cheaper, 2 min notice."""
    architecture: NotRequired[WebArchitecture]
    """CPU architecture; arm64 (Graviton) is a fifth cheaper, and App Runner has x86_64 only. Value: `arm64` or `x86_64`."""
    environment: NotRequired[dict[str, str]]
    """More variables for Langfuse, in the clear: those in langfuse_aws/contract/variables.csv. Value: names and texts."""
    policyArns: NotRequired[list[str]]
    """More managed policies of the container's role, 10 at the most: for evaluators on Lambda, Bedrock without keys, exports to another bucket. Value: list of ARNs of managed policies."""
    platform: NotRequired[WebPlatform]
    """What runs the web container; `appRunner` is for accounts that used it before 2026-04-30, see docs/app-runner.md. Value: `fargate` or `appRunner`."""


class WorkerArchitecture(Enum):
    """What `worker.architecture` may be."""

    ARM_64 = "arm64"
    X_86_64 = "x86_64"


class WorkerScaleOn(Enum):
    """What `worker.scaleOn` may be."""

    CPU = "cpu"
    BACKLOG = "backlog"


class Worker(TypedDict):
    """The worker container's service."""

    cpu: NotRequired[int]
    """CPU units of a task (1024 = 1 vCPU). Value: one of 256, 512, 1024, 2048, 4096, 8192, 16384."""
    memory: NotRequired[int]
    """Memory of a task, MiB; Node.js gets 75 % as its heap. Value: MiB that Fargate sells with `cpu`."""
    minTasks: NotRequired[int]
    """Tasks at the least. Value: integer, 1 to 100."""
    maxTasks: NotRequired[int]
    """Tasks at the most. Value: integer, 1 to 100."""
    spot: NotRequired[bool]
    """Run on Fargate Spot: about 70 % cheaper, 2 min notice."""
    architecture: NotRequired[WorkerArchitecture]
    """CPU architecture; arm64 (Graviton) is a fifth cheaper, and App Runner has x86_64 only. Value: `arm64` or `x86_64`."""
    environment: NotRequired[dict[str, str]]
    """More variables for Langfuse, in the clear: those in langfuse_aws/contract/variables.csv. Value: names and texts."""
    policyArns: NotRequired[list[str]]
    """More managed policies of the container's role, 10 at the most: for evaluators on Lambda, Bedrock without keys, exports to another bucket. Value: list of ARNs of managed policies."""
    scaleOn: NotRequired[WorkerScaleOn]
    """What the autoscaling follows: CPU, or how long jobs wait and CPU. `backlog` has a queue probe in each task, and CloudWatch charges for four metrics. Value: `cpu` or `backlog`."""
    maxLagSeconds: NotRequired[int]
    """Seconds that the oldest waiting job may have waited before tasks are added, with `scaleOn` `backlog`. Value: integer, 10 to 3,600."""
    queueConsumptionStuckMinutes: NotRequired[int]
    """Minutes after which a worker that has begun and ended no job is replaced (Langfuse 4). Its shortest schedule is 20 minutes, for one of the workers; raise it for several idle ones with `v4.writeMode` `legacy`, where a minute's schedule is missing. Value: integer, 30 to 1,440."""
    eventPropagationStuckMinutes: NotRequired[int]
    """Minutes after which workers are replaced if none has begun to fill the new tables (3.203.2 or later, `v4.writeMode` other than `legacy`); one insert may take 10. Value: integer, 11 to 1,440."""


class ClickhouseMode(Enum):
    """What `clickhouse.mode` may be."""

    EC_2 = "ec2"
    EXTERNAL = "external"


class Clickhouse(TypedDict):
    """ClickHouse as an ECS service on an instance and a volume of its own. Or: A ClickHouse that exists, such as ClickHouse Cloud; with TLS on both ports."""

    mode: NotRequired[ClickhouseMode]
    """Where ClickHouse runs. Value: `ec2` or `external`."""
    replicas: NotRequired[int]
    """ClickHouse servers, each in a zone of its own with the whole data. Only for `ec2`. Value: 1, or 3 with three zones."""
    instanceType: NotRequired[str]
    """A Graviton instance type of 4 GiB or more. Only for `ec2`. Value: Graviton, 4 GiB or more."""
    volumeGib: NotRequired[int]
    """Size of a gp3 data volume, GiB. Only for `ec2`. Value: integer, 20 to 16,384."""
    backupRetentionDays: NotRequired[int]
    """Days that ClickHouse's own backups in S3 can be restored. Only for `ec2`. Value: integer, 1 to 365."""
    snapshotId: NotRequired[str]
    """EBS snapshot that new data volumes begin with; see docs/operations.md. Only for `ec2`. Value: ID of an EBS snapshot."""
    url: NotRequired[str]
    """HTTP interface, such as https://abc.clickhouse.cloud:8443. Only for `external`. Value: `https://HOST:PORT`; required there."""
    migrationUrl: NotRequired[str]
    """Native protocol, such as clickhouse://abc.clickhouse.cloud:9440. Only for `external`. Value: `clickhouse://HOST:PORT`; required there."""
    user: NotRequired[str]
    """User that owns the database `default`. Only for `external`. Value: a letter or `_`, then also digits and `.-`; default `default`."""
    cluster: NotRequired[bool]
    """Self-managed replicas in a cluster named `default`; not for ClickHouse Cloud. Only for `external`. Value: `true` or `false`; default `false`."""


class PostgresMode(Enum):
    """What `postgres.mode` may be."""

    AURORA_SERVERLESS = "auroraServerless"
    INSTANCE = "instance"
    EXTERNAL = "external"


class Postgres(TypedDict):
    """Aurora PostgreSQL Serverless v2. Or: One RDS for PostgreSQL instance in one zone, for the smallest stacks. Or: A PostgreSQL that exists, with TLS."""

    connectionLimit: NotRequired[int]
    """Connections of each web and worker task at the most; all together must fit into what the database allows. Value: integer, 1 to 500."""
    connectTimeoutSeconds: NotRequired[int]
    """Seconds that a task waits for a new connection; not set: 5, or 60 with `minAcu` 0, where PostgreSQL may have to resume. Value: integer, 1 to 300."""
    mode: NotRequired[PostgresMode]
    """Which PostgreSQL. Value: `auroraServerless`, `instance` or `external`."""
    minAcu: NotRequired[float]
    """Least capacity, ACU. Only for `auroraServerless`. Value: 0 to 256 in steps of 0.5."""
    maxAcu: NotRequired[float]
    """Most capacity, ACU. Only for `auroraServerless`. Value: 1 to 256 in steps of 0.5, minAcu or more."""
    instances: NotRequired[int]
    """Writer and readers together. Only for `auroraServerless`. Value: integer, 1 to 16."""
    backupRetentionDays: NotRequired[int]
    """Days of point-in-time recovery, 1 to 35. Only for `auroraServerless` or `instance`. Value: integer, 1 to 35."""
    snapshotIdentifier: NotRequired[str]
    """Snapshot that a new database begins with; see docs/operations.md. Only for `auroraServerless` or `instance`. Value: name or ARN of an RDS snapshot."""
    instanceClass: NotRequired[str]
    """RDS instance class. Only for `instance`. Value: `db.FAMILY.SIZE`."""
    host: NotRequired[str]
    """Host name of the writer, never of a transaction pooler. Only for `external`. Value: host name or IPv4 address; required there."""
    port: NotRequired[int]
    """Port. Only for `external`. Value: integer, 1 to 65,535; default `5432`."""
    user: NotRequired[str]
    """User that owns the database. Only for `external`. Value: a letter or `_`, then also digits and `.-`; default `langfuse`."""
    database: NotRequired[str]
    """Database; its schema `public` is used. Only for `external`. Value: a letter or `_`, then also digits and `.-`; default `langfuse`."""


class RedisMode(Enum):
    """What `redis.mode` may be."""

    ELASTICACHE = "elasticache"
    EXTERNAL = "external"


class Redis(TypedDict):
    """ElastiCache for Valkey, node-based, cluster mode off. Or: A Redis or Valkey that exists, not in cluster mode, with maxmemory-policy noeviction."""

    mode: NotRequired[RedisMode]
    """Where Redis runs. Value: `elasticache` or `external`."""
    nodeType: NotRequired[str]
    """ElastiCache node type. Only for `elasticache`. Value: `cache.FAMILY.SIZE`."""
    replicas: NotRequired[int]
    """Replicas; with one or more, failover is automatic. Only for `elasticache`. Value: integer, 0 to 5."""
    host: NotRequired[str]
    """Host name of the primary. Only for `external`. Value: host name or IPv4 address; required there."""
    port: NotRequired[int]
    """Port. Only for `external`. Value: integer, 1 to 65,535; default `6379`."""
    tls: NotRequired[bool]
    """Connect with TLS. Only for `external`. Value: `true` or `false`; default `true`."""


class Storage(TypedDict):
    """The S3 bucket."""

    eventsRetentionDays: NotRequired[int]
    """Days until raw events expire; not set: kept. Media never expires. Value: integer, 7 to 2,147,483,647."""
    versioningDays: NotRequired[int]
    """Days that deleted and overwritten objects can be had back; not set: none. Value: integer, 1 to 2,147,483,647."""
    kms: NotRequired[bool]
    """Encrypt with a KMS key of the bucket's own instead of SSE-S3; with `encryption`, keep that key for what it has encrypted."""


class Backups(TypedDict):
    """Snapshots of the ClickHouse volumes, by AWS Backup."""

    hourlyRetentionDays: NotRequired[int]
    """Days that hourly snapshots are kept; 0: none are taken. Value: integer, 0 to 35."""
    dailyRetentionDays: NotRequired[int]
    """Days that daily snapshots are kept. Value: integer, 1 to 3,650."""
    copyRegion: NotRequired[str]
    """Second region for copies of the daily snapshots, and of PostgreSQL's. Value: AWS region."""
    vaultLock: NotRequired[bool]
    """Lock the vault in governance mode: nobody deletes a snapshot early without the permission to take the lock away."""


class Bootstrap(TypedDict):
    """An organization, a project with API keys, and the organization's owner."""

    userEmail: str
    """Owner of the organization, who signs in with a generated password. Value: email."""
    organization: NotRequired[str]
    """Name of the organization; afterwards it is changed in Langfuse. Value: 1 to 60 characters; default `Langfuse`."""
    project: NotRequired[str]
    """Name of the project; afterwards it is changed in Langfuse. Value: 1 to 60 characters; default `Default`."""
    keyVersion: NotRequired[int]
    """Raise it to get another pair of API keys; the old pair stays valid. Value: integer, 1 or more; default `1`."""


class AuthProvider(TypedDict):
    """A way to sign in."""

    clientId: str
    """Client ID of Langfuse at the provider. Value: any text without spaces."""
    allowAccountLinking: NotRequired[bool]
    """Let its users into existing accounts of the same email address: only if the provider verifies addresses, or whoever claims one takes the account over. Value: `true` or `false`; default `false`."""
    allowedDomains: NotRequired[list[str]]
    """Google Workspace domains whose users may sign in; none: every Google user. Only for `google`. Value: list of domains."""
    issuer: NotRequired[str]
    """Issuer of the provider's tokens. Only for `okta`, `cognito`, `keycloak` or `custom`. Value: `https://HOST/PATH`; required there."""
    tenantId: NotRequired[str]
    """Microsoft Entra tenant: its ID, or a domain of it. Only for `azureAd`. Value: ID of a tenant, or a domain; required there."""
    name: NotRequired[str]
    """What the button on the sign-in page says. Only for `custom`. Value: any text; required there."""
    scope: NotRequired[str]
    """Scopes to ask for; not set: `openid email profile`. Only for `custom`. Value: any text."""


class Auth(TypedDict):
    """Sign-in."""

    disableSignup: NotRequired[bool]
    """Refuse new accounts; not set: once `bootstrap` makes the first user."""
    disablePassword: NotRequired[bool]
    """Refuse sign-in by password."""
    enforceSsoDomains: NotRequired[list[str]]
    """Email domains whose users must sign in by a provider, never by password. Value: list of domains."""
    existingAccounts: NotRequired[bool]
    """People have accounts already, beside the one that `bootstrap` makes: then nothing is refused for their want."""
    providers: NotRequired[dict[str, AuthProvider]]
    """Ways to sign in beside the password, each with the keys below; see docs/sign-in.md. Value: `google`, `github`, `okta`, `azureAd`, `cognito`, `keycloak`, `custom`."""


class SmtpMode(Enum):
    """What `smtp.mode` may be."""

    SES = "ses"
    SMTP = "smtp"


class Smtp(TypedDict):
    """Mail through Amazon SES in the stack's region, by the task roles, without a password. Or: Mail through an SMTP server, whose URL is the secret key `smtpUrl`."""

    from_: str
    """Address that mails come from. Value: email address, without a name."""
    mode: NotRequired[SmtpMode]
    """What sends mail. Value: `ses` or `smtp`."""
    resourceArns: NotRequired[list[str]]
    """ARNs of SES identities and configuration sets that mail may use; none: the identities of the address and of its domain. Only for `ses`. Value: list of ARNs."""


class Alarms(TypedDict):
    """Who is told, and of what."""

    email: str
    """Address that gets the alarms, and is told when spending nears the budget. Value: email."""
    monthlyBudgetUsd: NotRequired[float]
    """AWS Budget on the account's monthly cost, USD; not set: none, as in GovCloud, which has no AWS Budgets. Value: number above 0."""
    runbookUrl: NotRequired[str]
    """Page with a heading for each alarm, which its mail links to: this repository's docs/operations.md, or a copy of yours. Value: address of a page, from `https://` on, at most 700 characters; default `https://github.com/OWNER/langfuse-aws/blob/main/docs/operations.md`."""


class Logs(TypedDict):
    """CloudWatch log groups."""

    retentionDays: NotRequired[int]
    """Days until log events expire; of migrations and backups 365 or more. Value: one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731."""


class V4WriteMode(Enum):
    """What `v4.writeMode` may be."""

    LEGACY = "legacy"
    DUAL = "dual"
    EVENTS_ONLY = "events_only"


class V4(TypedDict):
    """How Langfuse writes while it moves to version 4's tables. See docs/upgrade.md."""

    writeMode: NotRequired[V4WriteMode]
    """Tables that are written; not set: `legacy` in Langfuse 3, `events_only` in Langfuse 4. Value: `legacy`, `dual` or `events_only`."""
    historicBackfill: NotRequired[bool]
    """Copy old events to the new tables, which takes three times their disk; not set: unless the write mode is `legacy`."""


class Grafana(TypedDict):
    """Grafana behind the ingress, at the path `/grafana`."""

    enabled: NotRequired[bool]
    """Run Grafana with a dashboard of the stack; see docs/grafana.md."""
    clickhouseUser: NotRequired[str]
    """User that may only read; needed with an external ClickHouse, and only there. Value: a letter or `_`, then also digits and `.-`."""


class RotationDatabaseStep(Enum):
    """What `rotation.databaseStep` may be."""

    BEGUN = "begun"
    ENDING = "ending"


class RotationRedisStep(Enum):
    """What `rotation.redisStep` may be."""

    BEGUN = "begun"
    ENDING = "ending"


class RotationNextauthStep(Enum):
    """What `rotation.nextauthStep` may be."""

    BEGUN = "begun"
    ENDING = "ending"


class Rotation(TypedDict):
    """What `rotate` changes, by what it is called there."""

    databaseVersion: NotRequired[int]
    """Which password of PostgreSQL's owner it is; another makes another. Raised by `rotate`. Value: integer, 1 or more."""
    databaseStep: NotRequired[RotationDatabaseStep]
    """How far `rotate` has come, which goes on from there; not set: none is under way. Value: `begun` or `ending`."""
    redisVersion: NotRequired[int]
    """Which token of Valkey it is; another makes another. Raised by `rotate`. Value: integer, 1 or more."""
    redisStep: NotRequired[RotationRedisStep]
    """How far `rotate` has come, which goes on from there; not set: none is under way. Value: `begun` or `ending`."""
    nextauthVersion: NotRequired[int]
    """Which `NEXTAUTH_SECRET` it is; another makes another. Raised by `rotate`. Value: integer, 1 or more."""
    nextauthStep: NotRequired[RotationNextauthStep]
    """How far `rotate` has come, which goes on from there; not set: none is under way. Value: `begun` or `ending`."""


class ImagesSource(Enum):
    """What `images.source` may be."""

    UPSTREAM = "upstream"
    MIRROR = "mirror"
    PULL_THROUGH = "pullThrough"


class Images(TypedDict):
    """Where the containers' images are pulled from."""

    source: NotRequired[ImagesSource]
    """`upstream`: Docker Hub and GHCR; `mirror`: copies in ECR, made by `python3 -m automation images mirror`; `pullThrough`: ECR fetches what is asked for. See docs/images.md. Value: `upstream`, `mirror` or `pullThrough`."""
    githubSecretArn: NotRequired[str]
    """Secret `ecr-pullthroughcache/…` with a GitHub user's `username` and `accessToken`, for Langfuse's images (source pullThrough). Value: ARN of a Secrets Manager secret."""
    dockerHubSecretArn: NotRequired[str]
    """The same of a Docker Hub user, for ClickHouse's and Grafana's images (source pullThrough). Value: ARN of a Secrets Manager secret."""


class LangfuseArgs(TypedDict):
    """Everything that a Langfuse is made from. What is not set comes from `size`; docs/configuration.md has the values."""

    size: Size
    """Row of the sizing table; the only key that must be set. Value: `dev`, `staging` or `prod`."""
    release: NotRequired[str]
    """Exact Langfuse release, 3.125.0 or later, or 4.x. A default takes no running stack to another major. Value: `X.Y.Z`, 3.125.0 or later."""
    domain: NotRequired[str]
    """Host name that users open, such as langfuse.example.com; 64 characters at the most where the stack makes the certificate. Value: host name."""
    deletionProtection: NotRequired[bool]
    """Keep every store on destroy or replacement: Pulumi's protect, AWS's own protection, final snapshots, secret recovery."""
    allowReplace: NotRequired[list[str]]
    """Names of stores that the next `pulumi up` may replace or delete, and of a protected load balancer that may go in the one after it; any other is refused in the preview. Take it away afterwards. Value: list of names of resources."""
    adopted: NotRequired[list[str]]
    """Stores that `pulumi import` has brought in: each stays what it was made with, and none is made; see docs/migrate-from-terraform.md. Value: list of `postgres`, `redis` and `storage`."""
    permissionsBoundary: NotRequired[str]
    """Managed policy that bounds every role that the stack makes; see docs/operations.md. Value: ARN of a managed policy."""
    trustedCertificates: NotRequired[str]
    """Certificates of private authorities that web, worker and the migration trust beside the public ones, as PEM; see docs/operations.md. Value: PEM, at most 32 KiB."""
    encryption: NotRequired[str]
    """`customerKey`: one KMS key of the stack for all that it keeps; or the ARN of a key of yours. Not set: keys of AWS's. See docs/operations.md, Encryption. Value: `customerKey`, or ARN of a KMS key."""
    hours: NotRequired[Hours]
    """When the stack is awake; outside of these hours it takes no events. See docs/hours.md."""
    network: NotRequired[Network]
    """A VPC with public and private subnets in `zones` availability zones. Or: A VPC that exists. Its routes, endpoints and default security group are its owner's."""
    ingress: NotRequired[Ingress]
    """An Application Load Balancer: own domain, private or restricted access, streaming. Or: An API Gateway HTTP API: https without a domain, no fixed cost. Or: App Runner's own way in: https under a domain of Route 53, with a certificate of its own."""
    web: NotRequired[Web]
    """The web container's service."""
    worker: NotRequired[Worker]
    """The worker container's service."""
    clickhouse: NotRequired[Clickhouse]
    """ClickHouse as an ECS service on an instance and a volume of its own. Or: A ClickHouse that exists, such as ClickHouse Cloud; with TLS on both ports."""
    postgres: NotRequired[Postgres]
    """Aurora PostgreSQL Serverless v2. Or: One RDS for PostgreSQL instance in one zone, for the smallest stacks. Or: A PostgreSQL that exists, with TLS."""
    redis: NotRequired[Redis]
    """ElastiCache for Valkey, node-based, cluster mode off. Or: A Redis or Valkey that exists, not in cluster mode, with maxmemory-policy noeviction."""
    storage: NotRequired[Storage]
    """The S3 bucket."""
    backups: NotRequired[Backups]
    """Snapshots of the ClickHouse volumes, by AWS Backup."""
    bootstrap: NotRequired[Bootstrap]
    """An organization, a project with API keys, and the organization's owner."""
    auth: NotRequired[Auth]
    """Sign-in."""
    smtp: NotRequired[Smtp]
    """Mail through Amazon SES in the stack's region, by the task roles, without a password. Or: Mail through an SMTP server, whose URL is the secret key `smtpUrl`."""
    alarms: NotRequired[Alarms]
    """Who is told, and of what."""
    logs: NotRequired[Logs]
    """CloudWatch log groups."""
    exec: NotRequired[bool]
    """A shell in web and worker by ECS Exec, for whoever IAM lets call ecs:ExecuteCommand: every secret of Langfuse is in reach of it. Another value starts their tasks anew; see docs/status.md."""
    v4: NotRequired[V4]
    """How Langfuse writes while it moves to version 4's tables. See docs/upgrade.md."""
    grafana: NotRequired[Grafana]
    """Grafana behind the ingress, at the path `/grafana`."""
    rotation: NotRequired[Rotation]
    """What `rotate` changes, by what it is called there."""
    images: NotRequired[Images]
    """Where the containers' images are pulled from."""
    secretEnvironment: NotRequired[dict[str, pulumi.Input[str]]]
    """Langfuse variables for both containers that are secrets, kept in Secrets Manager, by name."""
    clickhousePassword: NotRequired[pulumi.Input[str]]
    """Password of `clickhouse.user`. Needed with `clickhouse.mode` `external`, and only there. Value: letters, digits and `._~-`."""
    postgresPassword: NotRequired[pulumi.Input[str]]
    """Password of `postgres.user`. Needed with `postgres.mode` `external`, and only there. Value: letters, digits and `._~-`."""
    redisPassword: NotRequired[pulumi.Input[str]]
    """Password of the Redis. Needed with `redis.mode` `external`, and only there. Value: text."""
    grafanaClickhousePassword: NotRequired[pulumi.Input[str]]
    """Password of `grafana.clickhouseUser`. Needed with `grafana.enabled` `true` and `clickhouse.mode` `external`, and only there. Value: text."""
    authSecrets: NotRequired[dict[str, pulumi.Input[str]]]
    """Client secret of each of `auth.providers`, by name."""
    smtpUrl: NotRequired[pulumi.Input[str]]
    """SMTP server, with user and password. Needed with `smtp.mode` `smtp`, and only there. Value: `smtp://` or `smtps://`."""
