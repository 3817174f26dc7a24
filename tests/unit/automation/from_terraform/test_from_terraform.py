"""`python3 -m automation import`, on states written in the shape of the Terraform repository.

It proves what is read, written, printed and refused, that the import file has the names that the
program registers, and that no secret of the state leaves it in the clear. That Pulumi takes the
file is proven by tests/engine, that the AWS provider replaces nothing by tests/provider. No state
of a real installation was at hand.
"""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import automation as auto
from pydantic.alias_generators import to_camel
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.errors import UserError, messages
from langfuse_aws.automation.from_terraform import command as import_command
from langfuse_aws.automation.from_terraform.move import Move
from langfuse_aws.automation.from_terraform.plan import move_in
from langfuse_aws.automation.from_terraform.terraform_resources import UNLISTED
from langfuse_aws.automation.from_terraform.terraform_state import read_terraform_state
from langfuse_aws.components.protection import adoption
from langfuse_aws.components.protection.adoption import ADOPTABLE, Adoption
from langfuse_aws.components.protection.replacement_guard import INITIAL_INPUTS, REPLACEMENT_INPUTS
from langfuse_aws.offline.catalog import TYPES
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from tests import terraform_state
from tests.terraform_state import KEY, SALT, SECRETS, SESSIONS, attributes_of
from tests.unit.stack_graph import build, shipped

CLUSTER = "aws_rds_cluster.langfuse_aurora_cluster"
INSTANCE = "aws_rds_cluster_instance.serverless_v2_instance"
CACHE = "aws_elasticache_replication_group.langfuse_cache"
WEB = "aws_apprunner_service.langfuse_web"
IN_MODULE = "module.langfuse."

State = dict[str, Any]


@pytest.fixture
def state() -> State:
    return terraform_state.terraform_state()


def moved(state: State, folder: Path) -> Move:
    return move_in(read_terraform_state(terraform_state.write(state, folder)), "langfuse-prod")


def environment_of_web(state: State) -> dict[str, str]:
    found = attributes_of(state, WEB)["source_configuration"][0]["image_repository"][0]
    return found["image_configuration"][0]["runtime_environment_variables"]


def refused(state: State, folder: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        moved(state, folder)
    return list(messages(caught.value))


# --- what is adopted


def last_type(urn: str) -> tuple[str, str]:
    *_, types, name = urn.split("::")
    return types.split("$")[-1], name


def test_the_import_file_has_the_types_names_and_parents_that_the_program_registers(
    state: State, tmp_path: Path
) -> None:
    graph = shipped("prod")
    stack = ("pulumi:pulumi:Stack", "langfuse-prod")
    components = {None: stack}
    for spec in moved(state, tmp_path).imports:
        resource = (spec["type"], spec.get("logicalName", spec["name"]))
        assert last_type(graph.options[resource].parent) == components[spec.get("parent")]
        if spec.get("component"):
            components[spec["name"]] = resource
    assert [name for _, name in components.values()] == [
        "langfuse-prod",
        "langfuse-prod",
        "langfuse-prod-postgres",
        "langfuse-prod-redis",
        "langfuse-prod-storage",
    ]


def test_the_import_file_has_the_ids_of_the_state_and_nothing_else(
    state: State, tmp_path: Path
) -> None:
    move = moved(state, tmp_path)
    ids = {(each["type"], each["logicalName"]): each["id"] for each in move.imports if "id" in each}
    assert ids == {
        ("aws:rds/cluster:Cluster", "langfuse-prod-postgres"): "langfuse-postgres",
        ("aws:rds/clusterInstance:ClusterInstance", "langfuse-prod-postgres-1"): (
            "serverless-v2-instance"
        ),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "langfuse-prod-redis"): (
            "langfuse-cache"
        ),
        ("aws:s3/bucket:Bucket", "langfuse-prod-storage"): "acme-langfuse-blob-prod",
    }


def test_the_configuration_is_that_of_the_state_and_the_program_takes_it(
    state: State, tmp_path: Path
) -> None:
    move = moved(state, tmp_path)
    assert move.config == {
        "aws:region": "us-east-1",
        "langfuse:network": {
            "vpcId": terraform_state.VPC,
            "privateSubnetIds": terraform_state.PRIVATE,
            "publicSubnetIds": terraform_state.PUBLIC,
        },
        "langfuse:postgres": {
            "mode": "auroraServerless",
            "minAcu": 0.5,
            "maxAcu": 10,
            "instances": 1,
        },
        "langfuse:redis": {"mode": "elasticache", "nodeType": "cache.t4g.small", "replicas": 0},
        "langfuse:adopted": ["postgres", "redis", "storage"],
        "langfuse:domain": "langfuse.example.com",
    }
    settings = load(
        {
            "size": "prod",
            **of_namespace(move.config),
            "secretEnvironment": json.dumps(move.secrets),
        }
    )
    assert settings.adopted == ["postgres", "redis", "storage"]
    assert move.first == []


