# ruff: noqa: S608 -- names and texts are quoted where they are put in
"""Why a move must not begin: a line for each reason, all at once, before anything is written."""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.amounts import size
from langfuse_aws.automation.move_in.postgres import literal, tools_major
from langfuse_aws.automation.move_in.sides import Sides, version
from langfuse_aws.settings.installation import COMMAND

SECRETS: Final = ("SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET")
"""What must be the same on both sides."""
NEEDED_FOR: Final = {
    "SALT": "no API key would open the target",
    "ENCRYPTION_KEY": "no stored credential, such as a model's API key, could be read",
    "NEXTAUTH_SECRET": "every session would end, and links in mails with it",
}
FREE_SHARE: Final = 0.2
"""Of ClickHouse's disk, which must stay free: merges need room, and an alarm goes off below it."""
OWNED: Final = ("organizations", "projects", "users", "api_keys")
"""Tables with no row in a Langfuse that nobody has used; the rest of its rows is Langfuse's own."""
UTC: Final = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Universal", "Etc/Universal", "Zulu")

Check = Callable[[Sides], Iterator[str]]


def refusals(sides: Sides) -> list[str]:
    """Find the reasons; none: it may begin."""
    # What cannot be reached cannot be looked into.
    return _found(sides, REACHED) or _found(sides, CHECKS)


def _found(sides: Sides, checks: Sequence[Check]) -> list[str]:
    lines: list[str] = []
    for check in checks:
        try:
            lines += check(sides)
        except UserError as error:
            lines += error.messages
    return list(dict.fromkeys(lines))


def _programs(_: Sides) -> Iterator[str]:
    tools_major()
    yield from ()


def _source_postgres(sides: Sides) -> Iterator[str]:
    sides.postgres.one("SELECT 1")
    yield from ()


def _target_postgres(sides: Sides) -> Iterator[str]:
    sides.target.postgres.one("SELECT 1")
    yield from ()


def _source_clickhouse(sides: Sides) -> Iterator[str]:
    sides.clickhouse.one("SELECT 1")
    yield from ()


def _target_clickhouse(sides: Sides) -> Iterator[str]:
    sides.target.clickhouse.one("SELECT 1")
    yield from ()


def _buckets(sides: Sides) -> Iterator[str]:
    for use, prefix in sides.objects.items():
        for each in (prefix, sides.target.objects[use]):
            if said := each.readable():
                yield (
                    f"objects of the {each.side}, {use}, {each}: {said.rstrip('.')}. Its user "
                    "needs s3:ListBucket and s3:GetObject."
                )


def _releases(sides: Sides) -> Iterator[str]:
    source, target = sides.source_release, sides.target.release
    if source is None:
        yield (
            f"{sides.source.name}: its release is unknown: {sides.source.url or 'its web'} does "
            "not answer, and its images' tag is no release. Give it by --release X.Y.Z; Langfuse "
            "shows it at the bottom of its menu."
        )
        return
    if version(source)[0] != version(target)[0]:
        newer = version(source) > version(target)
        yield (
            f"release: the source is {source} and the target {target}: a move goes across no "
            "major. "
            + (
                f"Set langfuse:release to {source} or a later one, and pulumi up an empty stack."
                if newer
                else f"Give the stack {version(source)[0]}.x from {source} on as langfuse:release, "
                f"move in, then {COMMAND} upgrade; or upgrade the source first."
            )
        )
    elif version(source) > version(target):
        yield (
            f"release: the source is {source}, newer than the target's {target}. Set "
            f"langfuse:release to {source} or a later one, then pulumi up."
        )


def _migrations(sides: Sides) -> Iterator[str]:
    there = sides.postgres.migrations()
    if not there:
        yield (
            f"PostgreSQL of the source, {sides.postgres.address}: has no migrations of Langfuse. "
            "Name Langfuse's own database."
        )
        return
    known = sides.target.postgres.migrations()
    if not known and not sides.progress.begun():
        yield (
            "PostgreSQL of the target: has no tables of Langfuse. pulumi up makes them; then "
            "move in."
        )
    elif unknown := [each for each in there if each not in known]:
        yield (
            f"release: the source's PostgreSQL has {len(unknown)} migrations that the target's "
            f"{sides.target.release} does not know, the last {unknown[-1]}: the source is newer. "
            "Set langfuse:release to the source's, or a later one, then pulumi up."
        )


