"""The two ways in and the domain's certificate: what is registered, and who may pass."""

import json
import re

import pytest

from tests.unit.components.test_web_acl import with_waf
from tests.unit.cost.test_cost import EVERYTHING
from tests.unit.stack_graph import CERTIFICATE, Graph, build, shipped, varied
from tests.unit.stacks_of_all import graphs

LISTENER = "aws:lb/listener:Listener"
RECORD = "aws:route53/record:Record"
STAGE = "aws:apigatewayv2/stage:Stage"
API = "aws:apigatewayv2/api:Api"

ALLOWED = ["203.0.113.0/24", "198.51.100.7/32"]


def varied_prod() -> Graph:
    """A production stack with an internal load balancer of its own: one run."""
    return build(
        "prod",
        {
            "size": "prod",
            "domain": "langfuse.example.com",
            "clickhouse": {"instanceType": "r7g.xlarge"},
            "ingress": {
                "kind": "alb",
                "internal": True,
                "allowedCidrs": ALLOWED,
                "certificateArn": CERTIFICATE,
            },
        },
    )


def test_the_load_balancer_redirects_http_and_speaks_tls_1_2_or_later() -> None:
    graph = shipped("prod")
    http = graph.one(LISTENER, "langfuse-prod-http").inputs
    https = graph.one(LISTENER, "langfuse-prod-https").inputs
    assert (http["port"], https["port"]) == (80, 443)
    assert http["defaultActions"] == [
        {
            "type": "redirect",
            "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
        }
    ], "plain http that forwards (myui alb.tf:121, deploy-langfuse-on-ecs alb.py:30)"
    assert https["protocol"] == "HTTPS"
    assert https["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06", (
        "without a policy AWS's default still speaks TLS 1.0 (niklas-palm template.yaml:433)"
    )
    assert https["defaultActions"][0]["type"] == "forward"


def test_the_load_balancer_drops_invalid_headers_and_is_protected_in_prod() -> None:
    balancer = shipped("prod").one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert balancer["dropInvalidHeaderFields"] is True
    assert balancer["enableDeletionProtection"] is True
    staging = shipped("staging").one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert staging["enableDeletionProtection"] is False


def test_the_target_group_asks_langfuse_how_it_is_and_waits_for_it_to_drain() -> None:
    group = shipped("prod").one("aws:lb/targetGroup:TargetGroup").inputs
    assert group["healthCheck"] == {
        # '/' redirects and is never 200 (niklas-palm template.yaml:410).
        "path": "/api/public/health",
        "matcher": "200",
        "interval": 15,
        "timeout": 10,
        "healthyThreshold": 2,
        "unhealthyThreshold": 3,
    }
    assert group["deregistrationDelay"] == 110
    assert (group["targetType"], group["protocol"], group["port"]) == ("ip", "HTTP", 3000)


def test_an_internal_load_balancer_stays_in_private_subnets() -> None:
    graph = varied_prod()
    balancer = graph.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert balancer["internal"] is True
    assert balancer["subnets"] == graph.one("awsx:ec2:Vpc").outputs["privateSubnetIds"]


def test_a_load_balancer_for_all_is_in_public_subnets() -> None:
    graph = shipped("prod")
    balancer = graph.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert balancer["internal"] is False
    assert balancer["subnets"] == graph.one("awsx:ec2:Vpc").outputs["publicSubnetIds"]


def test_only_allowed_networks_may_connect() -> None:
    graph = varied_prod()
    entering = {
        (source, port) for source, group, port in graph.open_ports() if group.endswith("-alb")
    }
    assert entering == {
        ("203.0.113.0/24", 80),
        ("203.0.113.0/24", 443),
        ("198.51.100.7/32", 80),
        ("198.51.100.7/32", 443),
    }


def with_allowed(*blocks: str) -> Graph:
    ingress = {"kind": "alb", "allowedCidrs": list(blocks)}
    return build("prod", {"size": "prod", "domain": "langfuse.example.com", "ingress": ingress})


def allowed_rules(graph: Graph) -> dict[str, dict[str, object]]:
    rules = graph.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    blocks = (rule for rule in rules if "-alb-" in rule.name and "cidrIpv4" in rule.inputs)
    return {
        rule.name: {
            key: rule.inputs[key] for key in ("cidrIpv4", "fromPort", "toPort", "description")
        }
        for rule in blocks
    }


def test_a_rule_is_its_networks_own_whatever_else_is_in_the_list() -> None:
    both, other = allowed_rules(varied_prod()), allowed_rules(with_allowed(ALLOWED[1]))
    turned = allowed_rules(with_allowed(*reversed(ALLOWED)))
    assert both.keys() == {
        f"langfuse-prod-alb-{port}-{block}"
        for port in (80, 443)
        for block in ("203.0.113.0-24", "198.51.100.7-32")
    }
    assert turned == both, "the order says nothing"
    assert other == {name: both[name] for name in both if name.endswith("198.51.100.7-32")}, (
        "a rule that becomes another one meets that one: EC2 says InvalidPermission.Duplicate"
    )


def test_rules_that_were_named_by_their_index_become_those_of_their_networks() -> None:
    graph = varied_prod()
    rules = graph.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    before = {
        (alias, rule.inputs["cidrIpv4"])
        for rule in rules
        for alias in graph.options_of(rule).aliases
    }
    assert before == {
        (f"langfuse-prod-alb-{port}-{index}", block)
        for port in (80, 443)
        for index, block in enumerate(ALLOWED, start=1)
    }


def everything() -> Graph:
    """A stack with Grafana behind a load balancer."""
    return build("everything", EVERYTHING)


def test_target_groups_go_with_their_load_balancer() -> None:
    graph = everything()
    balancer = graph.one("aws:lb/loadBalancer:LoadBalancer")
    groups = graph.of_type("aws:lb/targetGroup:TargetGroup")
    assert {group.name for group in groups} == {
        "langfuse-everything",
        "langfuse-everything-grafana",
    }
    for group in groups:
        assert graph.options_of(group).replace_with == {graph.urns[balancer.type, balancer.name]}, (
            "a target group belongs to one load balancer, and ingress.internal makes another one"
        )
        assert group.inputs["vpcId"] == graph.one("awsx:ec2:Vpc").outputs["vpcId"]


def test_a_rule_of_the_load_balancer_has_a_place_with_room_before_it() -> None:
    (rule,) = everything().of_type("aws:lb/listenerRule:ListenerRule")
    assert rule.inputs["priority"] == 10, "without one it comes after whatever somebody has added"


@pytest.mark.parametrize("kind", ["alb", "apiGateway"])
def test_a_service_that_is_reached_otherwise_is_another_service(kind: str) -> None:
    graph = {"alb": everything, "apiGateway": varied}[kind]()
    stack = {"alb": "everything", "apiGateway": "dev"}[kind]
    services = graph.of_type("aws:ecs/service:Service")
    reached = [
        each for each in services if {"loadBalancers", "serviceRegistries"} & set(each.inputs)
    ]
    names = {each.name for each in reached}
    assert {f"langfuse-{stack}-web", f"langfuse-{stack}-grafana"} <= names
    for service in services:
        if service.name in (f"langfuse-{stack}-web", f"langfuse-{stack}-grafana"):
            assert graph.options_of(service).replace_on_changes >= {
                "loadBalancers",
                "serviceRegistries",
            }, "ECS takes no load balancer and its grace period in one update of a service"


@pytest.mark.parametrize("kind", ["alb", "apiGateway"])
def test_the_domain_moves_once_web_serves_there(kind: str) -> None:
    graph, stack = {"alb": (shipped("prod"), "prod"), "apiGateway": (varied(), "dev")}[kind]
    record = graph.one(RECORD, f"langfuse-{stack}")
    web = graph.one("aws:ecs/service:Service", f"langfuse-{stack}-web")
    assert graph.urns[web.type, web.name] in graph.options_of(record).dependencies


STORE_PORTS = {
    ("{}-web", "{}-postgres", 5432),
    ("{}-web", "{}-redis", 6379),
    ("{}-web", "{}-clickhouse", 8123),
    ("{}-worker", "{}-postgres", 5432),
    ("{}-worker", "{}-redis", 6379),
    ("{}-worker", "{}-clickhouse", 8123),
    ("{}-migration", "{}-postgres", 5432),
    ("{}-migration", "{}-clickhouse", 9000),
    ("{}-clickhouse-backup", "{}-clickhouse", 9000),
}
ENTRANCES = {
    "dev": {("{}-vpc-link", "{}-web", 3000)},
    "staging": {
        ("0.0.0.0/0", "{}-alb", 80),
        ("0.0.0.0/0", "{}-alb", 443),
        ("{}-alb", "{}-web", 3000),
        ("10.0.0.0/16", "{}-nat", -1),
    },
    "prod": {
        ("0.0.0.0/0", "{}-alb", 80),
        ("0.0.0.0/0", "{}-alb", 443),
        ("{}-alb", "{}-web", 3000),
    },
}


@pytest.mark.parametrize("stack", ENTRANCES)
def test_nobody_may_enter_anything_but_by_these_ports(stack: str) -> None:
    prefix = f"langfuse-{stack}"
    wanted = {
        (source.format(prefix), target.format(prefix), port)
        for source, target, port in STORE_PORTS | ENTRANCES[stack]
    }
    assert shipped(stack).open_ports() == wanted, (
        "stores open to a whole VPC or the world are what langfuse-terraform-aws, niklas-palm and "
        "deploy-langfuse-on-ecs have"
    )


@pytest.mark.parametrize("stack", ENTRANCES)
def test_no_security_group_carries_rules_of_its_own(stack: str) -> None:
    for group in shipped(stack).of_type("aws:ec2/securityGroup:SecurityGroup"):
        assert not {"ingress", "egress"} & set(group.inputs), group.name


def test_the_api_puts_no_stage_name_into_the_path_and_is_throttled() -> None:
    graph = shipped("dev")
    stage = graph.one(STAGE).inputs
    assert stage["name"] == "$default"
    assert stage["autoDeploy"] is True
    assert stage["defaultRouteSettings"] == {
        "throttlingBurstLimit": 1000,
        "throttlingRateLimit": 500,
    }
    route = graph.one("aws:apigatewayv2/route:Route").inputs
    assert route["routeKey"] == "$default"


def test_the_api_reaches_web_by_its_link_and_cloud_map() -> None:
    graph = shipped("dev")
    integration = graph.one("aws:apigatewayv2/integration:Integration").inputs
    link = graph.one("aws:apigatewayv2/vpcLink:VpcLink")
    registry = graph.one("aws:servicediscovery/service:Service", "langfuse-dev-web")
    web = graph.one("aws:ecs/service:Service", "langfuse-dev-web").inputs
    assert integration["connectionType"] == "VPC_LINK"
    assert integration["connectionId"] == link.id
    assert integration["integrationUri"] == registry.outputs["arn"]
    assert integration["integrationType"] == "HTTP_PROXY"
    assert integration["timeoutMilliseconds"] == 30_000
    assert web["serviceRegistries"] == {
        "registryArn": registry.outputs["arn"],
        "containerName": "web",
        "containerPort": 3000,
    }


def test_without_a_domain_langfuse_knows_the_apis_own_https_name_from_the_first_start() -> None:
    graph = shipped("dev")
    endpoint = graph.one(API).outputs["apiEndpoint"]
    assert endpoint.startswith("https://")
    for container in ("web", "worker"):
        assert graph.environment(container)["NEXTAUTH_URL"] == endpoint, (
            "localhost until a second apply (myui web.tf:39)"
        )
    assert graph.one(API).inputs["disableExecuteApiEndpoint"] is False


def test_with_a_domain_the_api_is_mapped_to_it_and_has_no_other_name() -> None:
    graph = varied()
    domain = graph.one("aws:apigatewayv2/domainName:DomainName")
    mapping = graph.one("aws:apigatewayv2/apiMapping:ApiMapping").inputs
    configuration = domain.inputs["domainNameConfiguration"]
    assert domain.inputs["domainName"] == "langfuse.example.com"
    assert configuration["securityPolicy"] == "TLS_1_2"
    assert mapping["domainName"] == domain.id
    assert mapping["stage"] == graph.one(STAGE).id
    assert graph.one(API).inputs["disableExecuteApiEndpoint"] is True
    assert graph.environment("web")["NEXTAUTH_URL"] == "https://langfuse.example.com"


def test_the_access_log_holds_no_header() -> None:
    text = shipped("dev").one(STAGE).inputs["accessLogSettings"]["format"]
    assert "header" not in text.lower(), "the Authorization header carries API keys"


def test_the_access_log_holds_what_api_gateway_knows_below_words_that_a_query_can_say() -> None:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
    known = {
        "requestId", "requestTimeEpoch", "identity.sourceIp", "httpMethod", "path", "status",
        "responseLatency", "integrationErrorMessage",
    }  # fmt: skip
    logged = json.loads(shipped("dev").one(STAGE).inputs["accessLogSettings"]["format"])
    assert set(logged.values()) == {f"$context.{name}" for name in known}
    assert "$context.requestId" in logged.values(), "API Gateway refuses a format without it"
    assert all(re.fullmatch("[a-z]+", key) for key in logged), "a query would have to quote it"


def test_a_certificate_is_issued_validated_and_used_in_one_run() -> None:
    graph = shipped("prod")
    certificate = graph.one("aws:acm/certificate:Certificate")
    validation = graph.one("aws:acm/certificateValidation:CertificateValidation")
    assert certificate.inputs["domainName"] == "langfuse.example.com"
    assert certificate.inputs["validationMethod"] == "DNS"
    assert validation.inputs["certificateArn"] == certificate.outputs["arn"]
    assert graph.options_of(validation).timeouts["create"] == "15m", (
        "a zone that nobody has delegated is told in time: the provider waits for 75 minutes"
    )
    record = graph.one(RECORD, "langfuse-prod-validation").inputs
    assert record["allowOverwrite"] is True, "a second run must not stop at the first one's record"
    assert record["ttl"] == 300, "seconds: AWS's own records of a validation have it"
    https = graph.one(LISTENER, "langfuse-prod-https")
    assert https.inputs["certificateArn"] == validation.outputs["certificateArn"]
    waits_for = graph.options_of(https).dependencies
    assert graph.urns[validation.type, validation.name] in waits_for, (
        "a listener needs an issued certificate (tubone24 app_runner.tf:170 has none validated)"
    )


def test_the_domain_points_at_the_way_in() -> None:
    graph = shipped("prod")
    alias = graph.one(RECORD, "langfuse-prod").inputs
    balancer = graph.one("aws:lb/loadBalancer:LoadBalancer").outputs
    assert (alias["name"], alias["type"]) == ("langfuse.example.com", "A")
    assert alias["aliases"][0]["name"] == balancer["dnsName"]
    assert alias["aliases"] == [
        {
            "name": balancer["dnsName"],
            "zoneId": balancer["zoneId"],
            "evaluateTargetHealth": False,
        }
    ]
    graph = varied()
    alias = graph.one(RECORD, "langfuse-dev").inputs
    domain = graph.one("aws:apigatewayv2/domainName:DomainName").outputs["domainNameConfiguration"]
    assert alias["aliases"] == [
        {
            "name": domain["targetDomainName"],
            "zoneId": domain["hostedZoneId"],
            "evaluateTargetHealth": False,
        }
    ]


def test_ones_own_certificate_makes_no_certificate_and_no_record() -> None:
    graph = varied_prod()
    assert graph.of_type("aws:acm/certificate:Certificate") == []
    assert graph.of_type(RECORD) == [], "the domain's DNS may be anywhere"
    https = graph.one(LISTENER, "langfuse-prod-https").inputs
    assert https["certificateArn"] == CERTIFICATE


def test_ones_own_certificate_and_a_zone_make_the_alias_record_alone() -> None:
    graph = with_waf()
    assert [record.name for record in graph.of_type(RECORD)] == ["langfuse-staging"]
    https = graph.one(LISTENER, "langfuse-staging-https").inputs
    assert https["certificateArn"] == CERTIFICATE


def test_the_http_api_passes_requests_on_as_they_are() -> None:
    token = "aws:apigatewayv2/integration:Integration"
    inputs = shipped("dev").one(token).inputs
    keys = ("integrationType", "integrationMethod", "payloadFormatVersion")
    assert [inputs[key] for key in keys] == ["HTTP_PROXY", "ANY", "1.0"], (
        "2.0 is for Lambda functions only: https://docs.aws.amazon.com/apigatewayv2/latest/"
        "api-reference/apis-apiid-integrations.html"
    )


def test_a_record_has_values_that_resolvers_keep_for_minutes_or_is_an_alias() -> None:
    records = [each for graph in graphs().values() for each in graph.of_type(RECORD)]
    kept = {each.inputs.get("ttl") for each in records if "aliases" not in each.inputs}
    assert kept == {300}, "Route 53 refuses values without a time to live, in seconds"
    aliases = [each for each in records if "aliases" in each.inputs]
    assert {key for each in aliases for key in ("records", "ttl") if key in each.inputs} == set()
    assert len(records) > len(aliases) > 0