@pytest.mark.parametrize("marked", [True, False])
def test_public_subnets_are_found_by_their_addresses_or_their_name(
    state: State, tmp_path: Path, marked: bool
) -> None:
    for found in state["resources"]:
        if found["type"] == "aws_subnet":
            found["name"] = found["name"] if marked else found["name"].replace("edge", "public_1")
            for each in found["instances"]:
                each["attributes"]["map_public_ip_on_launch"] = marked
    network = moved(state, tmp_path).config["langfuse:network"]
    assert network["publicSubnetIds"] == terraform_state.PUBLIC, "and not those of the stores"


def test_the_keys_that_old_data_needs_are_carried_over(state: State, tmp_path: Path) -> None:
    expected = {"SALT": SALT, "ENCRYPTION_KEY": KEY, "NEXTAUTH_SECRET": SESSIONS}
    assert moved(state, tmp_path).secrets == expected
    environment = environment_of_web(state)
    environment["ENCRIPTION_KEY"] = environment.pop("ENCRYPTION_KEY")
    assert moved(state, tmp_path).secrets == expected, "the repository's first versions misspell it"


def test_several_instances_are_adopted_in_their_order(state: State, tmp_path: Path) -> None:
    (found,) = [each for each in state["resources"] if each["type"] == "aws_rds_cluster_instance"]
    found["instances"] = [
        terraform_state.instance(
            {"id": f"i{index}", "instance_class": "db.serverless"}, index_key=index
        )
        for index in range(2)
    ] + [terraform_state.instance({"id": "going"}, index_key=0, deposed="0a1b")]
    move = moved(state, tmp_path)
    assert move.config["langfuse:postgres"]["instances"] == 2
    assert [
        (each["logicalName"], each["id"])
        for each in move.imports
        if each["type"].endswith("ClusterInstance")
    ] == [("langfuse-prod-postgres-1", "i0"), ("langfuse-prod-postgres-2", "i1")]
    assert f"{IN_MODULE}{INSTANCE}[1]" in move.adopted


# --- what is not adopted


def test_every_resource_of_the_repository_has_a_fate(state: State, tmp_path: Path) -> None:
    move = moved(state, tmp_path)
    assert [each.address for each in move.left if each.treatment == UNLISTED] == []
    own = [each for each in state["resources"] if each.get("module") == "module.langfuse"]
    addresses = sum(len(each["instances"]) for each in own if each["mode"] == "managed")
    assert len(move.left) + len(move.adopted) == addresses
    mount = 'module.langfuse.aws_efs_mount_target.clickhouse_data["subnet-0aaaaaaaaaaaaaaa1"]'
    assert mount in [each.address for each in move.left], "as terraform state rm takes it"


def test_terraform_forgets_what_is_adopted_and_what_that_needs(
    state: State, tmp_path: Path
) -> None:
    state["resources"].append(
        terraform_state.entry("aws_sqs_queue.own", terraform_state.instance({"id": "q"}))
    )
    assert moved(state, tmp_path).forgotten == [
        f"{IN_MODULE}{CLUSTER}",
        f"{IN_MODULE}{INSTANCE}",
        f"{IN_MODULE}{CACHE}",
        f"{IN_MODULE}aws_s3_bucket.langfuse_blob",
        f"{IN_MODULE}aws_db_subnet_group.postgres_subnet_grp",
        f"{IN_MODULE}aws_elasticache_subnet_group.langfuse_cache_subnet_group",
        f"{IN_MODULE}aws_kms_key.postgres",
        f"{IN_MODULE}aws_sqs_queue.own",
    ], "a key that is destroyed takes the database with it; what is not known is not destroyed"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("database_name", "langfuse_db", "database_name is langfuse_db and must be langfuse"),
        ("master_username", "root", "master_username is root and must be langfuse"),
        ("storage_encrypted", False, "storage_encrypted is false and must be true"),
        ("engine_mode", None, "engine_mode is not set and must be provisioned"),
    ],
)
def test_a_database_that_would_be_replaced_is_used_as_an_external_one(
    state: State, tmp_path: Path, key: str, value: Any, said: str
) -> None:
    attributes_of(state, CLUSTER)[key] = value
    move = moved(state, tmp_path)
    assert move.config["langfuse:adopted"] == ["redis", "storage"]
    assert move.config["langfuse:postgres"] == {
        "mode": "external",
        "host": "langfuse-postgres.cluster-c1.us-east-1.rds.amazonaws.com",
        "user": attributes_of(state, CLUSTER)["master_username"],
        "database": attributes_of(state, CLUSTER)["database_name"],
    }
    assert said in move.first[0]
    assert f"{IN_MODULE}aws_security_group.langfuse_db" in move.forgotten, "it still guards it"
    assert f"{IN_MODULE}{CLUSTER}" in move.forgotten


