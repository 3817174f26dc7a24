"""A Langfuse of the Terraform repository moves into a stack, with the real engine.

It proves that Pulumi takes the import file, that the next `up` neither replaces nor deletes what it
has imported, that nobody can undo the adoption by mistake, and that an adopted store that is not
there is refused. AWS is the in-memory one, in which an imported resource has a name and nothing
else; tests/provider has one that answers.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from langfuse_aws.automation.engine.folders import REPOSITORY
from tests import terraform_state
from tests.deployment import Deployment

IDS = {
    "aws:rds/cluster:Cluster": "langfuse-postgres",
    "aws:rds/clusterInstance:ClusterInstance": "serverless-v2-instance",
    "aws:elasticache/replicationGroup:ReplicationGroup": "langfuse-cache",
}


def adopted(deployment: Deployment) -> dict[str, str]:
    """The only cluster, instance and cache of the state, and Langfuse's bucket."""
    state = deployment.state()
    found = {each["type"]: each["id"] for each in state if each["type"] in IDS}
    assert len(found) == sum(each["type"] in IDS for each in state), "one of each"
    (bucket,) = [
        each["id"] for each in state if each["urn"].endswith("Bucket::langfuse-prod-storage")
    ]
    return {**found, "bucket": bucket}


@pytest.mark.running
@pytest.mark.xdist_group("from terraform")
def test_what_is_imported_stays_what_it_is(environment: dict[str, str], tmp_path: Path) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    told = {**deployment.environment, "PYTHONPATH": str(REPOSITORY)}
    state = terraform_state.write(terraform_state.terraform_state(), tmp_path)
    options = ("--from-terraform-state", state, "--stack", "prod", "--to", tmp_path, "--configure")
    command = (sys.executable, "-m", "automation", "import", *options)
    said = subprocess.run(
        [*command, "--dir", deployment.stack.folder],
        capture_output=True,
        text=True,
        env=told,
        cwd=REPOSITORY,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    file = deployment.stack.folder / "Pulumi.prod.yaml"
    written = "".join(
        [
            said.stdout,
            said.stderr,
            file.read_text(),
            (tmp_path / "langfuse-import.json").read_text(),
        ]
    )
    assert [each for each in terraform_state.SECRETS if each in written] == []
    kept = deployment.run("config", "get", "langfuse:secretEnvironment", "--stack", "prod").stdout
    assert terraform_state.SALT in kept, "encrypted, and there"

    imports = tmp_path / "langfuse-import.json"
    deployment.run(
        "import", "--file", str(imports), "--yes", "--generate-code=false", "--stack", "prod"
    )
    expected = {**IDS, "bucket": "acme-langfuse-blob-prod"}
    assert adopted(deployment) == expected
    deployment.up()
    assert adopted(deployment) == expected, "replaced by what the program would have made"
    assert deployment.changes() == set()

    settings = file.read_text(encoding="utf-8")
    deployment.run("config", "rm", "langfuse:adopted", "--stack", "prod")
    refused = deployment.run("preview", "--stack", "prod", check=False)
    assert refused.returncode != 0, "each would get the name that the program gives it"
    assert "replaced by an empty one: langfuse:adopted changes from True to None" in refused.stdout
    file.write_text(settings, encoding="utf-8")

    urn = next(each["urn"] for each in deployment.of_type("aws:rds/cluster:Cluster"))
    forget = ("state", "delete", urn, "--force", "--yes", "--stack", "prod")
    assert deployment.run(*forget, check=False).returncode, "others need it"
    deployment.run(*forget, "--target-dependents")
    empty = "langfuse:adopted: postgres: an empty langfuse-prod-postgres"
    assert empty in deployment.run("preview", "--stack", "prod").stdout
    done = deployment.up(check=False)
    assert done.returncode != 0
    assert empty in done.stdout + done.stderr
    assert not deployment.of_type("aws:rds/cluster:Cluster")