def _failed_migrations(sides: Sides) -> Iterator[str]:
    if "_prisma_migrations" not in sides.postgres_tables:
        return
    failed = sides.postgres.rows(
        'SELECT migration_name FROM public."_prisma_migrations" '
        "WHERE finished_at IS NULL AND rolled_back_at IS NULL ORDER BY 1"
    )
    for row in failed:
        yield (
            f"PostgreSQL of the source: the migration {row[0]} has not finished. Mend the source "
            "first: its web runs them when it starts."
        )


def _postgres_versions(sides: Sides) -> Iterator[str]:
    source, target, tools = (
        sides.postgres.major(),
        sides.target.postgres.major(),
        tools_major(),
    )
    if source > target:
        yield (
            f"PostgreSQL: the source is {source} and the target {target}, and a dump goes into no "
            "earlier major. Take a stack with a later PostgreSQL."
        )
    elif not source <= tools <= target:
        yield (
            f"pg_dump: is of PostgreSQL {tools}, and must be from {source}, the source's, to "
            f"{target}, the target's. Put such a one first on PATH."
        )


def _secrets(sides: Sides) -> Iterator[str]:
    for name in SECRETS:
        there, here = sides.source.environment.get(name), sides.target.secrets.get(name)
        # App Runner's web tells its secrets to nobody.
        if there is not None and here is not None and there != here:
            yield (
                f"{name}: the target's is not the source's, so {NEEDED_FOR[name]}. "
                f"{COMMAND} move-in configure --stack {sides.target.name} sets it, then pulumi up."
            )


def _salt(sides: Sides) -> Iterator[str]:
    """Hold a key pair against its hash in the source."""
    if sides.keys is None:
        return
    found = sides.postgres.rows(
        "SELECT coalesce(fast_hashed_secret_key, '') FROM public.api_keys "
        f"WHERE public_key = {literal(sides.keys.public)}"
    )
    if not found:
        yield (
            f"{sides.keys.public}: the source has no API key of this name. Give a pair of one of "
            "its projects."
        )
    elif found[0][0] and not hmac.compare_digest(
        found[0][0], hashed(sides.keys.secret, sides.source.environment.get("SALT", ""))
    ):
        yield (
            f"SALT: that of {sides.source.name} does not make the hash of {sides.keys.public} that "
            "the source's PostgreSQL has: the SALT is wrong, or the secret key. Take the one that "
            "the running containers have: docker compose exec langfuse-web printenv SALT."
        )


def hashed(secret_key: str, salt: str) -> str:
    """Hash a secret key as Langfuse does it (packages/shared/src/server/auth/apiKeys.ts)."""
    inner = hashlib.sha256(salt.encode()).hexdigest()
    return hashlib.sha256(f"{secret_key}{inner}".encode()).hexdigest()


def _encryption(sides: Sides) -> Iterator[str]:
    if sides.source.environment.get("ENCRYPTION_KEY") is not None:
        return
    if "llm_api_keys" in sides.postgres_tables and int(
        sides.postgres.one("SELECT count(*) FROM public.llm_api_keys")
    ):
        yield (
            f"ENCRYPTION_KEY: {sides.source.name} has none, and the source's PostgreSQL has "
            "credentials that are encrypted with one. Give it in a file by another --from."
        )


def _rights(sides: Sides) -> Iterator[str]:
    user = sides.postgres.address.user
    if lacking := sides.postgres.unreadable():
        yield (
            f"PostgreSQL of the source: user {user} may not read {_some(lacking)}. GRANT SELECT ON "
            f"ALL TABLES IN SCHEMA public TO {user}; and the same of ALL SEQUENCES."
        )
    user = sides.clickhouse.address.user
    if lacking := sides.clickhouse.unreadable(list(sides.common_tables)):
        yield (
            f"ClickHouse of the source: user {user} may not read {_some(lacking)}. GRANT SELECT ON "
            f"{sides.clickhouse.address.database}.* TO {user}."
        )
    hidden = [
        each.name
        for each in sides.common_tables.values()
        if each.rows and not sides.clickhouse.partitions(each.name)
    ]
    if hidden:
        yield (
            f"ClickHouse of the source: user {user} may not see the parts of {_some(hidden)}. "
            f"GRANT SELECT ON system.parts TO {user}."
        )
    owner = sides.target.postgres.one(
        "SELECT has_database_privilege(current_database(), 'CREATE') AND "
        "pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'public'"
    )
    if owner != "t":
        yield (
            f"PostgreSQL of the target: user {sides.target.postgres.address.user} does not own the "
            "schema public, and cannot replace it. ALTER SCHEMA public OWNER TO it, and GRANT "
            "CREATE ON DATABASE."
        )