def test_instances_of_a_fixed_size_are_not_adopted(state: State, tmp_path: Path) -> None:
    attributes_of(state, INSTANCE)["instance_class"] = "db.r6g.large"
    move = moved(state, tmp_path)
    assert move.config["langfuse:postgres"]["mode"] == "external"
    assert "instance_class is db.r6g.large and must be db.serverless" in move.first[0]


@pytest.mark.parametrize("key", ["at_rest_encryption_enabled", "transit_encryption_enabled"])
def test_a_cache_without_encryption_is_not_adopted(state: State, tmp_path: Path, key: str) -> None:
    attributes_of(state, CACHE)[key] = False
    move = moved(state, tmp_path)
    assert move.config["langfuse:adopted"] == ["postgres", "storage"]
    assert "langfuse:redis" not in move.config
    assert f"{key} is false and must be true; a new cache is made" in move.first[0]
    beside = "aws_elasticache_subnet_group.langfuse_cache_subnet_group"
    assert not {f"{IN_MODULE}{CACHE}", f"{IN_MODULE}{beside}"} & set(move.forgotten), (
        "terraform destroy may have them"
    )


# --- what is to be done first


def test_what_has_to_be_done_first_is_said(state: State, tmp_path: Path) -> None:
    attributes_of(state, CLUSTER)["engine_version_actual"] = "15.6"
    attributes_of(state, CACHE)["engine_version"] = "7.2"
    environment = environment_of_web(state)
    del environment["SALT"], environment["NEXTAUTH_URL"]
    state = terraform_state.without(state, "aws_subnet.edge")
    move = moved(state, tmp_path)
    assert [line.split(". ")[0].split(": snapshot")[0] for line in move.first] == [
        "langfuse:network.publicSubnetIds: the state does not say which subnets of "
        f"{terraform_state.VPC} are public",
        f"{IN_MODULE}{CLUSTER}: is PostgreSQL 15.6 and must be 16",
        f"{IN_MODULE}{CACHE}: is Valkey 7.2 and must be 8: upgrade it "
        "(docs/migrate-from-terraform.md, Valkey).",
        f"langfuse:domain: {IN_MODULE}{WEB} has no NEXTAUTH_URL",
        f"langfuse:secretEnvironment: {IN_MODULE}{WEB} has no SALT",
    ]
    assert set(move.secrets) == {"ENCRYPTION_KEY", "NEXTAUTH_SECRET"}


# --- what is refused


def test_missing_resources_are_named_line_by_line(state: State, tmp_path: Path) -> None:
    for kind in (CACHE, WEB):
        state = terraform_state.without(state, kind)
    assert refused(state, tmp_path) == [
        f"the state lacks {CACHE}, which tubone24/langfuse-v3-terraform makes.",
        f"the state lacks {WEB}, which tubone24/langfuse-v3-terraform makes.",
    ]


def test_an_attribute_without_a_value_is_named(state: State, tmp_path: Path) -> None:
    attributes_of(state, CACHE)["node_type"] = None
    assert refused(state, tmp_path) == [
        f"{IN_MODULE}{CACHE}: the state has no value of node_type. terraform apply -refresh-only "
        "writes it."
    ]


def test_two_installations_in_one_state_are_refused(state: State, tmp_path: Path) -> None:
    again = terraform_state.terraform_state("module.other")
    state["resources"] += [each for each in again["resources"] if each["type"] == "aws_rds_cluster"]
    assert refused(state, tmp_path) == [
        f"the state has several {CLUSTER}: {IN_MODULE}{CLUSTER}, module.other.{CLUSTER}. Leave "
        "one installation in it: terraform state mv."
    ]


