"""The way in of a running stack, changed: every ordered pair of ways, in one `up` each.

It proves what the engine does of the program on the in-memory AWS: which resources come, stay and
go, in which order the engine may take them, and what a preview refuses. It does not prove that no
request fails meanwhile.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deployment import Deployment
from tests.image_lock import copy_of_the_repository, lock_copy, locked

pytestmark = pytest.mark.running

DOMAIN: Final = {"domain": "langfuse.example.com"}
GRAFANA: Final = {"grafana.enabled": "true"}
BASE: Final = {"network.egress": "natInstance", "images.source": "mirror"}

WAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "a load balancer": {**DOMAIN, **GRAFANA, "ingress.kind": "alb"},
    "an internal load balancer": {
        **DOMAIN,
        **GRAFANA,
        "ingress.kind": "alb",
        "ingress.internal": "true",
    },
    "an API with a domain": {**DOMAIN, **GRAFANA, "ingress.kind": "apiGateway"},
    "an API without one": {**GRAFANA, "ingress.kind": "apiGateway"},
    "App Runner": {**DOMAIN, "web.platform": "appRunner"},
}

BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"
API: Final = "aws:apigatewayv2/api:Api"
DOMAIN_NAME: Final = "aws:apigatewayv2/domainName:DomainName"
APP_RUNNER: Final = "aws:apprunner/service:Service"
RECORD: Final = "aws:route53/record:Record"
SERVICE: Final = "aws:ecs/service:Service"

KINDS: Final = {BALANCER: "load balancer", API: "API", APP_RUNNER: "App Runner"}
"""What a way in is made of, and the word that says so."""

STORES: Final = ("aws:rds/", "aws:elasticache/replication", "aws:s3/bucket:", "aws:ebs/volume:")

PROTECTED_NAME: Final = "langfuse-dev-alb"
ALLOWED: Final = {"allowReplace[0]": PROTECTED_NAME}


def tour(names: Sequence[str]) -> list[str]:
    """A way through all names that has each ordered pair of them once."""
    first, *rest = names
    if not rest:
        return [first]
    return [first, *tour(rest), first, *(each for name in rest[1:] for each in (name, first))]


class ReconfiguredStack:
    """A deployed stack, whose configuration is changed as a whole."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._file = deployment.stack.folder / f"Pulumi.{deployment.stack.name}.yaml"
        self._base = self._file.read_text(encoding="utf-8")

    def configure(self, config: Mapping[str, str]) -> None:
        """Set these keys, and none that was set before."""
        self._file.write_text(self._base, encoding="utf-8")
        self.deployment.configure_all({**BASE, **config}, {})

    def refused(self, config: Mapping[str, str], command: str = "preview") -> str:
        """What a command says that must fail; it must not have changed what there is."""
        before = {each["urn"] for each in self.deployment.state()}
        self.configure(config)
        options = ["--yes", "--skip-preview"] if command == "up" else []
        done = self.deployment.run(command, *options, "--stack", "dev", check=False)
        said = done.stdout + done.stderr
        assert done.returncode != 0, f"{command} was allowed"
        assert before <= {each["urn"] for each in self.deployment.state()}, "something is gone"
        return said

    def of_type(self, token: str) -> list[dict[str, Any]]:
        """List what is in the state of one type."""
        return self.deployment.of_type(token)


def made(folder: Path, environment: dict[str, str]) -> ReconfiguredStack:
    copy = copy_of_the_repository(folder / "langfuse")
    lock_copy(
        copy, locked({"size": "dev", "domain": "x.example.com", "grafana": {"enabled": True}})
    )
    (folder / "dev").mkdir()
    return ReconfiguredStack(Deployment.of("dev", folder / "dev", environment, project=copy))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ways")


def stores(state: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(each["urn"], each["id"]) for each in state if each["type"].startswith(STORES)}


def check(way: str, state: list[dict[str, Any]]) -> None:
    """Whether what there is is this way in, nothing else, and the domain leads to it."""
    found = {
        token: [each for each in state if each["type"] == token]
        for token in (BALANCER, API, DOMAIN_NAME, APP_RUNNER, RECORD, SERVICE)
    }
    assert not [each["urn"] for each in state if each.get("delete")], (
        "something waits to be deleted"
    )
    (kind,) = [token for token, word in KINDS.items() if word in way]
    assert {token: len(found[token]) for token in KINDS} == {**dict.fromkeys(KINDS, 0), kind: 1}
    if way == "an API without one":
        assert found[RECORD] == []
        return
    (record,) = [each for each in found[RECORD] if each["inputs"]["type"] == "A"]
    (alias,) = record["outputs"]["aliases"]
    if found[BALANCER]:
        (balancer,) = found[BALANCER]
        assert balancer["outputs"]["internal"] is ("internal" in way)
        assert alias["name"] == balancer["outputs"]["dnsName"]
    elif found[API]:
        configuration = found[DOMAIN_NAME][0]["outputs"]["domainNameConfiguration"]
        assert alias["name"] == configuration["targetDomainName"]
    else:
        assert alias["name"].endswith("awsapprunner.com")


@pytest.mark.xdist_group("ways in")
def test_every_way_in_becomes_every_other_in_one_up(
    environment: dict[str, str], folder: Path
) -> None:
    stack = made(folder / "all", environment)
    first, *others = tour(list(WAYS))
    stack.configure(WAYS[first])
    stack.deployment.up()
    state = stack.deployment.state()
    check(first, state)
    kept, before = stores(state), first
    for way in others:
        stack.configure(WAYS[way])
        done = stack.deployment.up(check=False)
        assert done.returncode == 0, f"{before} to {way}:\n{done.stdout}\n{done.stderr}"
        state = stack.deployment.state()
        check(way, state)
        assert stores(state) == kept, f"{before} to {way}"
        before = way
    assert stack.deployment.changes() == set(), "one more up changes something"


