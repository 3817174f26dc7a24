"""Works out how a Langfuse of tubone24/langfuse-v3-terraform moves in, from its Terraform state.

Pure: it reads no file and asks nobody. docs/migrate-from-terraform.md has the way itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from automation.import_file import import_specs
from automation.plan import UserError
from automation.terraform_fates import (
    CACHE,
    CLUSTER,
    DATABASE_GROUP,
    EVENTS,
    GUIDE,
    INSTANCE,
    MEDIA,
    SUBNETS,
    TERRAFORM_REPOSITORY,
    WEB,
    Fate,
    fate,
)
from automation.terraform_state import Managed
from components.postgres import DATABASE, USER
from settings.model import AdoptedStore
from settings.releases import POSTGRES_MAJOR

NEEDED: Final = (CLUSTER, INSTANCE, CACHE, MEDIA, EVENTS, SUBNETS, DATABASE_GROUP, WEB)

MISSPELT_KEY: Final = "ENCRIPTION_KEY"
"""What the repository's first versions call ENCRYPTION_KEY. Langfuse does not read it, so nothing
of such an installation is encrypted, and any key will do."""


FIT: Final[Mapping[str, Mapping[str, str]]] = {
    CLUSTER: {
        "engine": "aurora-postgresql",
        "engine_mode": "provisioned",
        "storage_encrypted": "true",
        "database_name": DATABASE,
        "master_username": USER,
    },
    CACHE: {
        "engine": "valkey",
        "at_rest_encryption_enabled": "true",
        "transit_encryption_enabled": "true",
    },
}
"""What cannot be changed without a replacement, and what it must be."""


class Left(NamedTuple):
    """What Pulumi does not adopt."""

    fate: Fate
    address: str


@dataclass
class Move:
    """How an installation moves in."""

    module: str
    imports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The `resources` of the file for `pulumi import`."""
    adopted: list[str] = field(default_factory=list[str])
    """Addresses of what is imported."""
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    """The stack file's `config`, without secrets."""
    secrets: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """Variables for `langfuse:secretEnvironment`."""
    first: list[str] = field(default_factory=list[str])
    """What is to be done before the import."""
    left: list[Left] = field(default_factory=list[Left])

    @property
    def forgotten(self) -> list[str]:
        """Addresses that `terraform destroy` must not find."""
        return [*self.adopted, *(each.address for each in self.left if each.fate.what == "kept")]


class IncompleteStateError(UserError):
    """The state lacks resources; a line for each."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Take the lines."""
        super().__init__(" ".join(messages))
        self._messages = messages

    @property
    def messages(self) -> Sequence[str]:
        """A line for each."""
        return self._messages


def move_in(managed: Sequence[Managed], prefix: str) -> Move:
    """Work out the move into a stack whose resources' names begin with `prefix`.

    Raises UserError if this is not the state of one Langfuse of the repository.
    """
    by_kind: dict[str, list[Managed]] = {}
    for each in managed:
        by_kind.setdefault(each.kind, []).append(each)
    _check(by_kind)
    cluster, cache, media = (by_kind[kind][0] for kind in (CLUSTER, CACHE, MEDIA))
    move = Move(cluster.module)
    _network(move, by_kind, managed)
    adopted: dict[AdoptedStore, list[Managed]] = {}
    if _fits(move, cluster, f"it cannot be adopted: postgres.mode external uses it ({GUIDE})"):
        adopted["postgres"] = [cluster, *by_kind[INSTANCE]]
        _postgres(move, cluster, by_kind[INSTANCE])
    else:
        _external(move, cluster)
    if _fits(move, cache, "a new cache is made: let the worker empty the queue before it stops"):
        adopted["redis"] = [cache]
        _redis(move, cache)
    adopted["storage"] = [media]
    move.config["langfuse:adopted"] = list(adopted)
    move.imports = import_specs(prefix, adopted)
    move.adopted = [each.address for found in adopted.values() for each in found]
    _web(move, by_kind[WEB][0])
    left = [each for each in managed if each.address not in move.adopted]
    move.left += [
        Left(fate(each, adopted), each.address) for each in left if each.module == move.module
    ]
    return move


def _check(by_kind: Mapping[str, Sequence[Managed]]) -> None:
    missing = [kind for kind in NEEDED if kind not in by_kind]
    if len(missing) == len(NEEDED):
        raise UserError(
            f"the state has nothing of {TERRAFORM_REPOSITORY}, not even {CLUSTER}. Name another."
        )
    several = [
        kind
        for kind in NEEDED
        if kind != INSTANCE and len({each.address for each in by_kind.get(kind, ())}) > 1
    ]
    lines = [f"the state lacks {kind}, which {TERRAFORM_REPOSITORY} makes." for kind in missing]
    lines += [
        f"the state has several {kind}: {', '.join(each.address for each in by_kind[kind])}. Leave "
        "one installation in it: terraform state mv."
        for kind in several
    ]
    if lines:
        raise IncompleteStateError(lines)


