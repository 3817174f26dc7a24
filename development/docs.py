"""Writes the generated parts of the documentation: `make docs`.

A generated part stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`; the text around it is
written by hand and is left alone. `--check` writes nothing, names each stale file and exits with 1.
Prices come from docs/prices.csv and are nobody's promise: nothing here asks AWS.
"""

# ruff: noqa: RUF001 -- the documents use the multiplication sign and the dash.

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel

from components.clickhouse_host import ROOT_VOLUME_GIB
from components.nat_instance import INSTANCE_TYPE as NAT_INSTANCE_TYPE
from components.postgres import INSTANCE_STORAGE_GIB
from settings.capacity import AURORA_STEP_ACU, FARGATE_MEMORY_MIB
from settings.loading import NAMESPACE, SECRET_KEYS, VARIANTS, load
from settings.model import RETENTION_DAYS, Settings
from settings.network import CreatedNetwork
from settings.releases import LANGFUSE_MINIMUM
from settings.section import Section
from settings.services import LoadBalancerIngress, Service
from settings.sizing import SIZING
from settings.stores import CLICKHOUSE_MINIMUM_MEMORY_GIB, AuroraPostgres

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PRICES: Final = REPOSITORY / "docs/prices.csv"

EXAMPLE_DOMAIN: Final = "langfuse.example.com"
HOURS: Final = 730
SPOT_SHARE: Final = 0.3
"""What Spot costs of the on-demand price; AWS says up to 70 % less, and the rate moves."""
NAT_ROOT_GIB: Final = 8
"""Root volume of Amazon Linux 2023's image."""
SECRETS: Final = 4
"""PostgreSQL's, Valkey's and ClickHouse's password, and Langfuse's own keys."""
ABSENT: Final = "–"

_CPU_SIZES: Final = ", ".join(str(size) for size in FARGATE_MEMORY_MIB)
CHECKED_BY_CODE: Final[Mapping[str, str]] = {
    "release": f"`X.Y.Z`, {'.'.join(map(str, LANGFUSE_MINIMUM))} or later",
    "domain": "host name",
    "network.cidr": "IPv4 block, /16 to /24",
    "network.vpcId": "VPC ID",
    "network.privateSubnetIds": "list of subnet IDs, 2 or more",
    "network.publicSubnetIds": "list of subnet IDs, 2 or more",
    "ingress.kind": "`alb` or `apiGateway`",
    "ingress.certificateArn": "ARN of an ACM certificate",
    "ingress.allowedCidrs": "list of IPv4 blocks, 1 or more",
    "web.cpu": f"one of {_CPU_SIZES}",
    "web.memory": "MiB that Fargate sells with `cpu`",
    "worker.cpu": f"one of {_CPU_SIZES}",
    "worker.memory": "MiB that Fargate sells with `cpu`",
    "web.environment": "names and texts",
    "worker.environment": "names and texts",
    "clickhouse.replicas": "1",
    "clickhouse.instanceType": f"Graviton, {CLICKHOUSE_MINIMUM_MEMORY_GIB:.0f} GiB or more",
    "postgres.mode": "`auroraServerless` or `instance`",
    "postgres.instanceClass": "`db.FAMILY.SIZE`",
    "postgres.minAcu": f"0 to 256 in steps of {AURORA_STEP_ACU}",
    "postgres.maxAcu": f"1 to 256 in steps of {AURORA_STEP_ACU}, minAcu or more",
    "redis.nodeType": "`cache.FAMILY.SIZE`",
    "logs.retentionDays": f"one of {', '.join(map(str, RETENTION_DAYS))}",
}
"""Bounds that validators know and the fields do not, or that the fields tell as a pattern."""

WHICH_SHAPE: Final = "Which shape the section has"
_KIND: Final = re.compile(r" \(kind \w+\)$")
"""What a description says of its shape, which the table says for all keys alike."""

SECRET_MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "secretEnvironment": (
        "JSON object of names and texts",
        "Langfuse variables for both containers that are secrets, kept in Secrets Manager",
    ),
}


@dataclass(frozen=True)
class Key:
    """One key of the stack file, with its section, and the shapes of the section that have it."""

    path: str
    bounds: str
    meaning: str
    default: str
    variants: tuple[str, ...] = ()
    """The shapes that have it; none if the section has one shape, or all of its shapes do."""


@dataclass(frozen=True)
class Item:
    """One line of the bill: what it is, how the sum is made, and USD a month."""

    name: str
    arithmetic: str
    usd: float


def all_keys() -> list[Key]:
    """Every key but the secret ones, in the order of the model."""
    return list(chain.from_iterable(_keys_of(name) for name in Settings.model_fields))