def order(done: str, *urns: str) -> list[str]:
    """The steps on some resources, in the order in which the engine began them."""
    begun: list[str] = []
    for line in done.splitlines():
        event: dict[str, Any] = json.loads(line)
        begins: dict[str, Any] = event.get("resourcePreEvent") or {}
        meta: dict[str, Any] = begins.get("metadata") or {}
        if meta.get("urn") in urns and meta["op"] not in ("same", "replace"):
            begun.append(f"{meta['op']} {meta['urn'].split('::')[-2].split('$')[-1]}")
    return begun


@pytest.mark.xdist_group("ways in")
def test_the_domain_follows_when_web_serves_and_the_old_way_goes_last(
    environment: dict[str, str], folder: Path
) -> None:
    stack = made(folder / "order", environment)
    stack.configure(WAYS["an API with a domain"])
    stack.deployment.up()
    before = {each["urn"] for each in stack.deployment.state()}
    stack.configure(WAYS["a load balancer"])
    done = stack.deployment.up("--json")
    (record,) = [each for each in stack.of_type(RECORD) if each["inputs"]["type"] == "A"]
    web = next(each for each in stack.of_type(SERVICE) if each["urn"].endswith("-web"))
    (api,) = [urn for urn in before if f"::{API.split('$')[-1]}::" in urn or f"${API}::" in urn]
    assert order(done.stdout, record["urn"], web["urn"], api) == [
        f"create-replacement {SERVICE}",
        f"update {RECORD}",
        f"delete-replaced {SERVICE}",
        f"delete {API}",
    ]


@pytest.fixture(scope="module")
def protected(environment: dict[str, str], folder: Path) -> ReconfiguredStack:
    """A stack whose load balancer AWS protects."""
    stack = made(folder / "protected", environment)
    stack.configure({**WAYS["a load balancer"], "deletionProtection": "true"})
    stack.deployment.up()
    return stack


AWAY: Final = [way for way in WAYS if way != "a load balancer"]


@pytest.mark.xdist_group("ways in")
@pytest.mark.parametrize(
    ("way", "command", "more"),
    [*((way, "preview", {}) for way in AWAY), (AWAY[0], "preview", ALLOWED), (AWAY[1], "up", {})],
)
def test_a_protected_load_balancer_may_not_go_before_an_update_has_let_it(
    protected: ReconfiguredStack, way: str, command: str, more: dict[str, str]
) -> None:
    config = {**WAYS[way], **more, "deletionProtection": "true"}
    said = protected.refused(config, command)
    lines = [line for line in said.splitlines() if "would be" in line]
    assert lines, said
    assert f"{PROTECTED_NAME} (the load balancer) would be " in lines[0]
    assert (
        "allow it by name and run pulumi up, and only then make the change: pulumi config set "
        f"--path 'langfuse:allowReplace[0]' {PROTECTED_NAME}"
    ) in lines[0]


@pytest.mark.xdist_group("ways in")
def test_protection_that_is_taken_off_with_the_change_is_taken_off_too_late(
    protected: ReconfiguredStack,
) -> None:
    said = protected.refused({**WAYS["an API with a domain"], "deletionProtection": "false"})
    assert f"{PROTECTED_NAME} (the load balancer) would be deleted" in said


@pytest.mark.xdist_group("ways in")
def test_a_load_balancer_that_was_let_go_by_name_goes_and_everything_else_stays_protected(
    environment: dict[str, str], folder: Path
) -> None:
    stack = made(folder / "let-go", environment)
    before = {**WAYS["a load balancer"], "deletionProtection": "true"}
    after = {**WAYS["an internal load balancer"], "deletionProtection": "true"}
    stack.configure(before)
    stack.deployment.up()
    kept = stores(stack.deployment.state())
    stack.configure({**before, **ALLOWED})
    stack.deployment.up()
    (balancer,) = stack.of_type(BALANCER)
    assert balancer["inputs"]["enableDeletionProtection"] is False
    stack.configure({**after, **ALLOWED})
    stack.deployment.up()
    stack.configure(after)
    stack.deployment.up()
    check("an internal load balancer", stack.deployment.state())
    (balancer,) = stack.of_type(BALANCER)
    assert balancer["inputs"]["enableDeletionProtection"] is True
    assert stores(stack.deployment.state()) == kept
    assert all(each["protect"] for each in stack.of_type("aws:ebs/volume:Volume"))


@pytest.mark.xdist_group("ways in")
def test_the_list_of_allowed_networks_may_change_in_any_way(
    environment: dict[str, str], folder: Path
) -> None:
    stack = made(folder / "networks", environment)
    lists = (["10.0.0.0/8", "192.0.2.0/24"], ["192.0.2.0/24", "10.0.0.0/8"], ["192.0.2.0/24"])
    for blocks in (*lists, ["203.0.113.7/32", "192.0.2.0/24"]):
        listed = {f"ingress.allowedCidrs[{index}]": block for index, block in enumerate(blocks)}
        stack.configure({**WAYS["a load balancer"], **listed})
        stack.deployment.up()
        rules = stack.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        entering = [each["inputs"] for each in rules if "-alb-" in each["urn"]]
        found = {(each.get("cidrIpv4"), each["fromPort"]) for each in entering}
        assert found >= {(block, port) for block in blocks for port in (80, 443)}
        assert len(found) == 2 * len(blocks)