def _fits(move: Move, store: Managed, otherwise: str) -> bool:
    wrong = [
        f"{key} is {found or 'not set'} and must be {wanted}"
        for key, wanted in FIT[store.kind].items()
        if (found := _text(store.attributes.get(key))) != wanted
    ]
    if wrong:
        move.first.append(f"{store.address}: {', '.join(wrong)}; {otherwise}.")
    return not wrong


def _text(value: Any) -> str:
    """A value as it is in a state; booleans are text in some versions of the provider."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _network(
    move: Move, by_kind: Mapping[str, Sequence[Managed]], managed: Sequence[Managed]
) -> None:
    vpc = by_kind[DATABASE_GROUP][0].attributes["vpc_id"]
    private = sorted(by_kind[SUBNETS][0].attributes["subnet_ids"])
    public = sorted(
        each.attributes["id"]
        for each in managed
        if each.type == "aws_subnet"
        and each.attributes.get("vpc_id") == vpc
        and each.attributes["id"] not in private
        and (each.attributes.get("map_public_ip_on_launch") or "public" in each.name)
    )
    network: dict[str, Any] = {"vpcId": vpc, "privateSubnetIds": private}
    if len(public) > 1:
        network["publicSubnetIds"] = public
    else:
        move.first.append(
            f"langfuse:network.publicSubnetIds: the state does not say which subnets of {vpc} are "
            "public. Set two or more, in two or more zones."
        )
    move.config["aws:region"] = by_kind[CLUSTER][0].attributes["arn"].split(":")[3]
    move.config["langfuse:network"] = network


def _postgres(move: Move, cluster: Managed, instances: Sequence[Managed]) -> None:
    found = cluster.attributes
    (scaling,) = found["serverlessv2_scaling_configuration"]
    move.config["langfuse:postgres"] = {
        "mode": "auroraServerless",
        "minAcu": scaling["min_capacity"],
        "maxAcu": scaling["max_capacity"],
        "instances": len(instances),
    }
    release = str(found.get("engine_version_actual") or found["engine_version"])
    if release.split(".", 1)[0] != POSTGRES_MAJOR:
        move.first.append(
            f"{cluster.address}: is PostgreSQL {release} and must be {POSTGRES_MAJOR}: snapshot, "
            f"then upgrade it ({GUIDE}, PostgreSQL)."
        )


def _external(move: Move, cluster: Managed) -> None:
    found = cluster.attributes
    move.config["langfuse:postgres"] = {
        "mode": "external",
        "host": found["endpoint"],
        "user": found["master_username"],
        "database": found["database_name"],
    }
    move.first.append(
        "langfuse:postgresPassword: give the database's user a password of letters and digits, "
        "and set it here."
    )


def _redis(move: Move, cache: Managed) -> None:
    move.config["langfuse:redis"] = {
        "mode": "elasticache",
        "nodeType": cache.attributes["node_type"],
        "replicas": int(cache.attributes["num_cache_clusters"]) - 1,
    }


def _web(move: Move, web: Managed) -> None:
    environment = dict(_environment(web))
    url = environment.get("NEXTAUTH_URL", "")
    if url.startswith("https://"):
        move.config["langfuse:domain"] = url.removeprefix("https://").rstrip("/")
    else:
        move.first.append(f"langfuse:domain: {web.address} has no NEXTAUTH_URL. Set it yourself.")
    known = {
        "SALT": environment.get("SALT"),
        "ENCRYPTION_KEY": environment.get("ENCRYPTION_KEY") or environment.get(MISSPELT_KEY),
        "NEXTAUTH_SECRET": environment.get("NEXTAUTH_SECRET"),
    }
    for name, value in known.items():
        if value:
            move.secrets[name] = value
        else:
            move.first.append(
                f"langfuse:secretEnvironment: {web.address} has no {name}. Find it, and set it "
                "yourself: with another one API keys, stored credentials or sessions are lost."
            )


def _environment(web: Managed) -> Iterator[tuple[str, str]]:
    found: Any = web.attributes
    for key in ("source_configuration", "image_repository", "image_configuration"):
        blocks = cast("list[dict[str, Any]]", found.get(key) or [{}])
        found = blocks[0]
    yield from (found.get("runtime_environment_variables") or {}).items()
