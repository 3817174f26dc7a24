"""Sign-in by providers, and mail: settings, variables, secrets and permissions.

Proves which variables each provider's settings become, that Langfuse 3.225.4 and 4.16.0 read them
and take their values, what a stack file is refused for and that no line shows a secret, that
secrets reach the containers by reference only, and the exact permission to send through SES. It
does not prove that a provider signs anybody in, nor that SES sends.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from langfuse_aws.components import environment
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.contract.variables import Container, known
from langfuse_aws.offline.facts import ACCOUNT
from langfuse_aws.settings import sign_in_variables as sign_in
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.sign_in import PROVIDERS, Provider
from langfuse_aws.settings.wording import shown
from tests.unit.components.test_data_plane import changed
from tests.unit.components.test_environment import CREDENTIALS, ENDPOINTS, RELEASES
from tests.unit.stack_graph import Graph, varied

HIDDEN: Final = "hunter2"
SECRET_VERSION: Final = "aws:secretsmanager/secretVersion:SecretVersion"
ISSUER: Final = "https://id.example.com/realms/main"
TENANT: Final = "66666666-7777-8888-9999-000000000000"
FROM: Final = "no-reply@example.com"
SES: Final = {"mode": "ses", "from": FROM}
SMTP: Final = {"mode": "smtp", "from": FROM}

# Everything a provider takes, and what it becomes: written out, so that a name has to be meant.
CASES: Final[dict[str, tuple[dict[str, Any], dict[str, str]]]] = {
    "google": (
        {"clientId": "id", "allowAccountLinking": True, "allowedDomains": ["a.com", "b.org"]},
        {
            "AUTH_GOOGLE_CLIENT_ID": "id",
            "AUTH_GOOGLE_ALLOW_ACCOUNT_LINKING": "true",
            "AUTH_GOOGLE_ALLOWED_DOMAINS": "a.com,b.org",
        },
    ),
    "github": (
        {"clientId": "id"},
        {"AUTH_GITHUB_CLIENT_ID": "id", "AUTH_GITHUB_ALLOW_ACCOUNT_LINKING": "false"},
    ),
    "okta": (
        {"clientId": "id", "issuer": ISSUER},
        {
            "AUTH_OKTA_CLIENT_ID": "id",
            "AUTH_OKTA_ALLOW_ACCOUNT_LINKING": "false",
            "AUTH_OKTA_ISSUER": ISSUER,
        },
    ),
    "azureAd": (
        {"clientId": "id", "tenantId": TENANT},
        {
            "AUTH_AZURE_AD_CLIENT_ID": "id",
            "AUTH_AZURE_AD_ALLOW_ACCOUNT_LINKING": "false",
            "AUTH_AZURE_AD_TENANT_ID": TENANT,
        },
    ),
    "cognito": (
        {"clientId": "id", "issuer": ISSUER},
        {
            "AUTH_COGNITO_CLIENT_ID": "id",
            "AUTH_COGNITO_ALLOW_ACCOUNT_LINKING": "false",
            "AUTH_COGNITO_ISSUER": ISSUER,
        },
    ),
    "keycloak": (
        {"clientId": "id", "issuer": ISSUER},
        {
            "AUTH_KEYCLOAK_CLIENT_ID": "id",
            "AUTH_KEYCLOAK_ALLOW_ACCOUNT_LINKING": "false",
            "AUTH_KEYCLOAK_ISSUER": ISSUER,
        },
    ),
    "custom": (
        {"clientId": "id", "issuer": ISSUER, "name": "Our ID", "scope": "openid email"},
        {
            "AUTH_CUSTOM_CLIENT_ID": "id",
            "AUTH_CUSTOM_ALLOW_ACCOUNT_LINKING": "false",
            "AUTH_CUSTOM_ISSUER": ISSUER,
            "AUTH_CUSTOM_NAME": "Our ID",
            "AUTH_CUSTOM_SCOPE": "openid email",
        },
    ),
}
SECRETS: Final = {
    "google": "AUTH_GOOGLE_CLIENT_SECRET",
    "github": "AUTH_GITHUB_CLIENT_SECRET",
    "okta": "AUTH_OKTA_CLIENT_SECRET",
    "azureAd": "AUTH_AZURE_AD_CLIENT_SECRET",
    "cognito": "AUTH_COGNITO_CLIENT_SECRET",
    "keycloak": "AUTH_KEYCLOAK_CLIENT_SECRET",
    "custom": "AUTH_CUSTOM_CLIENT_SECRET",
}
# The ids of NextAuth's providers, which Langfuse uses (web/src/server/auth.ts).
CALLBACKS: Final = {**{name: name for name in PROVIDERS}, "azureAd": "azure-ad"}
EACH_PROVIDER: Final = pytest.mark.parametrize("provider", CASES)
EACH_RELEASE: Final = pytest.mark.parametrize("release", RELEASES)


def with_providers(*names: str, **auth: Any) -> dict[str, Any]:
    """The keys of a stack file that has these providers, and their secrets."""
    return {
        "auth": {"providers": {name: CASES[name][0] for name in names}, **auth},
        "authSecrets": json.dumps(dict.fromkeys(names, HIDDEN)),
    }


def problems(**keys: Any) -> list[str]:
    """The lines that a stack file is refused with, none of which shows a secret."""
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", **keys})
    assert HIDDEN not in str(caught.value), "a secret is in an error"
    return caught.value.problems


def environment_of(
    container: Container, release: str = RELEASES[0], **keys: Any
) -> environment.Environment[str, str]:
    settings = load({"size": "dev", "release": release, **keys})
    references = replace(
        CREDENTIALS,
        providers={
            name: f"arn:auth:{name}::" for name in keys.get("auth", {}).get("providers", {})
        },
        smtp_url="arn:smtp:url::" if "smtpUrl" in keys else None,
    )
    make = environment.web if container == "web" else environment.worker
    return make(settings, ENDPOINTS, references)


def of_sign_in(given: environment.Environment[str, str]) -> dict[str, str]:
    switches = {"AUTH_DISABLE_SIGNUP", "AUTH_DISABLE_USERNAME_PASSWORD"}
    both = {**given.plain, **given.secret}
    return {
        name: value
        for name, value in both.items()
        if re.match("AUTH_|SMTP_|EMAIL_", name) and name not in switches
    }


# --- variables


def test_every_provider_is_tried_here() -> None:
    assert set(CASES) == set(SECRETS) == set(PROVIDERS), "one that is missing goes unchecked"


@EACH_RELEASE
@EACH_PROVIDER
def test_a_providers_settings_become_its_variables_on_web_and_no_other(
    provider: str, release: str
) -> None:
    _, variables = CASES[provider]
    keys = with_providers(provider)
    reference = {SECRETS[provider]: f"arn:auth:{provider}::"}
    web = environment_of("web", release, **keys)
    assert of_sign_in(web) == {**variables, **reference}, "by name and value"
    assert set(reference) <= set(web.secret), "the secret by reference"
    assert set(reference) & set(web.plain) == set(), "and never in the clear"
    worker = environment_of("worker", release, **keys)
    assert of_sign_in(worker) == {}, "nobody signs in at the worker"


@EACH_RELEASE
@EACH_PROVIDER
def test_langfuse_reads_each_variable_and_takes_its_value(provider: str, release: str) -> None:
    table = known("web", int(release.split(".")[0]))
    variables = CASES[provider][1]
    assert {*variables, SECRETS[provider]} <= set(table), "or Langfuse ignores it without a word"
    assert {name: table[name].problem(value) for name, value in variables.items()} == dict.fromkeys(
        variables
    ), "or web does not start"


@EACH_PROVIDER
def test_every_field_of_a_provider_is_a_variable_that_langfuse_reads(provider: str) -> None:
    own = sign_in.wired({"auth": {"providers": {provider: {}}}})
    model: type[Provider] = PROVIDERS[provider]
    assert len(own) == len(model.model_fields) + 1, "its fields and its secret"
    for major in (3, 4):
        assert set(own) <= set(known("web", major)), "a field named after no variable"


def test_a_provider_without_domains_has_no_list_of_them() -> None:
    auth = {"providers": {"google": {"clientId": "id"}}}
    web = environment_of("web", auth=auth, authSecrets='{"google": "x"}')
    assert "AUTH_GOOGLE_ALLOWED_DOMAINS" not in web.plain, "every Google user may sign in"


@EACH_RELEASE
def test_enforced_domains_are_one_list_with_commas(release: str) -> None:
    keys = with_providers("github", enforceSsoDomains=["a.com", "b.org"])
    plain = environment_of("web", release, **keys).plain
    assert plain["AUTH_DOMAINS_WITH_SSO_ENFORCEMENT"] == "a.com,b.org", "Langfuse splits it so"
    bare = environment_of("web", release, **with_providers("github")).plain
    assert "AUTH_DOMAINS_WITH_SSO_ENFORCEMENT" not in bare


@pytest.mark.parametrize("container", ["web", "worker"])
@EACH_RELEASE
def test_ses_needs_no_secret_and_smtp_has_its_url_by_reference(
    container: Container, release: str
) -> None:
    ses = environment_of(container, release, smtp=SES)
    url = f"ses://{ENDPOINTS.region}"
    assert of_sign_in(ses) == {"EMAIL_FROM_ADDRESS": FROM, "SMTP_CONNECTION_URL": url}
    assert "SMTP_CONNECTION_URL" in ses.plain, "it has no password in it"
    smtp = environment_of(container, release, smtp=SMTP, smtpUrl=f"smtp://u:{HIDDEN}@h")
    reference = {"SMTP_CONNECTION_URL": "arn:smtp:url::"}
    assert of_sign_in(smtp) == {"EMAIL_FROM_ADDRESS": FROM, **reference}, "both of them send"
    assert reference.items() <= smtp.secret.items()
    assert "SMTP_CONNECTION_URL" not in smtp.plain
    assert of_sign_in(environment_of(container, release)) == {}, "no mail unless it is asked for"


# --- the stack file's own variables beside them


def test_what_a_section_sets_cannot_be_set_as_a_variable_too() -> None:
    keys = with_providers("okta", enforceSsoDomains=["a.com"])
    own = {
        "AUTH_OKTA_ISSUER": "x",
        "AUTH_OKTA_CLIENT_SECRET": "x",
        "AUTH_DOMAINS_WITH_SSO_ENFORCEMENT": "x",
        "EMAIL_FROM_ADDRESS": "x",
    }
    secret = {"AUTH_OKTA_CLIENT_ID": HIDDEN, "SMTP_CONNECTION_URL": HIDDEN}
    lines = problems(
        **keys,
        smtp=SES,
        web={"environment": own},
        worker={"environment": {"SMTP_CONNECTION_URL": "x"}},
        secretEnvironment=json.dumps(secret),
    )
    okta = "langfuse:auth.providers.okta sets this. Remove it."
    assert lines == [
        f"langfuse:secretEnvironment.AUTH_OKTA_CLIENT_ID: {okta}",
        "langfuse:secretEnvironment.SMTP_CONNECTION_URL: langfuse:smtp sets this. Remove it.",
        f'langfuse:web.environment.AUTH_OKTA_ISSUER: "x": {okta}',
        f"langfuse:web.environment.AUTH_OKTA_CLIENT_SECRET: {okta}",
        'langfuse:web.environment.AUTH_DOMAINS_WITH_SSO_ENFORCEMENT: "x": '
        "langfuse:auth.enforceSsoDomains sets this. Remove it.",
        'langfuse:web.environment.EMAIL_FROM_ADDRESS: "x": langfuse:smtp sets this. Remove it.',
        "langfuse:worker.environment.SMTP_CONNECTION_URL: langfuse:smtp sets this. Remove it.",
    ], "two values of one variable, of which one would be for nothing"


def test_what_no_section_sets_may_still_be_set_as_a_variable() -> None:
    own = {
        "AUTH_OKTA_CHECKS": "pkce,state",
        "AUTH_KEYCLOAK_CLIENT_ID": "k",
        "AUTH_KEYCLOAK_ISSUER": ISSUER,
        "EMAIL_FROM_ADDRESS": FROM,
    }
    secret = {"AUTH_KEYCLOAK_CLIENT_SECRET": "x", "SMTP_CONNECTION_URL": "x"}
    plain = environment_of(
        "web",
        **with_providers("okta"),
        web={"environment": own},
        secretEnvironment=json.dumps(secret),
    ).plain
    assert own.items() <= plain.items(), "checks of a provider here, and a provider set by hand"
    nothing = {"auth": {"providers": {"okta": None}}, "smtp": None}
    assert sign_in.wired(nothing) == {}, "a key without a value sets nothing"


# --- what is refused


def test_nobody_gets_in_by_every_provider_either_while_sign_up_is_closed() -> None:
    assert [
        line.partition(": true: nobody could sign in")[0]
        for line in problems(**with_providers(*PROVIDERS, disableSignup=True))
    ] == ["langfuse:auth.disableSignup"]


NO_WAY_IN: Final = "since there is no provider. Set langfuse:auth.providers, or remove it."
SET_SECRETS: Final = (
    "Set it with pulumi config set --secret langfuse:authSecrets JSON, "
    'an object such as {"google": "…"}.'
)


def set_it(path: str) -> str:
    return f"Set it with pulumi config set --path 'langfuse:{path}' VALUE."


def test_nobody_is_locked_out() -> None:
    domains = ["a.com"]
    assert problems(auth={"disablePassword": True, "enforceSsoDomains": domains}) == [
        f"langfuse:auth.disablePassword: true: nobody could sign in, {NO_WAY_IN}",
        f'langfuse:auth.enforceSsoDomains: ["a.com"]: their users could not sign in, {NO_WAY_IN}',
    ], "the first user included"
    assert load({"size": "dev", **with_providers("google", disablePassword=True)})
    assert problems(auth={"disablePassword": True, "providers": {"google": None}}) == [
        f"langfuse:auth.disablePassword: true: nobody could sign in, {NO_WAY_IN}"
    ], "a key without a value is no provider, and needs no secret"
    variable, secret = "AUTH_WORKOS_CLIENT_ID", {"AUTH_WORKOS_CLIENT_SECRET": "x"}
    for keys in (
        {"web": {"environment": {variable: "x"}}, "secretEnvironment": json.dumps(secret)},
        {"secretEnvironment": json.dumps({variable: "x", **secret})},
    ):
        assert load({"size": "dev", "auth": {"disablePassword": True}, **keys}), "set by hand"


def test_providers_and_secrets_go_together() -> None:
    keys = with_providers("google", "okta")
    secrets = {"okta": "", "github": HIDDEN, "gogle": HIDDEN, "saml": HIDDEN}
    assert problems(**{**keys, "authSecrets": json.dumps(secrets)}) == [
        f"langfuse:authSecrets.google: is not set, and auth.providers.google needs it. "
        f"{SET_SECRETS}",
        f"langfuse:authSecrets.okta: is not set, and auth.providers.okta needs it. {SET_SECRETS}",
        "langfuse:authSecrets.github: is for auth.providers.github, which is not set. "
        "Remove it, or set auth.providers.github.",
        "langfuse:authSecrets.gogle: unknown provider; the nearest known one is google. "
        "Remove it, or correct its spelling.",
        "langfuse:authSecrets.saml: unknown provider. Remove it, or correct its spelling.",
    ], "Langfuse leaves out a provider that lacks one of the two, without a word"


@pytest.mark.parametrize("text", [HIDDEN, f'["{HIDDEN}"]', '{"google": 1}', '{"google": null}'])
def test_secrets_that_are_no_json_object_of_strings_are_refused(text: str) -> None:
    assert problems(**{**with_providers("google"), "authSecrets": text}) == [
        f"langfuse:authSecrets: must be a JSON object of strings. {SET_SECRETS}"
    ], "and not crashed on"


def test_a_misspelt_provider_or_key_is_told_with_the_nearest_and_without_its_value() -> None:
    google = {"clientID": "x", "tenantId": "x", "issuer": "x", "clientSecret": HIDDEN, "x": HIDDEN}
    keys = {"auth": {"providers": {"google": google, "Okta": {"clientSecret": HIDDEN}}}}
    path = "langfuse:auth.providers"
    misspelt = "Remove it, or correct its spelling."
    assert problems(**keys, authSecrets='{"google": "x"}') == [
        f"{path}.google.clientId: is not set, and must be. "
        f"{set_it('auth.providers.google.clientId')}",
        f"{path}.google.clientID: unknown key; the nearest known one is clientId. {misspelt}",
        f"{path}.google.tenantId: exists only for azureAd. Remove it.",
        f"{path}.google.issuer: exists only for okta, cognito, keycloak, custom. Remove it.",
        f"{path}.google.clientSecret: is a secret, and stored in the clear here. "
        "Remove it, and put it into the secret key langfuse:authSecrets.",
        f"{path}.google.x: unknown key. {misspelt}",
        f"{path}.Okta: unknown key; the nearest known one is okta. {misspelt}",
    ], "what is put there by mistake may be the secret"


@pytest.mark.parametrize(
    "keys",
    [
        {"auth": {"providers": HIDDEN}},
        {"auth": {"providers": {"google": HIDDEN}}},
        {"auth": {"providers": {"google": {"clientId": {"secret": HIDDEN}}}}},
        {"auth": {"secrets": {"google": HIDDEN}}},
        {"auth": {"authSecrets": {"google": HIDDEN}}},
        {"smtp": HIDDEN},
        {"smtp": {**SES, "url": f"smtp://u:{HIDDEN}@h"}},
        {"smtp": {**SES, "password": HIDDEN}},
        {"smtp": SMTP, "smtpUrl": HIDDEN},
        {"smtp": SES, "smtpUrl": HIDDEN},
        {"smtp": {**SES, "from": f"smtp://u:{HIDDEN}@h"}},
        {"auth": {"providers": {"okta": {"clientId": "x", "issuer": f"https://u:{HIDDEN}@h"}}}},
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(keys: dict[str, Any]) -> None:
    assert problems(**keys), "the assertion is in `problems`"


@pytest.mark.parametrize("provider", ["okta", "cognito", "keycloak", "custom"])
@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example.com",
        "id.example.com",
        "https://",
        "https://id.example.com?x=y",
        "https://id.example.com#x",
        "https://id.example.com//x",
        "https://id example.com",
        "https://id.example.com\n",
        "https://id.example.com:0",
        "https://id.example.com/réalm",
        "",
    ],
)
def test_an_issuer_that_is_no_https_url_is_refused(provider: str, issuer: str) -> None:
    keys = with_providers(provider)
    keys["auth"]["providers"] = {provider: {**CASES[provider][0], "issuer": issuer}}
    assert problems(**keys) == [
        f"langfuse:auth.providers.{provider}.issuer: {shown(issuer)}: must be an https URL "
        "without user, query or fragment. Write it as https://HOST/PATH, as the provider states it."
    ], "the client secret is sent there"


def test_the_discovery_document_is_not_taken_for_the_issuer() -> None:
    okta = {"clientId": "x", "issuer": f"{ISSUER}/.well-known/openid-configuration"}
    (line,) = problems(auth={"providers": {"okta": okta}}, authSecrets='{"okta": "x"}')
    assert line.endswith(
        ": is the discovery document, not the issuer. Leave out /.well-known/openid-configuration."
    ), "Langfuse appends it a second time"


@pytest.mark.parametrize(
    "issuer",
    [f"{ISSUER}/", "https://ID.example.com:8443/a_b/~c.d%20/", "https://id.example.com/X/"],
)
def test_an_issuer_has_no_slash_at_its_end_once_it_is_loaded(issuer: str) -> None:
    okta = {"clientId": "x", "issuer": issuer}
    settings = load(
        {"size": "dev", "auth": {"providers": {"okta": okta}}, "authSecrets": '{"okta": "x"}'}
    )
    assert settings.auth.providers.okta, "it is set"
    assert settings.auth.providers.okta.issuer == issuer.rstrip("/"), "`//.well-known` is not found"


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "", "a b.com"])
def test_a_tenant_is_one_tenant(tenant: str) -> None:
    azure = {"clientId": "x", "tenantId": tenant}
    assert problems(auth={"providers": {"azureAd": azure}}, authSecrets='{"azureAd": "x"}') == [
        f'langfuse:auth.providers.azureAd.tenantId: "{tenant}": must be the ID of one tenant, or a '
        "domain of it. `common` and `organizations` would let the users of every tenant in."
    ], "another tenant's administrator can state any email address"


@pytest.mark.parametrize("tenant", [TENANT, TENANT.upper(), "example.onmicrosoft.com"])
def test_a_tenant_is_known_by_its_id_or_a_domain(tenant: str) -> None:
    azure = {"clientId": "x", "tenantId": tenant}
    auth = {"providers": {"azureAd": azure}}
    assert load({"size": "dev", "auth": auth, "authSecrets": '{"azureAd": "x"}'})


@pytest.mark.parametrize("domain", ["A.com", "a", "*.a.com", "a.com,b.com", "@a.com", ""])
def test_a_domain_that_langfuse_would_never_find_is_refused(domain: str) -> None:
    google = {"clientId": "x", "allowedDomains": ["a.com", domain]}
    auth = {"providers": {"google": google}, "enforceSsoDomains": [domain]}
    lines = problems(auth=auth, authSecrets='{"google": "x"}')
    assert [line.split(": ")[:2] for line in lines] == [
        ["langfuse:auth.enforceSsoDomains[0]", json.dumps(domain)],
        ["langfuse:auth.providers.google.allowedDomains[1]", json.dumps(domain)],
    ], "each where it is"


@pytest.mark.parametrize(
    "address",
    ["Langfuse <no-reply@example.com>", "no-reply", "a@b", "a b@c.com", "a@b.com\n", "*@b.com"],
)
def test_an_address_with_a_name_or_none_at_all_is_refused(address: str) -> None:
    assert problems(smtp={"mode": "ses", "from": address}) == [
        f"langfuse:smtp.from: {json.dumps(address)}: must be an address alone, such as "
        "no-reply@example.com. Leave a name out: Langfuse puts its own before the address."
    ], "Langfuse would send from `Langfuse <Langfuse <…>>`; IAM would take * for every address"


def test_mail_needs_a_way_and_an_address() -> None:
    assert problems(smtp={}) == [
        f"langfuse:smtp.mode: is not set, and must be ses or smtp. {set_it('smtp.mode')}"
    ]
    assert problems(smtp={"mode": "sendmail"}) == [
        f"langfuse:smtp.mode: \"sendmail\": must be 'ses' or 'smtp'. {set_it('smtp.mode')}"
    ]
    assert problems(smtp={"mode": "ses"}) == [
        f"langfuse:smtp.from: is not set, and must be. {set_it('smtp.from')}"
    ]
    assert problems(smtp={**SMTP, "resourceArns": []}, smtpUrl="smtp://h") == [
        "langfuse:smtp.resourceArns: exists only for smtp.mode ses. "
        "Remove it, or choose smtp.mode ses."
    ]


@pytest.mark.parametrize("keys", [{}, {"smtp": SES}])
def test_an_smtp_url_without_a_use_is_refused(keys: dict[str, Any]) -> None:
    assert problems(**keys, smtpUrl=f"smtp://u:{HIDDEN}@h") == [
        "langfuse:smtpUrl: exists only for smtp.mode smtp. Remove it, or choose smtp.mode smtp."
    ], "mail would go another way than its author thinks"


@pytest.mark.parametrize("given", [{}, {"smtpUrl": ""}])
def test_smtp_without_its_url_is_refused(given: dict[str, str]) -> None:
    assert problems(smtp=SMTP, **given) == [
        "langfuse:smtpUrl: is not set, and smtp.mode smtp needs it. "
        "Set it with pulumi config set --secret langfuse:smtpUrl URL."
    ]


@pytest.mark.parametrize(
    "url",
    [
        f"u:{HIDDEN}@smtp.example.com",
        f"https://u:{HIDDEN}@smtp.example.com",
        "ses://us-east-1",
        f"smtp://u:{HIDDEN}@@smtp.example.com",
        f"smtp://u:{HIDDEN}/x@smtp.example.com",
        f"smtp://u:{HIDDEN}%zz@smtp.example.com",
        f"smtp://u:{HIDDEN}@smtp.example.com:0",
        f"smtp://u:{HIDDEN}@smtp.example.com:65536",
        f"smtp://u:{HIDDEN}@smtp.example.com/x",
        f"smtp://u:{HIDDEN}@",
        f"smtp://{HIDDEN}@smtp.example.com",
        f"smtp://u:{HIDDEN}@smtp.example.com\n",
    ],
)
def test_an_smtp_url_that_nodemailer_would_misread_is_refused_unseen(url: str) -> None:
    assert problems(smtp=SMTP, smtpUrl=url) == [
        "langfuse:smtpUrl: must be smtp://USER:PASSWORD@HOST:PORT, or smtps://… for TLS from the "
        "start. Write it so, with what is not a letter or digit in user and password "
        "percent-encoded."
    ]


@pytest.mark.parametrize(
    "url",
    [
        "smtp://smtp.example.com",
        "smtps://user:pa%40ss@smtp.example.com:465",
        "smtp://user%40example.com:a+%2F=@10.0.0.7:587/?requireTLS=true",
    ],
)
def test_an_smtp_url_may_have_what_nodemailer_knows(url: str) -> None:
    assert load({"size": "dev", "smtp": SMTP, "smtpUrl": url}).smtp


@pytest.mark.parametrize("release", ["3.125.0", "3.175.9"])
def test_a_release_without_ses_is_refused_where_ses_is_asked_for(release: str) -> None:
    assert problems(release=release, smtp=SES) == [
        f'langfuse:smtp.mode: "ses": Langfuse {release} cannot send through SES. '
        "Choose release 3.176.0 or later, or smtp.mode smtp."
    ], "it would look for an SMTP server of the region's name"
    assert load({"size": "dev", "release": release, "smtp": SMTP, "smtpUrl": "smtp://h"})
    assert load({"size": "dev", "release": "3.176.0", "smtp": SES})


@pytest.mark.parametrize(
    "arn",
    ["*", "arn:aws:ses:us-east-1:123456789012:identity/*", "arn:aws:ses:*:123456789012:identity/a"],
)
def test_mail_may_not_use_every_identity(arn: str) -> None:
    (line,) = problems(smtp={**SES, "resourceArns": [arn]})
    assert line.startswith(f'langfuse:smtp.resourceArns[0]: "{arn}": must be the ARN of an SES')


# --- what the stack makes of it


def values_of(graph: Graph, name: str) -> dict[str, str]:
    return json.loads(graph.one(SECRET_VERSION, name).inputs["secretString"])


def test_client_secrets_are_stored_and_handed_to_web_alone() -> None:
    graph = varied()
    name = "langfuse-dev-auth"
    assert values_of(graph, name) == {"azureAd": "varied-azure", "google": "varied-google"}
    secret = graph.one("aws:secretsmanager/secret:Secret", name)
    web = graph.secrets("web")
    assert web["AUTH_GOOGLE_CLIENT_SECRET"] == f"{secret.id}:google::"
    assert web["AUTH_AZURE_AD_CLIENT_SECRET"] == f"{secret.id}:azureAd::"
    readable = {
        container: secret.id in graph.policy(f"langfuse-dev-{container}-execution")[1]["Resource"]
        for container in ("web", "worker")
    }
    assert readable == {"web": True, "worker": False}, "only web's agent may read them"
    version = graph.one(SECRET_VERSION, name)
    assert "secretString" in version.secrets, "they are in the state in the clear"
    task = graph.one("aws:ecs/taskDefinition:TaskDefinition", "langfuse-dev-web")
    assert graph.urns[SECRET_VERSION, name] in graph.options_of(task).dependencies, (
        "a task that starts before the secret has a value fails"
    )


def test_the_smtp_url_is_stored_and_handed_to_both() -> None:
    graph = changed()
    assert values_of(graph, "langfuse-dev-smtp") == {"url": "smtps://user:word@smtp.example.com"}
    secret = graph.one("aws:secretsmanager/secret:Secret", "langfuse-dev-smtp").id
    for container in ("web", "worker"):
        assert graph.secrets(container)["SMTP_CONNECTION_URL"] == f"{secret}:url::"
        assert graph.environment(container)["EMAIL_FROM_ADDRESS"] == FROM
        assert secret in graph.policy(f"langfuse-dev-{container}-execution")[1]["Resource"]
        sending = [
            each
            for each in graph.policy(f"langfuse-dev-{container}-task")
            if "ses:" in str(each["Action"])
        ]
        assert sending == [], "who sends by SMTP may not send through SES as well"


@pytest.mark.parametrize("graph", [varied, changed])
def test_no_given_secret_is_in_a_plain_environment(graph: Any) -> None:
    made: Graph = graph()
    for name in ("auth", "smtp"):
        if not [each for each in made.of_type(SECRET_VERSION) if each.name.endswith(f"-{name}")]:
            continue
        for value in values_of(made, f"langfuse-dev-{name}").values():
            for task in made.of_type("aws:ecs/taskDefinition:TaskDefinition"):
                assert value not in task.inputs["containerDefinitions"], task.name


@pytest.mark.parametrize("container", ["web", "worker"])
def test_a_stack_that_sends_through_ses_may_send_as_its_address_and_as_no_other(
    container: str,
) -> None:
    graph = varied()
    identity = f"arn:aws:ses:us-east-1:{ACCOUNT}:identity"
    statements = graph.policy(f"langfuse-dev-{container}-task")
    assert [each for each in statements if "ses:SendEmail" in each["Action"]] == [
        {
            "Effect": "Allow",
            "Action": ["ses:SendEmail", "ses:SendRawEmail"],
            "Resource": [f"{identity}/example.com", f"{identity}/{FROM}"],
            "Condition": {"StringEquals": {"ses:FromAddress": FROM}},
        }
    ], "SES takes the address's identity before the domain's, if there are both"
    assert graph.environment(container)["SMTP_CONNECTION_URL"] == "ses://us-east-1"


def test_an_identity_is_one_of_the_stacks_partition_region_and_account() -> None:
    china = Location("cn-north-1", "aws-cn", "123456789012")
    assert iam.mail_identities(china, ["example.cn"]) == [
        "arn:aws-cn:ses:cn-north-1:123456789012:identity/example.cn"
    ]


# --- the page about it

PAGE: Final = (Path(__file__).parents[3] / "docs/sign-in.md").read_text(encoding="utf-8")
EXAMPLES: Final = re.findall(
    r"```yaml\n(.*?)```(?:\n\n```sh\npulumi config set --secret (\S+) '(.*?)'\n```)?",
    PAGE,
    re.DOTALL,
)


def test_the_page_has_the_callback_and_the_required_keys_of_every_provider() -> None:
    for provider, model in PROVIDERS.items():
        fields = model.model_fields.values()
        needed = ", ".join(f"`{field.alias}`" for field in fields if field.is_required())
        row = f"| `{provider}` | `URL/api/auth/callback/{CALLBACKS[provider]}` | {needed} |"
        assert row in PAGE, row


@pytest.mark.parametrize(("text", "key", "secret"), EXAMPLES)
def test_every_example_of_the_page_loads(text: str, key: str, secret: str) -> None:
    keys = {name.removeprefix("langfuse:"): each for name, each in yaml.safe_load(text).items()}
    if key:
        keys[key.removeprefix("langfuse:")] = secret
    assert load({"size": "dev", **keys}), "it would be refused"


def test_every_provider_and_both_ways_of_mail_have_an_example() -> None:
    shown = [yaml.safe_load(text) for text, _, _ in EXAMPLES]
    auth = {name for each in shown for name in each.get("langfuse:auth", {}).get("providers", {})}
    modes = {each["langfuse:smtp"]["mode"] for each in shown if "langfuse:smtp" in each}
    assert (auth, modes) == (set(PROVIDERS), {"ses", "smtp"})