PULL = "terraform state pull > terraform.tfstate prints the file that is needed."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", f"is not JSON, so no Terraform state. {PULL}"),
        ("[]", "names no version, and a Terraform state of version 4 is needed"),
        ('{"version": 3}', "has version 3, and a Terraform state of version 4 is needed"),
        ('{"format_version": "1.0"}', f"is what terraform show -json prints. {PULL}"),
        (
            '{"version": 4, "resources": [{"mode": "managed", "type": "x", "name": "y"}]}',
            f"resources.0.instances: is not what Terraform writes. {PULL}",
        ),
        (
            '{"version": 4, "resources": []}',
            "the state has nothing of tubone24/langfuse-v3-terraform",
        ),
    ],
)
def test_another_file_is_refused_with_the_right_one(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "terraform.tfstate"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["import", "--from-terraform-state", str(file), "--stack", "x"])
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert said in line


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone: cannot be read: No such file or directory\."):
        read_terraform_state(tmp_path / "gone")


# --- the command


def command(state: State, folder: Path, *options: str) -> str:
    file = terraform_state.write(state, folder)
    given = ["import", "--from-terraform-state", str(file), "--stack", "acme/langfuse/prod"]
    done = CliRunner().invoke(app, [*given, "--to", str(folder), *options])
    assert done.exit_code == 0, done.stderr
    written = (folder / "langfuse-import.json").read_text(encoding="utf-8")
    assert [each for each in SECRETS if each in done.output + written] == []
    return done.stdout


def test_it_prints_what_to_do_and_no_secret(state: State, tmp_path: Path) -> None:
    printed = command(state, tmp_path)
    for line in (
        "Configuration, for Pulumi.prod.yaml",
        "  SALT, ENCRYPTION_KEY, NEXTAUTH_SECRET; never printed: --configure sets them.",
        "  terraform state rm 'module.langfuse.aws_kms_key.postgres'",
        "  terraform destroy -target='module.langfuse'",
        "  moved: one bucket holds everything here: copy events/ into the adopted one",
        "      module.langfuse.aws_efs_file_system.clickhouse_data",
    ):
        assert line in printed.splitlines()
    state = terraform_state.terraform_state(module="")
    assert "-target" not in command(state, tmp_path), "the root module has more than Langfuse"


class StandIn:
    """Pulumi's command, which is called for the configuration only."""

    calls: list[tuple[list[str], str | None]]
    held: str | None

    def run(
        self, arguments: list[str], _folder: str, _environment: object, *, given: str | None
    ) -> auto.CommandResult:
        """Remember what was asked."""
        self.calls.append((arguments, given))
        if arguments[1] == "get" and self.held is None:
            raise auto.errors.CommandError(auto.CommandResult("", "no such key", 255))
        return auto.CommandResult(self.held or "", "", 0)


@pytest.mark.parametrize("held", [None, '{"SALT": "older", "SMTP_TOKEN": "kept"}'])
def test_it_configures_the_stack_and_shows_secrets_to_nobody(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str | None
) -> None:
    pulumi_command = StandIn()
    pulumi_command.calls, pulumi_command.held = [], held
    monkeypatch.setattr(import_command, "Command", lambda: pulumi_command)
    printed = command(state, tmp_path, "--configure")
    assert "Configuration, set in Pulumi.prod.yaml" in printed
    (plain, _), _, (secret, given) = pulumi_command.calls
    assert plain[:3] == ["config", "set-all", "--path"]
    assert "--plaintext=langfuse:network.privateSubnetIds[1]=subnet-0aaaaaaaaaaaaaaa2" in plain
    assert "--plaintext=langfuse:adopted[0]=postgres" in plain
    assert plain[-2:] == ["--stack", "acme/langfuse/prod"]
    assert secret[:4] == ["config", "set", "--secret", "langfuse:secretEnvironment"]
    assert json.loads(given or "") == {
        "SALT": SALT,
        "ENCRYPTION_KEY": KEY,
        "NEXTAUTH_SECRET": SESSIONS,
        **({"SMTP_TOKEN": "kept"} if held else {}),
    }
    everything = " ".join(each for arguments, _ in pulumi_command.calls for each in arguments)
    assert [each for each in SECRETS if each in everything] == [], "ps shows a command line"


# --- what the program does with it


