"""The component in a program of another language: TypeScript, on Node.js and Pulumi's SDK for it.

It proves that the engine starts the plugin from its folder, that the program of the documentation
comes up beside a second Langfuse and then has nothing to change, that secrets, providers and the
guard reach through, and what errors look like. The SDK that `pulumi package add` generates is not
there: its class is written here. AWS is the in-memory one.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from development.node_packages import NODE, packages
from langfuse_aws.automation.engine.offline_workspace import OfflineStack
from tests.deployment import Deployment

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugin"
RUNNER = Path(__file__).parent / "node_program.mjs"
DOCUMENTED = re.findall(
    r"```ts\n(.*?)```", (ROOT / "docs/other-languages.md").read_text(encoding="utf-8"), re.DOTALL
)

SDK = """
const pulumi = require("@pulumi/pulumi");
exports.Langfuse = class extends pulumi.ComponentResource {
    constructor(name, args, opts) {
        const outputs = ["url", "secretKeySecretArn", "dashboardUrl", "organization"];
        const unset = Object.fromEntries(outputs.map((output) => [output, undefined]));
        super("langfuse:index:Langfuse", name, { ...args, ...unset }, opts, true);
    }
};
"""
SECRETS = ("Salt-of-a-secret", "Licence-of-a-secret", "Password-of-a-store")
EUROPE = """
import * as langfuse from "@pulumi/langfuse";
import * as pulumi from "@pulumi/pulumi";

