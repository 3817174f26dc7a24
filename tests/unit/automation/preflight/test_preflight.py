"""The command `preflight`, and the stack file that it reads.

It proves what is printed, the exit codes, and that one check's trouble is not another's. AWS is
moto, the registries and DNS are stand-ins; what each check finds is proven beside its own tests.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.aws import clients as stack_clients
from langfuse_aws.automation.engine import sessions
from langfuse_aws.automation.engine.stack_file import StackFile, read_stack_file
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.preflight import command
from langfuse_aws.automation.preflight.account import CREDENTIALS
from langfuse_aws.settings.loading import SettingsError
from langfuse_aws.settings.versions import LANGFUSE
from tests.unit.aws_account import Account, aws
from tests.unit.registry_stand_in import Registry, index
from tests.unit.settings.test_external_stores import EXTERNAL
from tests.unit.stack_graph import ROOT

BOTH = index("linux/amd64", "linux/arm64")


class Everything(dict[str, Any]):
    """Every image there could be."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002
        """Find it."""
        return BOTH


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Have registries with every image, and no DNS."""
    found = Registry(Everything())
    monkeypatch.setattr(command, "new_client", found.client)

    def nobody(_: str) -> list[str]:
        raise AssertionError("no domain was set")

    monkeypatch.setattr(command, "name_servers", nobody)
    monkeypatch.setattr(command, "issuers", nobody)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with Pulumi.yaml."""
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n", encoding="utf-8")
    return tmp_path