def test_an_adopted_store_is_made_with_what_it_has(state: State, tmp_path: Path) -> None:
    config = of_namespace(moved(state, tmp_path).config)
    graph = build("prod", {"size": "prod", **config})
    for store, (token, _) in ADOPTABLE.items():
        found = graph.one(token, f"langfuse-prod-{store}")
        replacing = TYPES[token].replaced_by - {
            # What a store begins with: it has begun.
            *("s3Import", "restoreToPointInTime", "snapshotArns", "snapshotName"),
            *(each for each in TYPES[token].replaced_by if each.endswith("Prefix")),
        }
        assert replacing <= graph.options_of(found).ignore_changes
        assert not [key for key in found.inputs if key.endswith("Prefix")]
        stash = graph.one("pulumi:index:Stash", f"{found.name}-{token.rsplit(':', 1)[-1].lower()}")
        assert stash.inputs["input"] == {"langfuse:adopted": True}
    cluster = graph.one(ADOPTABLE["postgres"].store)
    assert "engineVersion" in graph.options_of(cluster).ignore_changes, "its minor is its own"
    (instance,) = graph.of_type("aws:rds/clusterInstance:ClusterInstance")
    assert graph.options_of(instance).ignore_changes == frozenset(
        TYPES[instance.type].replaced_by - {"identifierPrefix"}
    )
    backups = graph.one("aws:s3/bucket:Bucket", "langfuse-prod-clickhouse-backups")
    assert graph.options_of(backups).ignore_changes == frozenset(), "it is not an adopted one"
    assert "engineVersion" in graph.options_of(graph.one(ADOPTABLE["redis"].store)).ignore_changes


def test_nothing_is_kept_from_changing_in_a_stack_that_adopts_nothing() -> None:
    graph = shipped("prod")
    for token, beside in ADOPTABLE.values():
        for found in (*graph.of_type(token), *graph.of_type(beside or token)):
            guarded = frozenset(INITIAL_INPUTS.get(found.type, ())) | {
                to_camel(each) for each in REPLACEMENT_INPUTS.get(found.type, ())
            }
            assert graph.options_of(found).ignore_changes <= guarded


def hooks_of(allowed: list[str]) -> list[Any]:
    """What is called before an adopted cache is created."""
    (keep,) = Adoption("langfuse-prod", ["redis"], allowed).options().transformations or []
    cache = pulumi.ResourceTransformationArgs(
        object.__new__(pulumi.CustomResource),
        ADOPTABLE["redis"].store,
        "langfuse-prod-redis",
        {"engine": "valkey"},
        pulumi.ResourceOptions(),
    )
    found = keep(cache)
    hooks = found.opts.hooks if found else None
    return [getattr(each, "callback", each) for each in (hooks and hooks.before_create) or []]


def test_an_adopted_store_that_is_not_there_is_refused_and_a_preview_warns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (refuse,) = hooks_of([])
    args = pulumi.ResourceHookArgs(
        urn="urn", id="", name="langfuse-prod-redis", type=ADOPTABLE["redis"].store
    )
    said: list[str] = []
    monkeypatch.setattr(adoption.pulumi.log, "warn", said.append)
    for dry_run in (True, False):
        monkeypatch.setattr(adoption.pulumi.runtime, "is_dry_run", lambda now=dry_run: now)
        if dry_run:
            refuse(args)
            continue
        with pytest.raises(pulumi.RunError, match="an empty langfuse-prod-redis") as caught:
            refuse(args)
        assert said == [str(caught.value)]
        assert "Run pulumi import first (docs/migrate-from-terraform.md)" in said[0]


def test_a_store_that_may_be_replaced_is_like_any_other() -> None:
    assert hooks_of(["langfuse-prod-redis"]) == []


def test_every_input_that_replaces_an_instance_is_kept() -> None:
    token = ADOPTABLE["postgres"].beside or ""
    kept = {to_camel(each) for each in adoption.CREATION_INPUTS[token]}
    assert kept == TYPES[token].replaced_by


@pytest.mark.parametrize(
    ("store", "section"),
    [
        ("postgres", {"mode": "instance"}),
        ("redis", {"mode": "external", "host": "redis.example.com"}),
    ],
)
def test_only_a_store_of_the_programs_own_kind_can_be_adopted(
    store: str, section: dict[str, str]
) -> None:
    with pytest.raises(
        SettingsError, match=rf"langfuse:{store}\.mode: .*langfuse:adopted names it"
    ):
        load({"size": "dev", "adopted": [store], store: section, f"{store}Password": "x" * 16})
