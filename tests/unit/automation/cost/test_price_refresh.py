"""`cost --refresh-prices`: what is asked of AWS's Price List API, and what becomes of the file.

The answers have the shape of the API's own, and botocore holds request and answer against its model
of the service. Nobody asked AWS: that its products have the names of `cost/price_queries.py` is
known from public price lists only, and a name that is wrong leaves its row as it is.
"""

import csv
import json
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.cost import command as cost_command
from langfuse_aws.automation.cost.price_refresh import SOURCE, Refresh, refresh
from langfuse_aws.cost.price_queries import query
from langfuse_aws.cost.prices import FILE, class_of, rows
from tests.unit.aws_account import session

HEAD: Final = "region,name,USD,unit,date,source\n"


def offer(
    usage_type: str,
    unit: str,
    *tiers: tuple[str, str],
    published: str = "2026-11-20T10:11:12Z",
    **attributes: str,
) -> str:
    """A product with its price on demand, as `GetProducts` writes it."""
    rate = "ABC.JRTCKXETXF"
    dimensions: dict[str, Any] = {
        f"{rate}.{place}": {
            "unit": unit,
            "beginRange": begin,
            "endRange": "Inf",
            "description": f"${usd} per {unit}",
            "appliesTo": [],
            "rateCode": f"{rate}.{place}",
            "pricePerUnit": {"USD": usd},
        }
        for place, (begin, usd) in enumerate(tiers)
    }
    return json.dumps(
        {
            "product": {
                "productFamily": "Compute",
                "attributes": {"usagetype": usage_type, "regionCode": "eu-west-1", **attributes},
                "sku": "ABC",
            },
            "serviceCode": "AmazonECS",
            "terms": {
                "OnDemand": {
                    rate: {
                        "priceDimensions": dimensions,
                        "sku": "ABC",
                        "effectiveDate": "2026-11-01T00:00:00Z",
                        "offerTermCode": "JRTCKXETXF",
                        "termAttributes": {},
                    }
                }
            },
            "version": "20261120101112",
            "publicationDate": published,
        }
    )


def file_of(folder: Path, *lines: str) -> Path:
    file = folder / "prices.csv"
    file.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def asked(*expected: tuple[dict[str, Any] | None, list[str]]) -> tuple[Any, Any]:
    """A client that is asked so, in this order, and answers with these products."""
    client = session().client("pricing", region_name="us-east-1")
    stubber: Any = Stubber(client)
    for parameters, products in expected:
        answer = {"FormatVersion": "aws_v1", "PriceList": products}
        stubber.add_response("get_products", answer, parameters)
    stubber.activate()
    return client, stubber


VCPU: Final = "eu-west-1,Fargate ARM vCPU,0.03238,vCPU-hour,2026-11,remembered"


def test_a_price_is_asked_for_by_its_usage_type_and_region(tmp_path: Path) -> None:
    file = file_of(tmp_path, VCPU)
    products = [
        offer("EU-Fargate-ARM-vCPU-Hours:perCPU", "hours", ("0", "0.0325600000")),
        offer("EU-Fargate-ARM-vCPU-Hours:perCPU-x", "hours", ("0", "0.9")),
    ]
    filters = [
        {"Type": "CONTAINS", "Field": "usagetype", "Value": "Fargate-ARM-vCPU-Hours:perCPU"},
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"},
    ]
    asking = {"ServiceCode": "AmazonECS", "FormatVersion": "aws_v1", "Filters": filters}
    client, stubber = asked((asking, products))
    found = refresh(client, file)
    stubber.assert_no_pending_responses()
    line = "Fargate ARM vCPU in eu-west-1: 0.03238 → 0.03256"
    assert found == Refresh(same=0, changed=(line,), not_found=())
    row = f"eu-west-1,Fargate ARM vCPU,0.03256,vCPU-hour,2026-11-20,{SOURCE}\n"
    assert file.read_text(encoding="utf-8") == HEAD + row
    assert class_of(SOURCE) == "AWS"


def test_the_price_of_every_region_is_asked_for_at_home_and_in_the_files_unit(
    tmp_path: Path,
) -> None:
    file = file_of(
        tmp_path,
        "*,WAF requests,0.60,million,2026-11,remembered",
        "us-east-1,S3 writes,0.005,thousand,2026-11,remembered",
        "*,Cloud Map private zone,0.50,zone-month,2026-11,remembered",
    )
    client, stubber = asked(
        (None, [offer("USE1-RequestV2-Tier1", "Request", ("0", "0.0000006000"))]),
        (None, [offer("Requests-Tier1", "Requests", ("0", "0.0000050000"))]),
        (
            {
                "ServiceCode": "AmazonRoute53",
                "FormatVersion": "aws_v1",
                "Filters": [{"Type": "CONTAINS", "Field": "usagetype", "Value": "HostedZone"}],
            },
            [offer("HostedZone", "HostedZone", ("0", "0.50"), ("25", "0.10"))],
        ),
    )
    assert refresh(client, file) == Refresh(3, (), ()), "confirmed, each by the file's own unit"
    stubber.assert_no_pending_responses()
    with file.open(encoding="utf-8") as lines:
        found = list(csv.DictReader(lines))
    assert [row["USD"] for row in found] == ["0.60", "0.005", "0.50"], "no digit but for a price"
    assert {row["date"] for row in found} == {"2026-11-20"}
    assert {row["source"] for row in found} == {SOURCE}


