"""A few prices, and what they come to, worked out by hand: a wrong cell cannot pass unnoticed.

Pages and other tests are written from `cost/prices.csv`, so they agree with whatever it says; this
one does not read it for what it expects. It does not prove that AWS still asks for these prices.
"""

from typing import Final

import pytest

from development import cost_tables
from development.recorded_graph import recorded, shipped_config
from langfuse_aws.cost.bill import Bill, bill
from langfuse_aws.cost.prices import SPOT_SHARE, class_of, price_list, rows, weakest
from langfuse_aws.cost.rounding import about, shares, worded

# https://aws.amazon.com/fargate/pricing/, us-east-1: a vCPU 0.03238 and a GB 0.00356 an hour on
# ARM; 0.04048 and 0.004445 on x86. https://aws.amazon.com/vpc/pricing/: an address 0.005, a NAT
# gateway 0.045 an hour. https://aws.amazon.com/elasticloadbalancing/pricing/: 0.0225.
# https://aws.amazon.com/privatelink/pricing/: 0.01 an hour and zone.
# https://aws.amazon.com/rds/aurora/pricing/: 0.12 an ACU and hour. EC2 r7g.large: 0.1071.
USD_A_MONTH: Final = {
    "Fargate ARM vCPU": 23.6374,
    "Fargate ARM memory": 2.5988,
    "Fargate x86 vCPU": 29.5504,
    "Fargate x86 memory": 3.24485,
    "Public IPv4 address": 3.65,
    "NAT gateway": 32.85,
    "Interface endpoint": 7.30,
    "Application Load Balancer": 16.425,
    "Aurora Serverless v2": 87.60,
    "EC2 t4g.nano": 3.066,
    "EC2 t4g.medium": 24.528,
    "EC2 r7g.large": 78.183,
    "RDS db.t4g.micro": 11.68,
    "Valkey cache.t4g.micro": 9.344,
    "Valkey cache.t4g.medium": 37.96,
    "Valkey cache.t4g.small": 18.688,
    "RDS db.t4g.small": 23.36,
    "RDS db.t4g.medium": 47.45,
    "App Runner vCPU": 46.72,
    "App Runner memory": 5.11,
}
USD: Final = {
    "EBS gp3": 0.08,
    "RDS gp3": 0.115,
    "Secrets Manager": 0.40,
    "Cloud Map private zone": 0.50,
    "CloudWatch alarm": 0.10,
    "CloudWatch high-resolution alarm": 0.30,
    "CloudWatch custom metric": 0.30,
    "HTTP API requests": 1.00,
    "KMS key": 1.00,
    "S3 storage": 0.023,
    "S3 writes": 0.005,
    "S3 reads": 0.0004,
    "EBS snapshot": 0.05,
    "NAT gateway data": 0.045,
    "Load balancer capacity unit": 0.008,
    "CloudWatch Logs": 0.50,
    "WAF web ACL": 5.00,
    "WAF rule": 1.00,
    "WAF requests": 0.60,
    "Traffic between zones": 0.02,
}
# https://aws.amazon.com/ec2/pricing/on-demand/, Linux in us-east-1, an hour of a `large`.
LARGE: Final = {
    "t4g": 0.0672,
    "c6g": 0.068,
    "c7g": 0.0725,
    "c8g": 0.07976,
    "m6g": 0.077,
    "m7g": 0.0816,
    "m8g": 0.08976,
    "r6g": 0.1008,
    "r7g": 0.1071,
    "r8g": 0.11782,
}
LARGE_IS: Final = {
    "nano": 1 / 16,
    "micro": 1 / 8,
    "small": 1 / 4,
    "medium": 1 / 2,
    "large": 1,
    "xlarge": 2,
    "2xlarge": 4,
    "4xlarge": 8,
}


@pytest.mark.parametrize(("name", "usd"), USD_A_MONTH.items())
def test_a_price_by_the_hour_is_this_much_in_730_hours(name: str, usd: float) -> None:
    assert round(price_list("us-east-1")[name] * 730, 5) == usd


@pytest.mark.parametrize(("name", "usd"), USD.items())
def test_a_price_by_the_month_or_the_piece_is_this(name: str, usd: float) -> None:
    assert price_list("us-east-1")[name] == usd


def test_an_instance_costs_what_its_share_of_a_large_one_does() -> None:
    """EC2 prices a family by its size, in every region."""
    seen: set[str] = set()
    for region in {row.region for row in rows()} - {"*"}:
        prices = price_list(region).usd
        for name in prices:
            if name.startswith("EC2 "):
                family, size = name.removeprefix("EC2 ").split(".")
                large = prices[f"EC2 {family}.large"]
                assert prices[name] == pytest.approx(large * LARGE_IS[size], rel=0.002), (  # pyright: ignore[reportUnknownMemberType]
                    f"{region} {name}"
                )
                if region == "us-east-1":
                    assert large == LARGE[family], name
                    seen.add(family)
    assert seen == set(LARGE)


