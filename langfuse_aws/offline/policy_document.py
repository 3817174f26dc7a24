"""`aws:iam/getPolicyDocument`, which makes IAM policies out of statements.

Statements of source documents come first; nothing is merged by statement id.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from langfuse_aws.offline.facts import digest

Arguments = Mapping[str, Any]
Answer = dict[str, Any]

_POLICY_VERSION = "2012-10-17"


def policy_document(arguments: Arguments, _region: str) -> Answer:
    """The answer: the policy as JSON, indented and minified."""
    statements = [_statement(statement) for statement in arguments.get("statements", ())]
    sources = [json.loads(text) for text in arguments.get("sourcePolicyDocuments", ())]
    inherited = [item for source in sources for item in source.get("Statement", ())]
    document = {"Version": arguments.get("version") or _POLICY_VERSION}
    if arguments.get("policyId"):
        document["Id"] = arguments["policyId"]
    text = json.dumps({**document, "Statement": inherited + statements}, indent=2)
    return {"id": digest(text)[:10], "json": text, "minifiedJson": json.dumps(json.loads(text))}


def _statement(statement: Arguments) -> Answer:
    """A statement in IAM's own words; single values stand alone."""
    made: Answer = {"Effect": statement.get("effect") or "Allow"}
    if statement.get("sid"):
        made["Sid"] = statement["sid"]
    words = {
        "actions": "Action", "notActions": "NotAction", "resources": "Resource",
        "notResources": "NotResource",
    }  # fmt: skip
    made |= {word: _alone(statement[key]) for key, word in words.items() if statement.get(key)}
    for key, word in {"principals": "Principal", "notPrincipals": "NotPrincipal"}.items():
        if statement.get(key):
            made[word] = {item["type"]: _alone(item["identifiers"]) for item in statement[key]}
            if made[word] == {"*": "*"}:
                made[word] = "*"
    for condition in statement.get("conditions", ()):
        test = cast("Answer", made.setdefault("Condition", {})).setdefault(condition["test"], {})
        test[condition["variable"]] = _alone(condition["values"])
    return made


def _alone(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else sorted(values)