def test_what_is_not_found_or_not_clear_stays_as_it_is_and_is_named(tmp_path: Path) -> None:
    lines = [
        VCPU,
        "eu-west-1,EBS gp3,0.0880,GB-month,2026-11,remembered",
        "eu-west-1,NAT gateway,0.048,hour,2026-11,remembered",
        "eu-west-1,A thing,1.00,hour,2026-11,remembered",
    ]
    file = file_of(tmp_path, *lines)
    client, _ = asked(
        (None, []),
        (
            None,
            [
                offer("EU-EBS:VolumeUsage.gp3", "GB-Mo", ("0", "0.0880")),
                offer("EU-EBS:VolumeUsage.gp3", "GB-Mo", ("0", "0.0900")),
            ],
        ),
        (None, [offer("EU-NatGateway-Hours", "Quarter", ("0", "1"))]),
    )
    assert refresh(client, file) == Refresh(
        0,
        (),
        (
            "Fargate ARM vCPU in eu-west-1: AmazonECS has no price of "
            "Fargate-ARM-vCPU-Hours:perCPU there",
            "EBS gp3 in eu-west-1: AmazonEC2 has several prices of EBS:VolumeUsage.gp3 there: "
            "0.088, 0.09",
            "NAT gateway in eu-west-1: AmazonEC2 has no price of NatGateway-Hours there",
            "A thing in eu-west-1: langfuse_aws/cost/price_queries.py does not say how it is found",
        ),
    )
    assert file.read_text(encoding="utf-8") == HEAD + "".join(f"{line}\n" for line in lines)


def test_a_file_stays_whole_when_aws_fails_in_the_middle(tmp_path: Path) -> None:
    file = file_of(tmp_path, VCPU, VCPU.replace("vCPU,", "memory,"))
    client, stubber = asked(
        (None, [offer("EU-Fargate-ARM-vCPU-Hours:perCPU", "hours", ("0", "0.1"))])
    )
    stubber.add_client_error("get_products", "ThrottlingException", "Rate exceeded")
    with pytest.raises(ClientError):
        refresh(client, file)
    assert VCPU in file.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["prices.csv"]


def test_it_is_said_how_every_price_of_the_file_is_found() -> None:
    unsaid = {row.name for row in rows() if query(row.name) is None}
    assert unsaid == set(), "it would never be refreshed"
    usage_types = [
        (each.service, each.usage_type, each.attributes.get("cacheEngine"))
        for each in map(query, {row.name for row in rows()})
        if each
    ]
    assert len(usage_types) == len(set(usage_types)), "two prices of one thing"


@pytest.mark.parametrize(
    ("usage_type", "fits"),
    [
        ("LoadBalancerUsage", True),
        ("USE1-LoadBalancerUsage", True),
        ("eu-west-1-LoadBalancerUsage", True),
        ("CAN1-TS-LoadBalancerUsage", False),
        ("USE1-LoadBalancerUsage-x", False),
    ],
)
def test_a_usage_type_has_a_regions_prefix_and_nothing_more(usage_type: str, fits: bool) -> None:
    wanted = query("Application Load Balancer")
    assert wanted is not None
    assert wanted.fits(usage_type) is fits


def test_a_file_that_nothing_has_changed_in_is_written_as_it_was(tmp_path: Path) -> None:
    copy = tmp_path / "prices.csv"
    copy.write_bytes(FILE.read_bytes())
    nothing: tuple[None, list[str]] = (None, [])
    client, _ = asked(*(nothing for _ in rows()))
    assert len(refresh(client, copy).not_found) == len(rows())
    assert copy.read_bytes() == FILE.read_bytes(), "a diff shows prices and nothing else"


# --- the command


def run(monkeypatch: pytest.MonkeyPatch, answer: Refresh | Exception) -> Any:
    def stand_in(_: Any) -> Refresh:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(cost_command, "refresh", stand_in)
    return CliRunner().invoke(app, ["cost", "--refresh-prices"])


def test_the_command_says_what_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, Refresh(300, ("a: 1 → 2",), ("b: none",)))
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "changed: a: 1 → 2",
        "not found, stays as it is: b: none",
        "langfuse_aws/cost/prices.csv: 300 prices confirmed, 1 changed, 1 not found. Look at "
        "git diff "
        "langfuse_aws/cost/prices.csv, then run make docs.",
    ]


def test_without_a_right_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    done = run(monkeypatch, ClientError(refusal, "GetProducts"))
    assert done.exit_code == 1
    assert done.stderr.startswith("error: AWS's Price List API: An error occurred (AccessDenied")
    assert "pricing:GetProducts; langfuse_aws/cost/prices.csv is as it was." in done.stderr