def test_every_price_of_us_east_1_is_worked_out_by_hand() -> None:
    by_hand = {*USD_A_MONTH, *USD}
    others = {name for name in price_list("us-east-1").usd if not name.startswith("EC2 ")}
    assert others <= by_hand, others - by_hand


def cost_of(what: str, size: str) -> float:
    found = cost_tables.bill_of(size)
    return round(sum(line.on_demand for line in found.lines if line.what == what), 2)


def test_whole_lines_of_bills_are_what_a_pencil_makes_of_them() -> None:
    # web 23.6374 + 2 x 2.5988, worker 23.6374 / 2 + 2 x 2.5988
    assert cost_of("Fargate tasks, ARM, Spot", "dev") == 45.85
    # 2 web and 2 workers of 2 x 23.6374 + 4 x 2.5988
    assert cost_of("Fargate tasks, ARM", "prod") == 230.68
    assert cost_of("NAT gateway", "prod") == 98.55, "3 x 32.85"
    assert cost_of("Aurora Serverless v2 at its least", "prod") == 87.60, "2 x 0.5 x 87.60"
    assert cost_of("Public IPv4 addresses", "prod") == 21.90, "3 gateways and 3 zones, 3.65 each"
    assert cost_of("EC2 r7g.large", "prod") == 78.18
    assert SPOT_SHARE == 0.3


def test_a_region_is_never_a_tenth_of_another_one() -> None:
    """A point that slipped is found without anybody's price list."""
    for name in {row.name for row in rows()}:
        usd = [row.usd for row in rows() if row.name == name]
        assert max(usd) < 2 * min(usd), f"{name}: {sorted(usd)}"


# --- what is known of them


@pytest.mark.parametrize(
    ("source", "known_from"),
    [
        ("https://aws.amazon.com/apprunner/pricing/", "AWS"),
        ("https://api.pricing.us-east-1.amazonaws.com/", "AWS"),
        ("https://docs.aws.amazon.com/x", "AWS"),
        ("https://github.com/aws/karpenter-provider-aws/blob/x", "public repository"),
        ("https://www.vantage.sh/blog/fargate-pricing", "other page"),
        ("https://aws.amazon.com.example.org/", "other page"),
        ("remembered", "remembered"),
    ],
)
def test_a_source_has_a_class(source: str, known_from: str) -> None:
    assert class_of(source) == known_from


def test_a_sum_is_known_no_better_than_its_weakest_part() -> None:
    assert weakest(["AWS", "remembered", "public repository"]) == "remembered"
    assert weakest(["AWS", "AWS"]) == "AWS"


def whole() -> Bill:
    return bill(recorded("prod", shipped_config("prod")), "us-east-1")


def test_the_parts_of_a_sum_by_source_add_up_and_name_every_line() -> None:
    found = whole()
    assert sum(found.sums.by_source.values()) == pytest.approx(found.sums.configured)  # pyright: ignore[reportUnknownMemberType]
    addresses = [line for line in found.lines if line.what == "Public IPv4 addresses"]
    assert {line.known_from for line in addresses} == {"other page"}
    secrets = [line for line in found.lines if line.what == "Secret"]
    assert {line.known_from for line in secrets} == {"remembered"}
    assert found.sums.known_from == "remembered"


def test_what_runs_on_spot_is_no_better_than_remembered() -> None:
    spot = [line for line in cost_tables.bill_of("dev").lines if "Spot" in line.what]
    assert {line.known_from for line in spot} == {"remembered"}, "AWS names no price of it"


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (691.36, "690"),
        (79.36, "79"),
        (1234.5, "1,200"),
        (99.6, "100"),
        (9.96, "10"),
        (3.66, "3.7"),
        (0.4, "0.40"),
        (0.0996, "0.10"),
        (0, "0"),
        (-5.84, "-5.8"),
    ],
)
def test_no_more_is_printed_than_is_known(usd: float, words: str) -> None:
    assert about(usd) == words
    assert worded(usd, "remembered") == words
    assert worded(691.36, "AWS") == "691.36", "once AWS has said every price of it"


def test_the_shares_of_a_sum_are_words() -> None:
    assert shares({"AWS": 25, "remembered": 75}) == "remembered 75 %, AWS 25 %"
    assert shares({}) == ""
