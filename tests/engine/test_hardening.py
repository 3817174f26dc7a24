"""What only the engine shows of what the stack does without: what awsx makes in its own process."""

from pathlib import Path

from tests.deployment import Deployment


def test_no_subnet_gives_out_public_addresses_by_itself(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    deployment.up()
    subnets = [each for each in deployment.state() if each["type"] == "aws:ec2/subnet:Subnet"]
    assert len(subnets) == 4
    given = {each["inputs"].get("mapPublicIpOnLaunch", False) for each in subnets}
    assert given == {False}, "tasks and instances that need an address ask for it"
    assert deployment.changes() == set()
