"""Works out how a Langfuse of tubone24/langfuse-v3-terraform moves in, from its Terraform state.

Pure: it reads no file and asks nobody. docs/migrate-from-terraform.md has the way itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, cast

from langfuse_aws.automation.errors import MistakesError, UserError
from langfuse_aws.automation.from_terraform.move import Left, Move
from langfuse_aws.automation.from_terraform.stores import (
    adopt_network,
    adopt_postgres,
    adopt_redis,
    fits,
    use_postgres,
)
from langfuse_aws.automation.from_terraform.terraform_resources import (
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
    treatment,
)
from langfuse_aws.automation.from_terraform.terraform_state import Managed
from langfuse_aws.components.protection.adoption import ADOPTABLE
from langfuse_aws.settings.model import AdoptedStore

NEEDED: Final = (CLUSTER, INSTANCE, CACHE, MEDIA, EVENTS, SUBNETS, DATABASE_GROUP, WEB)

MISSPELT_KEY: Final = "ENCRIPTION_KEY"
"""What the repository's first versions call ENCRYPTION_KEY. Langfuse does not read it, so nothing
of such an installation is encrypted, and any key will do."""


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
    adopt_network(move, by_kind, managed)
    adopted: dict[AdoptedStore, list[Managed]] = {}
    database = [cluster, *by_kind[INSTANCE]]
    otherwise = f"it cannot be adopted: postgres.mode external uses it ({GUIDE})"
    if all(fits(move, each, otherwise) for each in database):
        adopted["postgres"] = database
        adopt_postgres(move, cluster, by_kind[INSTANCE])
    else:
        use_postgres(move, cluster)
    if fits(move, cache, "a new cache is made: let the worker empty the queue before it stops"):
        adopted["redis"] = [cache]
        adopt_redis(move, cache)
    adopted["storage"] = [media]
    move.config["langfuse:adopted"] = list(adopted)
    move.imports = import_specs(prefix, adopted)
    move.adopted = [each.address for found in adopted.values() for each in found]
    _web(move, by_kind[WEB][0])
    left = [each for each in managed if each.address not in move.adopted]
    move.left += [
        Left(treatment(each, adopted), each.address) for each in left if each.module == move.module
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
        raise MistakesError(lines)


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


def import_specs(
    prefix: str, adopted: Mapping[AdoptedStore, Sequence[Managed]]
) -> list[dict[str, Any]]:
    """Write the `resources` of a file for `pulumi import --file`, with IDs and no secret.

    Adopted stores have the names that the program gives them in a stack whose resources' names
    begin with `prefix`. https://www.pulumi.com/docs/reference/cli/pulumi_import/.

    Each store's first resource bears its data, the others belong to it. The components come first,
    since a resource's URN has its parents' types in it.
    """
    specs = [_component("DataPlane", prefix)]
    for store, (source, *others) in adopted.items():
        name = f"{prefix}-{store}"
        token, beside = ADOPTABLE[store]
        specs.append({**_component(store.capitalize(), name), "parent": prefix})
        specs.append(_resource(token, name, source, name))
        specs += [
            _resource(beside or token, f"{name}-{number}", each, name)
            for number, each in enumerate(others, start=1)
        ]
    return specs


def _component(kind: str, name: str) -> dict[str, Any]:
    return {"type": f"langfuse:index:{kind}", "name": name, "component": True}


def _resource(token: str, name: str, source: Managed, parent: str) -> dict[str, Any]:
    return {
        "type": token,
        # A name of the file's own: the parent has the resource's.
        "name": source.address,
        "logicalName": name,
        "id": source.attributes["id"],
        "parent": parent,
        "version": version("pulumi-aws"),
    }
