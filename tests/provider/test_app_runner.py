"""A stack with web on App Runner, from nothing to nothing, through the real AWS provider.

Its PostgreSQL and Redis are external, which saves minutes; what they are like is the lifecycles'.
The images are put into ECR first, in repositories that the stack's own program makes. It proves
what the provider asks of App Runner, Route 53 and ECR; nothing is pulled and nothing is started,
and the simulated App Runner asks for one record, where AWS asks for two.
"""

import json
import uuid
from pathlib import Path
from typing import Any, Final

import yaml

from langfuse_aws.settings.app_runner import HOSTED_ZONES
from langfuse_aws.settings.image_lock import LockedImage
from langfuse_aws.settings.loading import load_without_secrets
from langfuse_aws.settings.stack_images import images_of
from tests.deployment import Deployment
from tests.image_lock import copy_of_the_repository, digest, lock_copy
from tests.provider.aws import client
from tests.provider.ecs_scheduler import EcsScheduler
from tests.provider.gaps import SEEN_BY_PREVIEW, SEEN_OF_A_NAT_INSTANCE
from tests.provider.readback import Account
from tests.provider.test_lifecycle import PARALLEL

STACK: Final = "runner"
REGION: Final = "eu-west-2"
ZONE: Final = "runner.example.com"
DOMAIN: Final = f"langfuse.{ZONE}"
CONFIG: Final[dict[str, Any]] = {
    "size": "dev",
    "domain": DOMAIN,
    "network": {"egress": "natInstance"},
    "images": {"source": "mirror"},
    "web": {"platform": "appRunner", "maxTasks": 3},
    "postgres": {"mode": "external", "host": "db.example.com"},
    "redis": {"mode": "external", "host": "cache.example.com"},
}
PASSWORDS: Final = {"postgresPassword": "pg-Secret-1", "redisPassword": "redis-Secret-1"}
SERVICE: Final = "aws:apprunner/service:Service"

REPOSITORIES: Final = """import sys
sys.path.insert(0, {path!r})
import pulumi
from langfuse_aws.components.runtime.images import Images, ImagesArgs
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings.stack import read
settings, _ = read()
prefix = resource_prefix(pulumi.get_project(), pulumi.get_stack())
Images(prefix, ImagesArgs(settings, Location.current(), to_be_filled=True))
"""


def test_web_on_app_runner_comes_up_stays_as_it_is_changes_and_goes(tmp_path: Path) -> None:
    zone = client("route53").create_hosted_zone(Name=ZONE, CallerReference=str(uuid.uuid4()))
    copy = copy_of_the_repository(tmp_path / "langfuse")
    config = {f"langfuse:{key}": value for key, value in CONFIG.items()}
    stack_file = {"config": {"aws:region": REGION, **config}}
    (copy / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(stack_file), encoding="utf-8")
    account = Account(f"langfuse-{STACK}", REGION)
    deployment = Deployment.of(STACK, tmp_path / "scratch", {}, PARALLEL, project=copy)
    deployment.configure_all({}, PASSWORDS)
    make_repositories(deployment, copy, tmp_path / "repositories")
    fill(account, copy)
    with EcsScheduler(REGION):
        deployment.up()
        outputs = deployment.outputs()
        service = check_service(account, deployment)
        check_domain(zone["HostedZone"]["Id"], service)
        assert outputs["web_service_name"] == service["ServiceName"]
        web, clickhouse = f"langfuse-{STACK}-web", f"langfuse-{STACK}-clickhouse"
        assert {each for each in account.open_ports() if web in each} == {(web, clickhouse, 8123)}
        seen = {(change.type, change.property) for change in deployment.changes()}
        assert seen <= SEEN_BY_PREVIEW | SEEN_OF_A_NAT_INSTANCE, (
            "a preview without changes shows some"
        )

        deployment.configure("web.memory", "3072")
        touched = {change.type for change in deployment.changes()}
        assert "aws:apprunner/customDomainAssociation:CustomDomainAssociation" not in touched
        check_that_a_missing_image_stops_it(account, deployment)
        deployment.up()
        changed = described(service["ServiceArn"])
        assert changed["InstanceConfiguration"]["Memory"] == "3072"
        assert variables(changed)["NODE_OPTIONS"] == "--max-old-space-size=2304"
        deployment.destroy()
    assert deployment.state() == []
    assert account.leftovers() == {}
    assert described(service["ServiceArn"])["Status"] == "DELETED"
    left = records(zone["HostedZone"]["Id"])
    assert {each["Type"] for each in left} == {"NS", "SOA"}


def make_repositories(deployment: Deployment, copy: Path, folder: Path) -> None:
    """Make the stack's repositories alone, in the stack's own state."""
    folder.mkdir()
    (folder / "__main__.py").write_text(REPOSITORIES.format(path=str(copy)), encoding="utf-8")
    project = deployment.stack.folder / "Pulumi.yaml"
    whole = project.read_text(encoding="utf-8")
    project.write_text(yaml.safe_dump({**yaml.safe_load(whole), "main": str(folder)}))
    deployment.up()
    project.write_text(whole, encoding="utf-8")