def _some(names: Sequence[str]) -> str:
    rest = len(names) - 3
    return ", ".join(names[:3]) + (f" and {rest} more" if rest > 0 else "")


def _tables(sides: Sides) -> Iterator[str]:
    if not sides.tables:
        yield (
            f"ClickHouse of the source, {sides.clickhouse.address}: has no tables of Langfuse that "
            f"user {sides.clickhouse.address.user} sees. Name Langfuse's own database, and a user "
            "that may read it."
        )
    elif not sides.common_tables:
        yield "ClickHouse of the target: has no tables of Langfuse. pulumi up makes them."
    for name, table in sides.common_tables.items():
        other = sides.target_tables[name]
        if table.partition_key != other.partition_key:
            yield (
                f"ClickHouse: {name} is partitioned by {table.partition_key or 'nothing'} in the "
                f"source and by {other.partition_key or 'nothing'} in the target. Take the "
                "source's release for the stack."
            )
    for server, side in ((sides.clickhouse, "source"), (sides.target.clickhouse, "target")):
        if (zone := server.time_zone()) not in UTC:
            yield (
                f"ClickHouse of the {side}: its time zone is {zone}, and Langfuse needs UTC. Times "
                "in it are wrong already; mend it first."
            )


def _room(sides: Sides) -> Iterator[str]:
    disk = sides.target.clickhouse.disk()
    there = sum(each.bytes for each in sides.common_tables.values())
    here = sum(each.bytes for each in sides.target_tables.values())
    # What is copied already is there already, and a partition is there twice while it is copied.
    largest = max(
        (
            partition.bytes
            for name in sides.common_tables
            for partition in sides.clickhouse.partitions(name).values()
        ),
        default=0,
    )
    needed = max(there - here, 0) + largest + int(disk.total * FREE_SHARE)
    if disk.free < needed:
        more = -(-(needed - disk.free) // 2**30)
        yield (
            f"ClickHouse's disk of the target: {size(disk.free)} are free of {size(disk.total)}, "
            f"and {size(needed)} are needed: the source's {size(there)} and a fifth for merges. "
            f"Raise langfuse:clickhouse.volumeGib by {more} or more, then pulumi up."
        )
    room, wanted = sides.target.postgres_room, sides.postgres.size()
    # The old schema is there until the new one is committed.
    wanted += sides.target.postgres.size()
    if room is not None and wanted > room:
        yield (
            f"PostgreSQL's storage of the target: it may have {size(room)}, and {size(wanted)} are "
            "needed. Take langfuse:postgres.mode auroraServerless, whose storage grows by itself."
        )


def _empty(sides: Sides) -> Iterator[str]:
    moved = sides.progress.items()
    if moved:
        if moved.get("source") != sides.source.identity:
            yield (
                f"target: another source is being moved in, {moved.get('source')}. Go on with that "
                f"one; or {COMMAND} move-in finish --stack {sides.target.name}, and an empty stack."
            )
        return
    remedy = (
        "Its langfuse:bootstrap made them: take it out, and make the stack anew."
        if sides.target.initial_seed
        else "A move replaces all that the target has. Make an empty stack."
    )
    counts = sides.target.postgres.counts()
    if found := [f"{counts[table]} {table}" for table in OWNED if counts.get(table)]:
        yield f"PostgreSQL of the target: is not empty: {', '.join(found)}. {remedy}"
    if found := [
        f"{each.rows:,} rows of {each.name}"
        for name, each in sides.target_tables.items()
        if each.rows and name in sides.tables
    ]:
        yield f"ClickHouse of the target: is not empty: {_some(found)}. {remedy}"


REACHED: Final[Sequence[Check]] = (
    _programs,
    _source_postgres,
    _source_clickhouse,
    _target_postgres,
    _target_clickhouse,
    _buckets,
)
CHECKS: Final[Sequence[Check]] = (
    _releases,
    _migrations,
    _failed_migrations,
    _postgres_versions,
    _secrets,
    _salt,
    _encryption,
    _rights,
    _tables,
    _room,
    _empty,
)
