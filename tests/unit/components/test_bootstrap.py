"""The first organization, project, keys and user: what makes them is told, and where secrets are.

It proves what the program registers. That Langfuse makes them of these variables is its own promise
(docs/configuration.md has the page), and what AWS holds then is read back by tests/provider.
"""

import json
import re
from typing import Any, Final

import pytest

from langfuse_aws.components.data_plane.bootstrap import first_start
from langfuse_aws.components.environment import Environment, migration, web
from langfuse_aws.contract.variables import known
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.model import Bootstrap
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.unit.components.test_environment import CREDENTIALS, ENDPOINTS
from tests.unit.stack_graph import shipped, varied

EMAIL: Final = "ada@example.com"
NAME: Final = "langfuse-dev-bootstrap"
VARIABLES: Final = {
    "LANGFUSE_INIT_ORG_ID",
    "LANGFUSE_INIT_ORG_NAME",
    "LANGFUSE_INIT_PROJECT_ID",
    "LANGFUSE_INIT_PROJECT_NAME",
    "LANGFUSE_INIT_PROJECT_PUBLIC_KEY",
    "LANGFUSE_INIT_PROJECT_SECRET_KEY",
    "LANGFUSE_INIT_USER_EMAIL",
    "LANGFUSE_INIT_USER_PASSWORD",
}


def of_first_start(release: str = LANGFUSE, **keys: Any) -> Environment[str, str]:
    settings = load({"size": "dev", "release": release, **keys})
    assert settings.bootstrap is not None
    first = first_start(settings.bootstrap, "langfuse-dev", "pk-lf-1", "arn:key", "arn:word")
    return migration(settings, ENDPOINTS, CREDENTIALS, first)


@pytest.mark.parametrize("release", [LANGFUSE_3, LANGFUSE])
def test_web_knows_every_variable_and_takes_its_value(release: str) -> None:
    environment = of_first_start(release, bootstrap={"userEmail": EMAIL})
    own = {name for name in (*environment.plain, *environment.secret) if "_INIT_" in name}
    assert own == VARIABLES
    table = known("web", int(release[0]))
    faults = {name: table[name].problem(environment.plain.get(name, "x")) for name in own}
    assert set(faults.values()) == {None}, faults


def test_the_ids_are_the_stacks_so_that_another_name_makes_no_second_project() -> None:
    names = {"organization": "Acme", "project": "Chat"}
    one = of_first_start(bootstrap={"userEmail": EMAIL}).plain
    other = of_first_start(bootstrap={"userEmail": EMAIL, **names}).plain
    assert {name for name in VARIABLES if one.get(name) != other.get(name)} == {
        "LANGFUSE_INIT_ORG_NAME",
        "LANGFUSE_INIT_PROJECT_NAME",
    }


@pytest.mark.parametrize(
    ("keys", "closed"),
    [
        ({}, "false"),
        ({"bootstrap": {"userEmail": EMAIL}}, "true"),
        ({"bootstrap": {"userEmail": EMAIL}, "auth": {"disableSignup": False}}, "false"),
        ({"auth": {"disableSignup": True, "existingAccounts": True}}, "true"),
    ],
)
def test_nobody_can_sign_up_once_there_is_a_first_user(keys: dict[str, Any], closed: str) -> None:
    settings = load({"size": "dev", **keys})
    assert web(settings, ENDPOINTS, CREDENTIALS).plain["AUTH_DISABLE_SIGNUP"] == closed


def test_a_first_user_has_an_address() -> None:
    with pytest.raises(SettingsError, match=r"langfuse:bootstrap\.userEmail: is not set"):
        load({"size": "dev", "bootstrap": {"organization": "Acme"}})
    with pytest.raises(SettingsError, match=r'langfuse:bootstrap\.userEmail: "ada"'):
        load({"size": "dev", "bootstrap": {"userEmail": "ada"}})


@pytest.mark.parametrize("where", ["web.environment", "secretEnvironment"])
def test_the_variables_belong_to_the_section_and_the_error_says_so(where: str) -> None:
    own = {"LANGFUSE_INIT_PROJECT_PUBLIC_KEY": "pk-lf-own"}
    given: dict[str, Any] = (
        {"web": {"environment": own}}
        if where == "web.environment"
        else {"secretEnvironment": json.dumps(own)}
    )
    with pytest.raises(SettingsError, match=r"Use langfuse:bootstrap\. Remove it\."):
        load({"size": "dev", **given})


def test_names_that_the_section_does_not_set_stay_the_users_own() -> None:
    own = {"LANGFUSE_INIT_USER_NAME": "Ada", "LANGFUSE_INIT_PROJECT_RETENTION": "90"}
    assert load({"size": "dev", "web": {"environment": own}}).web.environment == own


def test_the_keys_have_langfuses_form_and_one_secret_holds_them() -> None:
    graph = varied()
    version = graph.one("aws:secretsmanager/secretVersion:SecretVersion", NAME)
    held = json.loads(version.inputs["secretString"])
    assert set(held) == {"public_key", "secret_key", "user_password"}
    assert re.fullmatch(r"pk-lf-[0-9a-f-]{36}", held["public_key"])
    assert re.fullmatch(r"sk-lf-[A-Za-z0-9]{40}", held["secret_key"])
    password = graph.one("random:index/randomPassword:RandomPassword", f"{NAME}-user-password")
    least = {
        kind: password.inputs[f"min{kind}"] for kind in ("Lower", "Upper", "Numeric", "Special")
    }
    assert set(least.values()) == {1}, "Langfuse's form would refuse it"
    assert password.outputs["result"] == held["user_password"]


def test_the_first_start_alone_gets_them_and_secrets_by_reference() -> None:
    graph = varied()
    plain, secret = graph.environment("migration"), graph.secrets("migration")
    assert {name for name in (*plain, *secret) if "_INIT_" in name} == VARIABLES
    arn = graph.one("aws:secretsmanager/secret:Secret", NAME).outputs["arn"]
    assert secret["LANGFUSE_INIT_PROJECT_SECRET_KEY"] == f"{arn}:secret_key::"
    assert secret["LANGFUSE_INIT_USER_PASSWORD"] == f"{arn}:user_password::"
    assert plain["LANGFUSE_INIT_ORG_NAME"] == "Acme, Inc."
    for container in ("web", "worker"):
        told = (*graph.environment(container), *graph.secrets(container))
        assert not [name for name in told if "_INIT_" in name]


def test_a_stack_that_does_not_ask_for_it_has_none() -> None:
    graph = shipped("dev")
    assert not [each.name for each in graph.registrations if "bootstrap" in each.name]
    for container in ("web", "worker", "migration"):
        assert not VARIABLES & {*graph.environment(container), *graph.secrets(container)}


def test_a_raised_version_renews_both_keys_and_not_the_password() -> None:
    graph = varied()
    keepers = {
        each.name.removeprefix(f"{NAME}-"): each.inputs.get("keepers")
        for each in graph.registrations
        if each.name.startswith(f"{NAME}-") and each.type.startswith("random:")
    }
    version = {"keyVersion": "1"}
    assert keepers == {"public-key": version, "secret-key": version, "user-password": None}


def test_the_default_version_is_the_first() -> None:
    assert Bootstrap.model_validate({"userEmail": EMAIL}).key_version == 1