const europe = new pulumi.ProviderResource(
    "aws", "europe", { region: "eu-west-1" }, { version: "VERSION" },
);
const password = europe.id.apply(() => pulumi.secret("Password-of-a-store"));
const tracing = new langfuse.Langfuse(
    "europe",
    {
        size: "dev",
        deletionProtection: true,
        postgres: { mode: "external", host: "db.example.com" },
        postgresPassword: password,
        redis: { mode: "external", host: "cache.example.com" },
        redisPassword: password,
        clickhouse: {
            mode: "external",
            url: "https://abc.clickhouse.cloud:8443",
            migrationUrl: "clickhouse://abc.clickhouse.cloud:9440",
        },
        clickhousePassword: password,
        secretEnvironment: {
            SALT: pulumi.secret("Salt-of-a-secret"),
            LANGFUSE_EE_LICENSE_KEY: europe.urn.apply(() => pulumi.secret("Licence-of-a-secret")),
        },
        ARGUMENTS
    },
    { providers: [europe] },
);
export const dashboard = tracing.dashboardUrl;
export const organization = tracing.organization;
"""
ANOTHER_NETWORK = 'network: { cidr: "10.9.0.0/16" },'
WRONG = 'web: { cpu: 99 }, domian: "x", network: { zones: europe.urn },'


@dataclass(frozen=True)
class Program:
    """A workspace with TypeScript programs, and the stack that they make."""

    deployment: Deployment
    environment: dict[str, str]

    def run(
        self, command: str, europe: str = "", *, alone: bool = False, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `up` or `preview`, with further arguments for the second Langfuse, or it alone."""
        folder = self.deployment.stack.folder
        second = EUROPE.replace("VERSION", version("pulumi-aws")).replace("ARGUMENTS", europe)
        (folder / "documented.ts").write_text(DOCUMENTED[0], encoding="utf-8")
        (folder / "europe.ts").write_text(second, encoding="utf-8")
        programs = ["./europe.ts"] if alone else ["./documented.ts", "./europe.ts"]
        done = subprocess.run(
            [str(NODE), RUNNER.name, command, *programs],
            cwd=folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or not done.returncode, done.stderr
        return done


@pytest.fixture(scope="module")
def program(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Program:
    scratch = tmp_path_factory.mktemp("plugin")
    deployment = Deployment(OfflineStack("dev", scratch), environment)
    folder = deployment.stack.folder
    sdk = folder / "node_modules" / "@pulumi" / "langfuse"
    sdk.mkdir(parents=True)
    (sdk / "index.js").write_text(SDK, encoding="utf-8")
    (sdk.parent / "pulumi").symlink_to(packages() / "@pulumi" / "pulumi")
    (folder / RUNNER.name).write_text(RUNNER.read_text(encoding="utf-8"), encoding="utf-8")
    providers = [{"name": "langfuse", "path": str(PLUGIN)}]
    project = {"name": "platform", "runtime": "nodejs", "plugins": {"providers": providers}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
    return Program(
        deployment, {**deployment.environment, "PULUMI_PYTHON_CMD": str(_python(scratch))}
    )


def _python(scratch: Path) -> Path:
    """A python3 for language hosts that were built from source (`development.pulumi_cli_install`).

    They are older than the engine's way to say which folder is the plugin's, and name none.
    Pulumi's own hosts take the interpreter of `virtualenv` in PulumiPlugin.yaml, and not this one.
    """
    script = scratch / "python3"
    script.write_text(
        f'#!/bin/sh\n[ -n "$1" ] || {{ shift; set -- "{PLUGIN}" "$@"; }}\n'
        f'exec "{sys.executable}" "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


@pytest.fixture(scope="module")
def outputs(program: Program) -> dict[str, Any]:
    """Bring both up."""
    found = cast("dict[str, dict[str, Any]]", json.loads(program.run("up").stdout))
    return {name: output["value"] for name, output in found.items()}


@pytest.mark.xdist_group("plugin")
def test_two_langfuses_of_one_program_come_up_and_have_nothing_to_change(
    program: Program, outputs: dict[str, Any]
) -> None:
    assert set(outputs) == {"url", "secretKeySecretArn", "dashboard"}, "no organization in europe"
    assert outputs["url"].startswith("https://")
    assert ":secret:platform-dev-tracing-bootstrap" in outputs["secretKeySecretArn"]
    assert outputs["dashboard"].startswith("https://eu-west-1.console.aws.amazon.com/")
    assert outputs["dashboard"].endswith("/platform-dev-europe-eu-west-1")
    assert list(json.loads(program.run("preview").stdout)) == ["same"]


@pytest.mark.xdist_group("plugin")
def test_every_resource_has_the_components_provider_and_the_stores_its_protection(
    program: Program, outputs: dict[str, Any]
) -> None:
    assert outputs
    state = program.deployment.state()
    made = {
        name: [each for each in state if each["urn"].split("::")[-1].startswith(name)]
        for name in ("platform-dev-tracing", "platform-dev-europe")
    }
    providers = {
        name: {
            each["provider"].split("::")[3].partition("_")[0]
            for each in resources
            if each["type"].startswith("aws:")
        }
        for name, resources in made.items()
    }
    assert providers == {"platform-dev-tracing": {"default"}, "platform-dev-europe": {"europe"}}
    protected = {
        name: {each["type"] for each in resources if each.get("protect")}
        for name, resources in made.items()
    }
    assert protected["platform-dev-tracing"] == set()
    assert protected["platform-dev-europe"] >= {
        "aws:s3/bucket:Bucket",
        "random:index/randomBytes:RandomBytes",
    }
    text = program.deployment.run("stack", "export", "--stack", "dev").stdout
    assert not [secret for secret in SECRETS if secret in text]
    clear = program.deployment.run("stack", "export", "--show-secrets", "--stack", "dev").stdout
    assert [secret for secret in SECRETS if secret in clear] == list(SECRETS)


@pytest.mark.xdist_group("plugin")
def test_a_change_that_would_lose_data_is_refused_in_the_preview(
    program: Program, outputs: dict[str, Any]
) -> None:
    assert outputs
    done = program.run("preview", ANOTHER_NETWORK, check=False)
    assert done.returncode != 0
    assert (
        "platform-dev-europe (langfuse:index:Network) would be replaced by an empty one: "
        "network.cidr changes from '10.0.0.0/16' to '10.9.0.0/16'. Take the change back; or make "
        "another stack with it"
    ) in done.stderr


@pytest.mark.xdist_group("plugin")
def test_wrong_arguments_are_one_message_without_a_traceback(program: Program) -> None:
    # Alone, since the engine hangs up on the other one in the middle of its work.
    done = program.run("preview", WRONG, alone=True, check=False)
    assert done.returncode != 0
    assert (
        "langfuse:index:Langfuse resource 'europe' has a problem: 1 error in the component's "
        "arguments; nothing was changed:\n      network.zones: is an output or a secret, and must "
        "be a plain value, because it decides which resources there are. "
    ) in done.stderr
    assert 'File "' not in done.stderr, "a traceback of Python's"