def _keys_of(name: str) -> Iterator[Key]:
    path = _alias(Settings, name)
    if path in VARIANTS:
        yield from _keys_of_variants(path, VARIANTS[path])
        return
    section = _section(name)
    if section is None:
        yield _key(path, Settings, path)
        return
    for key in _properties(section):
        yield _key(f"{path}.{key}", section, key)


def _keys_of_variants(path: str, variants: Mapping[str, type[BaseModel]]) -> Iterator[Key]:
    for name in dict.fromkeys(chain.from_iterable(map(_properties, variants.values()))):
        having = {tag: model for tag, model in variants.items() if name in _properties(model)}
        found = [_key(f"{path}.{name}", model, name) for model in having.values()]
        described = next((key for key in found if key.meaning), found[0])
        tags = () if len(having) == len(variants) else tuple(having)
        yield replace(described, variants=tags)


def _key(path: str, model: type[BaseModel], name: str) -> Key:
    schema = _properties(model)[name]
    bounds = CHECKED_BY_CODE.get(path) or _bounds(schema)
    if name in _schema(model).get("required", []) and "const" not in schema:
        bounds = f"{bounds}; required"
    meaning = str(schema.get("description", "" if "const" not in schema else WHICH_SHAPE))
    return Key(path, bounds, _KIND.sub("", meaning), _cell(schema.get("default")))