def fill(account: Account, copy: Path) -> None:
    """Put an index and an image of every CPU into every repository, and lock them."""
    ecr, lock = account.client("ecr"), dict[str, LockedImage]()
    for image in images_of(load_without_secrets(CONFIG)):
        name = f"{account.prefix}/{image.repository.rpartition('/')[2]}"
        for of in ("", image.architecture):
            manifest = {"schemaVersion": 2, "mediaType": "made up", "of": image.reference + of}
            ecr.put_image(
                repositoryName=name,
                imageManifest=json.dumps(manifest),
                imageDigest=digest(image.name + of),
                **({} if of else {"imageTag": image.tag}),
            )
        lock[image.reference] = LockedImage(
            digest=digest(image.name),
            platforms={image.architecture: digest(image.name + image.architecture)},
        )
    lock_copy(copy, lock)


def check_that_a_missing_image_stops_it(account: Account, deployment: Deployment) -> None:
    """Without the worker's image for its CPU nothing changes; afterwards it is there again."""
    ecr, name = account.client("ecr"), f"{account.prefix}/langfuse-worker"
    wanted = digest("workerarm64")
    (image,) = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": wanted}])[
        "images"
    ]
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": wanted}])
    before = versions(deployment)
    done = deployment.up(check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0, "an image that is not there was deployed"
    assert (
        f"ECR has not got the image for arm64, {wanted}, in {name} "
        "(reading ECR Images: couldn't find resource)"
    ) in said
    assert versions(deployment) == before, "something changed before the refusal"
    ecr.put_image(repositoryName=name, imageManifest=image["imageManifest"], imageDigest=wanted)


def versions(deployment: Deployment) -> set[tuple[str, str]]:
    """Every resource, and when it was last changed."""
    return {(each["urn"], each["modified"]) for each in deployment.state()}


def described(arn: str) -> dict[str, Any]:
    return client("apprunner", REGION).describe_service(ServiceArn=arn)["Service"]


def variables(service: dict[str, Any]) -> dict[str, str]:
    image = service["SourceConfiguration"]["ImageRepository"]
    return image["ImageConfiguration"]["RuntimeEnvironmentVariables"]


def records(zone: str) -> list[dict[str, Any]]:
    return client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]


def check_service(account: Account, deployment: Deployment) -> dict[str, Any]:
    """App Runner runs web as ECS would: image, environment, secrets, roles, network."""
    (arn,) = [each["id"] for each in deployment.of_type(SERVICE)]
    service = described(arn)
    source = service["SourceConfiguration"]
    image = source["ImageRepository"]
    assert image["ImageIdentifier"].endswith(f"/langfuse-runner/langfuse@{digest('web')}")
    assert (image["ImageRepositoryType"], source["AutoDeploymentsEnabled"]) == ("ECR", False)
    assert image["ImageConfiguration"]["Port"] == "3000"
    plain = variables(service)
    assert plain["NEXTAUTH_URL"] == f"https://{DOMAIN}"
    references = image["ImageConfiguration"]["RuntimeEnvironmentSecrets"]
    secrets = {name: account.resolved_secret(each) for name, each in references.items()}
    assert len(secrets["ENCRYPTION_KEY"]) == 64
    assert secrets["DATABASE_PASSWORD"] == PASSWORDS["postgresPassword"]
    assert not set(secrets.values()) & set(plain.values())
    instance = service["InstanceConfiguration"]
    assert (instance["Cpu"], instance["Memory"]) == ("1024", "2048")
    actions = {
        action
        for each in account.statements(instance["InstanceRoleArn"])
        for action in each["Action"]
    }
    assert {"s3:PutObject", "secretsmanager:GetSecretValue"} <= actions
    pulling = account.statements(source["AuthenticationConfiguration"]["AccessRoleArn"])
    assert {action.partition(":")[0] for each in pulling for action in each["Action"]} == {"ecr"}
    check = service["HealthCheckConfiguration"]
    assert (check["Protocol"], check["Path"]) == ("HTTP", "/api/public/health")
    egress = service["NetworkConfiguration"]["EgressConfiguration"]
    connector = client("apprunner", REGION).describe_vpc_connector(
        VpcConnectorArn=egress["VpcConnectorArn"]
    )["VpcConnector"]
    (group,) = connector["SecurityGroups"]
    assert account.security_groups()[group] == f"{account.prefix}-web"
    subnets = account.client("ec2").describe_subnets(SubnetIds=connector["Subnets"])["Subnets"]
    assert [each["MapPublicIpOnLaunch"] for each in subnets] == [False, False]
    scaling = client("apprunner", REGION).describe_auto_scaling_configuration(
        AutoScalingConfigurationArn=service["AutoScalingConfigurationSummary"][
            "AutoScalingConfigurationArn"
        ]
    )["AutoScalingConfiguration"]
    assert (scaling["MinSize"], scaling["MaxSize"], scaling["MaxConcurrency"]) == (1, 3, 100)
    return service


def check_domain(zone: str, service: dict[str, Any]) -> None:
    """One `up` has made the association, the records that prove it, and the domain's own."""
    told = client("apprunner", REGION).describe_custom_domains(ServiceArn=service["ServiceArn"])
    (domain,) = told["CustomDomains"]
    assert (domain["DomainName"], domain["EnableWWWSubdomain"]) == (DOMAIN, False)
    found = {(each["Name"], each["Type"]): each for each in records(zone)}
    for asked in domain["CertificateValidationRecords"]:
        made = found[asked["Name"], "CNAME"]["ResourceRecords"]
        assert [each["Value"].rstrip(".") for each in made] == [asked["Value"].rstrip(".")]
    alias = found[f"{DOMAIN}.", "A"]["AliasTarget"]
    assert alias["DNSName"].rstrip(".") == told["DNSTarget"]
    assert alias["HostedZoneId"] == HOSTED_ZONES[REGION]
