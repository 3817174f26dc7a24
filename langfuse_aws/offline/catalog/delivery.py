"""Load balancers, certificates, names and APIs."""

from collections.abc import Callable

from langfuse_aws.offline.catalog.resource_type import Naming, ResourceType
from langfuse_aws.offline.facts import Facts, digest

_ELB = "arn:{partition}:elasticloadbalancing:{region}:{account}:"
_APP_RUNNER = "arn:{partition}:apprunner:{region}:{account}:"
_APIS = "arn:{partition}:apigateway:{region}::"
_EXECUTE = "arn:{partition}:execute-api:{region}:{account}:{apiId}"
_LOAD_BALANCER_ZONES = {"application": "Z35SXDOTRQ7X7K", "network": "Z26RNL4JYFTOTI"}
_LOAD_BALANCER_CODES = {"application": "app", "network": "net", "gateway": "gwy"}
_DEFAULT_STAGE = "$default"


def _load_balancer_kind(facts: Facts) -> str:
    return str(facts.get("loadBalancerType", "application"))


def _load_balancer_arn(facts: Facts) -> str:
    code = _LOAD_BALANCER_CODES[_load_balancer_kind(facts)]
    return facts.arn("elasticloadbalancing", f"loadbalancer/{code}/{{name}}/{{hex16}}")


def _load_balancer_host(facts: Facts) -> str:
    scheme = "internal-" if facts.get("internal", False) else ""
    number = int(digest(facts.id)[:8], 16)
    host = {
        "application": f"{scheme}{{name}}-{number}.{{region}}.elb.{{suffix}}",
        "network": "{name}-{hex16}.elb.{region}.{suffix}",
        "gateway": "",
    }
    return facts.fill(host[_load_balancer_kind(facts)])


def _arn_under(parent: str, old_kind: str, new_kind: str) -> Callable[[Facts], str]:
    """The ARN of something in something else: its parent's ARN with another kind and a suffix."""

    def arn(facts: Facts) -> str:
        return f"{facts.get(parent)}/{{hex16}}".replace(f":{old_kind}/", f":{new_kind}/", 1)

    return lambda facts: facts.fill(arn(facts))


def _validation_options(facts: Facts) -> list[dict[str, str]]:
    """One per name; a wildcard shares the record of the name that it stands under."""
    names = [facts.get("domainName"), *facts.get("subjectAlternativeNames", [])]
    options: list[dict[str, str]] = []
    for name in dict.fromkeys(names):
        zone = str(name).removeprefix("*.")
        options.append(
            {
                "domainName": name,
                "resourceRecordName": f"_{digest(zone, 'name')[:32]}.{zone}.",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": f"_{digest(zone, 'value')[:32]}.acm-validations.aws.",
            }
        )
    return options


def _proofs(facts: Facts) -> list[dict[str, str]]:
    """Two for the domain, one more for its www, in no order."""
    domain = str(facts.get("domainName"))
    names = [domain, f"{digest(facts.id)[:16]}.{domain}"]
    if facts.get("enableWwwSubdomain", True):
        names.append(f"www.{domain}")
    proofs = [
        {
            "name": f"_{digest(name, 'name')[:32]}.{name}.",
            "status": "PENDING_VALIDATION",
            "type": "CNAME",
            "value": f"_{digest(name, 'value')[:32]}.acm-validations.aws.",
        }
        for name in names
    ]
    return sorted(proofs, key=lambda proof: digest(proof["name"]))


def _record_id(facts: Facts) -> str:
    parts = ("zoneId", "name", "type", "setIdentifier")
    return "_".join(str(facts.get(part)) for part in parts if facts.get(part))


def _stage_url(facts: Facts) -> str:
    path = "" if facts.get("name") == _DEFAULT_STAGE else "{name}"
    return facts.fill("https://{apiId}.execute-api.{region}.{suffix}/" + path)