def _bounds(schema: Mapping[str, Any]) -> str:
    """Words for a JSON schema's type and limits."""
    if "anyOf" in schema:
        others = [_bounds(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(others)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return _either(f"`{each}`" for each in schema["enum"])
    kind = str(schema["type"])
    if kind == "array":
        least = f", {schema['minItems']} or more" if "minItems" in schema else ""
        return f"list of {_bounds(schema['items'])}{least}"
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {schema['minimum']:,} to {schema['maximum']:,}"
    if "minimum" in schema:
        return f"{kind}, {schema['minimum']:,} or more"
    if "exclusiveMinimum" in schema:
        return f"{kind} above {schema['exclusiveMinimum']}"
    return {"boolean": "`true` or `false`", "string": str(schema.get("format", "text"))}.get(
        kind, kind
    )


def _either(words: Iterable[str]) -> str:
    *most, last = list(words)
    return f"{', '.join(most)} or {last}" if most else last


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _properties(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    return dict(_schema(model)["properties"])


def _alias(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


def _section(name: str) -> type[BaseModel] | None:
    annotation: Any = Settings.model_fields[name].annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


@cache
def of_size(size: str) -> Settings:
    """The settings of a stack that sets nothing but its size, and a domain where it must."""
    return load({"size": size, "domain": EXAMPLE_DOMAIN})


def value(size: str, path: str) -> str:
    """What a size stands for at a key, in a table's cell."""
    found: Any = of_size(size).model_dump(by_alias=True)
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return ABSENT
        found = cast("dict[str, Any]", found)[part]
    return ABSENT if path == "domain" else _cell(found) or ABSENT


def _cell(found: Any) -> str:
    if found in (None, {}):
        return ""
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, list):
        return ", ".join(str(each) for each in cast("list[Any]", found))
    return f"{found:g}" if isinstance(found, float) else str(found)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """A Markdown table; the last `right` columns are set to the right."""
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def full_configuration() -> str:
    """Every key, its bounds, its value by size and its meaning; then the secret keys."""
    rows = [
        (
            f"`{key.path}`",
            _bounds_and_default(key),
            *(value(size, key.path) for size in SIZING),
            _meaning(key),
        )
        for key in all_keys()
    ]
    secrets = [(f"`{key}`", *SECRET_MEANINGS[key]) for key in SECRET_KEYS]
    return "\n\n".join(
        [
            table(("Key", "Type and bounds", *SIZING, "Meaning"), rows),
            "Secret keys:",
            table(("Key", "Type", "Meaning"), secrets),
        ]
    )


def _bounds_and_default(key: Key) -> str:
    """Add the default where a size has no value because it has another shape of the section."""
    told = ABSENT not in {value(size, key.path) for size in SIZING}
    return key.bounds if told or not key.default else f"{key.bounds}; default {key.default}"


def _meaning(key: Key) -> str:
    section = key.path.partition(".")[0]
    only = _either(f"`{tag}`" for tag in key.variants) if key.variants else ""
    words = {"network": {"created": "a VPC of the stack", "adopted": "an adopted VPC"}}
    if key.variants and section in words:
        only = _either(words[section][tag] for tag in key.variants)
    return f"{key.meaning}. Only for {only}" if only else key.meaning


def short_configuration() -> str:
    """What a size decides; then the names of the other keys."""
    decided = {path for row in SIZING.values() for path in _paths(row)}
    rows = [
        (f"`{key.path}`", *(value(size, key.path) for size in SIZING))
        for key in all_keys()
        if key.path in decided
    ]
    others = [f"`{key.path}`" for key in all_keys() if key.path not in decided]
    others += [f"`{key}` (secret)" for key in SECRET_KEYS]
    return (
        f"{table((f'Key, below `{NAMESPACE}:`', *SIZING), rows)}\n\n"
        f"Keys that no size decides: {', '.join(others)}."
    )


def _paths(row: Mapping[str, Any]) -> Iterator[str]:
    for key, part in row.items():
        if isinstance(part, Mapping):
            yield from (f"{key}.{name}" for name in cast("Mapping[str, Any]", part))
        else:
            yield key


@cache
def prices() -> dict[str, float]:
    """USD by name, per hour or per month as the file says."""
    with PRICES.open(newline="", encoding="utf-8") as lines:
        return {row["name"]: float(row["USD"]) for row in csv.DictReader(lines)}


def public_addresses(settings: Settings) -> int:
    """Public IPv4 addresses of a stack with minTasks tasks."""
    network, ingress = settings.network, settings.ingress
    balancer = isinstance(ingress, LoadBalancerIngress) and not ingress.internal
    if not isinstance(network, CreatedNetwork):
        return len(network.public_subnet_ids) if balancer else 0
    tasks = settings.web.min_tasks + settings.worker.min_tasks
    clickhouse_host = 1
    way_out = {
        "none": tasks + clickhouse_host,
        "natInstance": 1,
        "natGateway": 1,
        "natGatewayPerZone": network.zones,
    }
    return way_out[network.egress] + (network.zones if balancer else 0)


def bill(settings: Settings) -> list[Item]:
    """What a stack costs while it idles, a line for everything that has a price by the hour."""
    price, clickhouse = prices(), settings.clickhouse
    gateways = _nat_gateways(settings)
    return [
        *(_tasks(name, getattr(settings, name)) for name in ("web", "worker")),
        _by_hour(f"ClickHouse, {clickhouse.instance_type}", f"EC2 {clickhouse.instance_type}"),
        Item(
            "ClickHouse, volumes",
            f"({clickhouse.volume_gib} data + {ROOT_VOLUME_GIB} root) GiB × {price['EBS gp3']}",
            (clickhouse.volume_gib + ROOT_VOLUME_GIB) * price["EBS gp3"],
        ),
        _postgres(settings),
        _by_hour(
            f"Valkey, {settings.redis.node_type}",
            f"Valkey {settings.redis.node_type}",
            1 + settings.redis.replicas,
        ),
        *([_nat_instance()] if _egress(settings) == "natInstance" else []),
        *([_by_hour("NAT gateways", "NAT gateway", gateways)] if gateways else []),
        *(
            [_by_hour("Load balancer", "Application Load Balancer")]
            if isinstance(settings.ingress, LoadBalancerIngress)
            else []
        ),
        _by_hour("Public IPv4 addresses", "Public IPv4 address", public_addresses(settings)),
        Item(
            "Secrets",
            f"{SECRETS} × {price['Secrets Manager']}",
            SECRETS * price["Secrets Manager"],
        ),
        Item(
            "Private DNS zone",
            f"1 × {price['Cloud Map private zone']}",
            price["Cloud Map private zone"],
        ),
    ]


def _by_hour(name: str, price: str, count: int = 1) -> Item:
    return Item(name, f"{count} × {prices()[price]} × {HOURS} h", count * prices()[price] * HOURS)


def _tasks(name: str, service: Service) -> Item:
    vcpu, memory = prices()["Fargate ARM vCPU"], prices()["Fargate ARM memory"]
    cpus, gigabytes = service.cpu / 1024, service.memory / 1024
    hourly = cpus * vcpu + gigabytes * memory
    spot = f" × {SPOT_SHARE} (Spot)" if service.spot else ""
    return Item(
        f"{name.capitalize()} tasks",
        f"{service.min_tasks} × ({cpus:g} × {vcpu} + {gigabytes:g} × {memory}) × {HOURS} h{spot}",
        service.min_tasks * hourly * HOURS * (SPOT_SHARE if service.spot else 1),
    )


def _postgres(settings: Settings) -> Item:
    price, postgres = prices(), settings.postgres
    if isinstance(postgres, AuroraPostgres):
        acu = price["Aurora Serverless v2"]
        return Item(
            "PostgreSQL, Aurora at its least capacity",
            f"{postgres.instances} × {postgres.min_acu:g} ACU × {acu} × {HOURS} h",
            postgres.instances * postgres.min_acu * acu * HOURS,
        )
    hour, storage = price[f"RDS {postgres.instance_class}"], price["RDS gp3"]
    return Item(
        f"PostgreSQL, {postgres.instance_class}",
        f"{hour} × {HOURS} h + {INSTANCE_STORAGE_GIB} GiB × {storage}",
        hour * HOURS + INSTANCE_STORAGE_GIB * storage,
    )


def _nat_instance() -> Item:
    hour, storage = prices()[f"EC2 {NAT_INSTANCE_TYPE}"], prices()["EBS gp3"]
    return Item(
        f"NAT instance, {NAT_INSTANCE_TYPE}",
        f"{hour} × {HOURS} h + {NAT_ROOT_GIB} GiB × {storage}",
        hour * HOURS + NAT_ROOT_GIB * storage,
    )


def _egress(settings: Settings) -> str:
    return settings.network.egress if isinstance(settings.network, CreatedNetwork) else ""


def _nat_gateways(settings: Settings) -> int:
    network = settings.network
    if not isinstance(network, CreatedNetwork):
        return 0
    return {"natGateway": 1, "natGatewayPerZone": network.zones}.get(network.egress, 0)


def settings_as_shipped(size: str) -> Settings:
    """A size's settings with the ingress of its row."""
    row = SIZING[size]
    needs_domain = row["ingress"]["kind"] == "alb"
    return load({"size": size, **({"domain": EXAMPLE_DOMAIN} if needs_domain else {})})


def short_cost() -> str:
    """The bill by size, what is alike on one line."""
    bills = {size: bill(settings_as_shipped(size)) for size in SIZING}
    names = dict.fromkeys(item.name.partition(",")[0] for items in bills.values() for item in items)
    rows = [(name, *(_usd(items, name) for items in bills.values())) for name in names]
    total = ("**Sum, USD a month**", *(f"**{_sum(items):.0f}**" for items in bills.values()))
    return table(("", *SIZING), [*rows, total], right=len(SIZING))


def _usd(items: Sequence[Item], name: str) -> str:
    found = [item.usd for item in items if item.name.partition(",")[0] == name]
    return f"{sum(found):.2f}" if found else ABSENT


def _sum(items: Sequence[Item]) -> float:
    return sum(item.usd for item in items)


def full_cost() -> str:
    """Each size's bill with its arithmetic."""
    parts: list[str] = []
    for size in SIZING:
        items = bill(settings_as_shipped(size))
        rows = [(item.name, item.arithmetic, f"{item.usd:.2f}") for item in items]
        rows.append(("**Sum**", "", f"**{_sum(items):.2f}**"))
        parts += [f"### {size}", table(("Item", "Arithmetic", "USD a month"), rows, right=1)]
    return "\n\n".join(parts)


def price_list() -> str:
    """The prices that the sums use."""
    with PRICES.open(newline="", encoding="utf-8") as lines:
        rows = [(row["name"], row["USD"], row["per"]) for row in csv.DictReader(lines)]
    return table(("What", "USD", "per"), rows)


PARTS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "README.md": {"configuration": short_configuration, "cost": short_cost},
    "docs/configuration.md": {"configuration": full_configuration},
    "docs/cost.md": {"cost": full_cost, "prices": price_list},
}
"""The generated parts of each file, by the name in the markers."""


class MarkerError(Exception):
    """A file lacks the markers of a generated part."""


def renewed(file: str, text: str) -> str:
    """The text of a file with its generated parts written anew."""
    for name, generate in PARTS[file].items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise MarkerError(f"{file} must have {begin} and {end} once")
        part = f"{begin}\n<!-- written by make docs -->\n\n{generate()}\n\n{end}"
        text = pattern.sub(lambda _, part=part: part, text)
    return text


def stale() -> dict[Path, str]:
    """The files whose generated parts are not current, with the text they should have."""
    found: dict[Path, str] = {}
    for file in PARTS:
        path = REPOSITORY / file
        text = path.read_text(encoding="utf-8")
        new = renewed(file, text)
        if new != text:
            found[path] = new
    return found


def main() -> int:
    """Write what is stale, or name it."""
    parser = argparse.ArgumentParser(
        prog="python -m development.docs",
        description="Write the generated parts of the documentation.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    arguments = parser.parse_args()
    try:
        found = stale()
    except (MarkerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, text in found.items():
        name = path.relative_to(REPOSITORY)
        if arguments.check:
            print(f"{name} is stale: run make docs", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if arguments.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