def write(project: Path, stack: str, config: str) -> None:
    text = f"config:\n{config}" if config else ""
    (project / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")


def preflight(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["preflight", *arguments], env={"PULUMI_STACK": None})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def answers(output: str) -> dict[str, dict[str, str]]:
    """The objects of --json, by check."""
    found = [json.loads(line) for line in output.splitlines()]
    assert all(list(each) == ["check", "status", "message", "remedy"] for each in found)
    return {each["check"]: each for each in found}


def nothing(*_: Any) -> tuple[()]:
    """Check nothing."""
    return ()


@pytest.fixture
def on_moto(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the account in memory, but for RDS's offers, which moto does not know."""

    def clients(region: str, _: str | None) -> Any:
        return account.stack(region).aws

    monkeypatch.setattr(stack_clients, "Clients", clients)
    monkeypatch.setattr(command.zones, "check_database", nothing)


@pytest.mark.usefixtures("registry", "on_moto")
def test_a_fresh_account_can_have_the_dev_stack() -> None:
    result = preflight("--stack", "dev", "--json")
    found = answers(result.stdout)
    assert {each["status"] for each in found.values()} == {"ok"}
    assert result.exit_code == 0
    assert {
        "credentials",
        "region",
        "partition",
        "zones",
        "vpc link",
        "instance type t4g.medium",
        "quota of VPCs",
        "quota of Fargate Spot vCPUs",
        "quota of IAM roles",
        "permissions",
        "service-linked roles",
        f"image ghcr.io/langfuse/langfuse:{LANGFUSE}",
    } <= set(found)
    assert not {"hosted zone", "certificate", "quota of Elastic IPs"} & set(found)
    text = preflight("--stack", "dev")
    assert text.exit_code == 0
    assert "ok      region: us-east-1 is enabled\n" in text.stdout
    assert text.stdout.endswith(
        "Nothing that was checked stands in the way of stack dev in us-east-1.\n"
    )
    assert text.stderr == ""


@pytest.mark.usefixtures("registry", "on_moto")
def test_a_failed_check_is_told_with_its_remedy_and_by_the_exit_code(account: Account) -> None:
    account.quotas["fargate", "L-36FBB829"] = 1
    account.default_quota = None
    result = preflight("--stack", "dev")
    assert result.exit_code == 1
    assert (
        "failed  quota of Fargate Spot vCPUs: needs 1.5, has 1 of which 0 are used.\n"
        "        → aws service-quotas request-service-quota-increase --region us-east-1 "
        "--service-code fargate --quota-code L-36FBB829 --desired-value 2 (" in result.stdout
    )
    assert "unknown quota of VPCs: could not be checked: Service Quotas says no value" in (
        result.stdout
    )
    count = sum(line[:1] != " " for line in result.stdout.splitlines())
    assert result.stderr == (
        f"warning: 9 of {count} could not be checked.\n"
        f"error: stack dev in us-east-1: 1 of {count} checks failed.\n"
    )


@pytest.mark.usefixtures("registry", "on_moto")
def test_what_could_not_be_checked_is_no_failure(account: Account) -> None:
    account.default_quota = None
    result = preflight("--stack", "dev", "--json")
    assert result.exit_code == 0
    statuses = {each["status"] for each in answers(result.stdout).values()}
    assert statuses == {"ok", "unknown"}


def test_without_credentials_only_the_images_are_checked(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    write(project, "dev", "  aws:region: eu-west-1\n  aws:profile: gone\n  langfuse:size: dev\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = preflight("--stack", "dev", "--dir", str(project), "--json")
    found = answers(result.stdout)
    assert result.exit_code == 1
    assert found[CREDENTIALS]["message"] == "The config profile (gone) could not be found"
    assert found["account"]["status"] == "unknown"
    images = {check: each["status"] for check, each in found.items() if "image " in check}
    assert len(images) == 3
    assert set(found) == {CREDENTIALS, "account", *images}
    assert set(images.values()) == {"ok"}
    assert registry.asked


@pytest.mark.usefixtures("registry", "on_moto")
def test_external_stores_are_asked_for_what_langfuse_needs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLICKHOUSE_PASSWORD", "REDIS_AUTH"):
        monkeypatch.delenv(name, raising=False)
    stores = "".join(f"  langfuse:{key}: {json.dumps(EXTERNAL[key])}\n" for key in EXTERNAL)
    write(project, "dev", f"  aws:region: us-east-1\n  langfuse:size: dev\n{stores}")
    result = preflight("--stack", "dev", "--dir", str(project), "--json")
    found = answers(result.stdout)
    assert {
        check: each["status"] for check, each in found.items() if check.startswith("external")
    } == {
        "external ClickHouse": "unknown",
        "external PostgreSQL": "unknown",
        "external Redis": "unknown",
    }, "without a password nobody can say"
    assert result.exit_code == 0, "what is unknown is no failure"


@pytest.mark.usefixtures("registry", "on_moto")
def test_a_domain_is_looked_up_in_dns(
    account: Account, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    config = "  aws:region: us-east-1\n  langfuse:size: staging\n  langfuse:domain: a.example.com\n"
    write(project, "staging", config)
    aws("route53").create_hosted_zone(Name="example.com", CallerReference="1")

    def strangers(name: str) -> list[str]:
        return [f"ns.{name}"]

    def others(name: str) -> list[str] | None:
        return ["ca.example"] if name == "example.com" else None

    monkeypatch.setattr(command, "name_servers", strangers)
    monkeypatch.setattr(command, "issuers", others)
    result = preflight("--stack", "acme/langfuse/staging", "--dir", str(project), "--json")
    assert answers(result.stdout)["delegation"]["message"].startswith(
        "example.com: DNS asks ns.example.com, which "
    )
    assert answers(result.stdout)["certificate authority"]["message"].startswith(
        "example.com: its CAA records let ca.example issue certificates, "
    )
    assert account.simulated


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "error: --stack: is missing. {folder} has Pulumi.dev.yaml; name one of these."),
        (
            ["--stack", "prod"],
            "error: --stack prod: {folder} has Pulumi.dev.yaml, and no Pulumi.prod.yaml. pulumi "
            "stack init prod, then pulumi config set langfuse:size dev --stack prod makes it.",
        ),
    ],
)
def test_a_stack_that_nobody_finds_is_one_line(
    project: Path, arguments: list[str], line: str
) -> None:
    write(project, "dev", "  langfuse:size: dev\n")
    result = preflight(*arguments, "--dir", str(project))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == line.format(folder=project) + "\n"


def test_every_mistake_in_the_settings_is_a_line(project: Path) -> None:
    web = "  langfuse:web:\n    cpu: 3\n    spott: true\n"
    write(project, "dev", f"  aws:region: eu-west-1\n  langfuse:size: dev\n{web}")
    result = preflight("--stack", "dev", "--dir", str(project))
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert [line.split(": ")[1:3] for line in lines] == [
        ["Pulumi.dev.yaml:5", "langfuse:web.cpu"],
        ["Pulumi.dev.yaml:6", "langfuse:web.spott"],
    ]


def test_a_secret_in_the_clear_is_told_and_not_shown(project: Path) -> None:
    secret = '  langfuse:secretEnvironment: \'{"ADMIN_API_KEY": "hush"}\'\n'
    write(project, "dev", f"  aws:region: eu-west-1\n  langfuse:size: dev\n{secret}")
    result = preflight("--stack", "dev", "--dir", str(project))
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: Pulumi.dev.yaml:4: langfuse:secretEnvironment: is stored in ")
    assert "hush" not in line


def test_a_stack_without_a_region_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    write(project, "dev", "  langfuse:size: dev\n")
    result = preflight("--stack", "dev", "--dir", str(project))
    assert result.exit_code == 2
    assert result.stderr == (
        "error: Pulumi.dev.yaml: aws:region: is not set, nor are AWS_REGION and "
        "AWS_DEFAULT_REGION. Set it with pulumi config set aws:region REGION.\n"
    )


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
@pytest.mark.usefixtures("registry", "account")
def test_the_region_may_come_from_the_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "eu-west-1")
    write(project, "dev", "  langfuse:size: dev\n")
    monkeypatch.setattr(command, "checks_of_account", nothing)
    result = preflight("--stack", "dev", "--dir", str(project), "--json")
    assert answers(result.stdout)[CREDENTIALS]["message"].endswith(", region eu-west-1")


def test_clients_are_made_once_each_with_the_stacks_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []

    class Session:
        def __init__(self, **arguments: Any) -> None:
            """Note it."""
            made.append(arguments)

        def client(self, service: str, **arguments: Any) -> object:
            """Note it, and give something."""
            made.append((service, arguments["region_name"], arguments["config"].retries))
            return object()

    monkeypatch.setattr(sessions.boto3, "Session", Session)
    clients = stack_clients.Clients("eu-west-1", {"aws:profile": "acme"})
    assert clients("ec2") is clients("ec2")
    assert clients("ec2") is not clients("ec2", "us-east-1")
    patient = {"mode": "standard", "total_max_attempts": 5}
    assert made == [
        {"region_name": "eu-west-1", "profile_name": "acme"},
        ("ec2", None, patient),
        ("ec2", "us-east-1", patient),
    ]


def test_the_stack_may_come_from_pulumis_variable(project: Path) -> None:
    result = CliRunner().invoke(
        app, ["preflight", "--dir", str(project)], env={"PULUMI_STACK": "acme/prod"}
    )
    assert result.stderr.startswith(f"error: --stack acme/prod: {project} has no Pulumi.STACK.yaml")


def test_a_stack_file_says_what_is_to_be_made() -> None:
    found = read_stack_file("prod", ROOT)
    assert (found.name, found.prefix, found.region, found.profile) == (
        "prod",
        "langfuse-prod",
        "us-east-1",
        None,
    )
    assert found.settings.domain == "langfuse.example.com"
    assert found.settings.web.min_tasks == 2


def test_secrets_need_not_be_decrypted(project: Path) -> None:
    write(
        project,
        "dev",
        "  aws:profile: acme\n"
        "  aws:region: eu-west-1\n"
        "  langfuse:size: dev\n"
        "  langfuse:postgres: {mode: external, host: p.example.com}\n"
        "  langfuse:postgresPassword:\n    secure: v1:abc\n"
        "  langfuse:auth: {providers: {google: {clientId: g}}}\n"
        "  langfuse:authSecrets:\n    secure: v1:def\n",
    )
    found: StackFile = read_stack_file("dev", project)
    assert found.settings.postgres.mode == "external"
    assert (found.region, found.profile) == ("eu-west-1", "acme")


@pytest.mark.parametrize(
    "config",
    [
        "  langfuse:size: dev\n  langfuse:domain:\n    secure: v1:abc\n",
        "  langfuse:size: dev\n  langfuse:domain: [{secure: v1:abc}]\n",
        "  langfuse:size: dev\n  langfuse:domain: {of: {secure: v1:abc}}\n",
    ],
)
def test_encrypted_settings_are_one_line(project: Path, config: str) -> None:
    write(project, "dev", config)
    with pytest.raises(UserError) as raised:
        read_stack_file("dev", project)
    assert str(raised.value) == (
        f"{project}/Pulumi.dev.yaml: langfuse:domain: is encrypted, and no key is asked for here. "
        "Set it without --secret."
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("config: &a [*b]", "is not YAML: line 1, column 13: found undefined alias 'b'"),
        ("- dev\n", "is not what Pulumi writes: keys and values are missing."),
        ("config: dev\n", "is not what Pulumi writes: keys and values are missing."),
    ],
)
def test_a_broken_stack_file_is_one_line(project: Path, text: str, line: str) -> None:
    (project / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_stack_file("dev", project)
    assert str(raised.value).startswith(f"{project}/Pulumi.dev.yaml: {line}")
    assert len(raised.value.messages) == 1


def test_an_empty_stack_file_lacks_the_size(project: Path) -> None:
    for empty in ("config: {}\n", "config:\n", ""):
        (project / "Pulumi.dev.yaml").write_text(empty, encoding="utf-8")
        with pytest.raises(SettingsError) as raised:
            read_stack_file("dev", project)
        problems = [problem.split(": ")[0] for problem in raised.value.problems]
        assert problems == ["aws:region", "langfuse:size"]