TYPES: dict[str, ResourceType] = {
    "aws:lb/loadBalancer:LoadBalancer": ResourceType(
        _load_balancer_arn,
        {
            "arn": "{id}",
            "arnSuffix": lambda facts: facts.id.partition(":loadbalancer/")[2],
            "dnsName": _load_balancer_host,
            "vpcId": lambda facts: f"vpc-{digest(facts.get('subnets'))[:17]}",
            "zoneId": lambda facts: _LOAD_BALANCER_ZONES.get(_load_balancer_kind(facts), ""),
        },
        defaults={
            "enableDeletionProtection": False,
            "idleTimeout": 60,
            "internal": False,
            "ipAddressType": "ipv4",
            "loadBalancerType": "application",
        },
        naming=Naming(longest=32),
    ),
    "aws:lb/targetGroup:TargetGroup": ResourceType(
        f"{_ELB}targetgroup/{{name}}/{{hex16}}",
        {
            "arn": "{id}",
            "arnSuffix": lambda facts: facts.id.rpartition(":")[2],
            "loadBalancerArns": lambda _facts: list[str](),
        },
        defaults={"deregistrationDelay": 300, "targetType": "instance", "slowStart": 0},
        naming=Naming(longest=32),
    ),
    "aws:lb/listener:Listener": ResourceType(
        _arn_under("loadBalancerArn", "loadbalancer", "listener"),
        {"arn": "{id}"},
    ),
    "aws:lb/listenerRule:ListenerRule": ResourceType(
        _arn_under("listenerArn", "listener", "listener-rule"),
        {"arn": "{id}", "priority": lambda _facts: 1},
    ),
    "aws:wafv2/webAcl:WebAcl": ResourceType(
        "{hex32}",
        {
            "arn": "arn:{partition}:wafv2:{region}:{account}:regional/webacl/{name}/{id}",
            "capacity": lambda _facts: 1,
        },
        naming=Naming(longest=128),
    ),
    "aws:wafv2/webAclAssociation:WebAclAssociation": ResourceType(
        "{webAclArn},{resourceArn}", tagged=False
    ),
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": ResourceType(
        "{resourceArn}", tagged=False
    ),
    "aws:acm/certificate:Certificate": ResourceType(
        "arn:{partition}:acm:{region}:{account}:certificate/{hex32}",
        {
            "arn": "{id}",
            "domainValidationOptions": _validation_options,
            "status": "PENDING_VALIDATION",
            "type": "AMAZON_ISSUED",
            "renewalEligibility": "INELIGIBLE",
        },
        defaults={"keyAlgorithm": "RSA_2048"},
    ),
    "aws:acm/certificateValidation:CertificateValidation": ResourceType("{hex16}", tagged=False),
    "aws:route53/record:Record": ResourceType(
        _record_id,
        {"fqdn": lambda facts: str(facts.get("name")).rstrip(".")},
        tagged=False,
        regional=False,
    ),
    "aws:apigatewayv2/api:Api": ResourceType(
        "{hex10}",
        {
            "apiEndpoint": "https://{id}.execute-api.{region}.{suffix}",
            "arn": f"{_APIS}/apis/{{id}}",
            "executionArn": "arn:{partition}:execute-api:{region}:{account}:{id}",
        },
        defaults={"disableExecuteApiEndpoint": False},
        naming=Naming(longest=128),
    ),
    "aws:apigatewayv2/vpcLink:VpcLink": ResourceType(
        "{hex6}",
        {"arn": f"{_APIS}/vpclinks/{{id}}"},
        naming=Naming(longest=128),
    ),
    "aws:apigatewayv2/integration:Integration": ResourceType(
        "{hex7}",
        {"integrationResponseSelectionExpression": ""},
        defaults={"connectionType": "INTERNET", "payloadFormatVersion": "1.0"},
        tagged=False,
    ),
    "aws:apigatewayv2/route:Route": ResourceType(
        "{hex7}",
        defaults={"apiKeyRequired": False, "authorizationType": "NONE"},
        tagged=False,
    ),
    "aws:apigatewayv2/stage:Stage": ResourceType(
        "{name}",
        {
            "arn": f"{_APIS}/apis/{{apiId}}/stages/{{name}}",
            "executionArn": f"{_EXECUTE}/{{name}}",
            "invokeUrl": _stage_url,
        },
        defaults={"autoDeploy": False},
        naming=Naming(longest=128),
    ),
    "aws:apigatewayv2/domainName:DomainName": ResourceType(
        "{domainName}",
        {
            "apiMappingSelectionExpression": "$request.basepath",
            "arn": f"{_APIS}/domainnames/{{domainName}}",
            "domainNameConfiguration.hostedZoneId": "Z1UJRXOUMOOFQ8",
            "domainNameConfiguration.targetDomainName": ("d-{hex10}.execute-api.{region}.{suffix}"),
        },
    ),
    "aws:apigatewayv2/apiMapping:ApiMapping": ResourceType("{hex6}", tagged=False),
    "aws:apprunner/service:Service": ResourceType(
        f"{_APP_RUNNER}service/{{serviceName}}/{{hex32}}",
        {
            "arn": "{id}",
            "serviceId": lambda facts: facts.id.rpartition("/")[2],
            "serviceUrl": "{hex10}.{region}.awsapprunner.com",
            "status": "RUNNING",
        },
    ),
    "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion": ResourceType(
        f"{_APP_RUNNER}autoscalingconfiguration/{{autoScalingConfigurationName}}/1/{{hex32}}",
        {"arn": "{id}", "autoScalingConfigurationRevision": lambda _facts: 1, "status": "active"},
    ),
    "aws:apprunner/vpcConnector:VpcConnector": ResourceType(
        f"{_APP_RUNNER}vpcconnector/{{vpcConnectorName}}/1/{{hex32}}",
        {"arn": "{id}", "status": "ACTIVE", "vpcConnectorRevision": lambda _facts: 1},
    ),
    "aws:apprunner/customDomainAssociation:CustomDomainAssociation": ResourceType(
        "{domainName},{serviceArn}",
        {
            "certificateValidationRecords": _proofs,
            "dnsTarget": "{hex10}.{region}.awsapprunner.com",
            "status": "pending_certificate_dns_validation",
        },
        tagged=False,
    ),
}
