"""Who can sign in: every combination of the settings that decide it, against Langfuse's own rules.

The model below tries each way in for each person, as `web/src/server/auth.ts`, `initialize.ts` and
`signupApiHandler.ts` of Langfuse 3.225.4 and 4.16.0 do: a stack file is refused exactly when nobody
gets in. It does not prove what a provider says of anybody, nor what accounts a database has.
"""

import itertools
import json
from typing import Any, Final, NamedTuple

import pytest

from langfuse_aws.settings.agreement import doubts
from langfuse_aws.settings.loading import SettingsError, load, load_without_secrets
from tests.unit.stack_graph import VARIED, varied

HOME: Final = "example.com"
FIRST: Final = f"ada@{HOME}"
EVERYWHERE: Final = (HOME, "other.org", "elsewhere.net")


class Way(NamedTuple):
    """A provider, as Langfuse sees it."""

    linking: bool
    domains: tuple[str, ...] = ()


def google(*domains: str, linking: bool) -> dict[str, Any]:
    return {"clientId": "id", "allowAccountLinking": linking, "allowedDomains": list(domains)}


def github(*, linking: bool) -> dict[str, Any]:
    return {"clientId": "id", "allowAccountLinking": linking}


def by_hand(linking: str) -> dict[str, str]:
    """A provider that has no section, by its variables."""
    own = {"AUTH_WORKOS_CLIENT_ID": "id"}
    return own | ({"AUTH_WORKOS_ALLOW_ACCOUNT_LINKING": linking} if linking else {})


# The sections, the variables by hand, and what they are.
PROVIDERS: Final[list[tuple[dict[str, Any], dict[str, str], list[Way]]]] = [
    ({}, {}, []),
    ({"google": google(linking=False)}, {}, [Way(False)]),
    ({"google": google(linking=True)}, {}, [Way(True)]),
    ({"google": google(HOME, linking=False)}, {}, [Way(False, (HOME,))]),
    ({"google": google(HOME, linking=True)}, {}, [Way(True, (HOME,))]),
    ({"google": google("other.org", linking=True)}, {}, [Way(True, ("other.org",))]),
    ({"github": github(linking=False)}, {}, [Way(False)]),
    (
        {"google": google("other.org", linking=True), "github": github(linking=False)},
        {},
        [Way(True, ("other.org",)), Way(False)],
    ),
    (
        {"google": google(linking=False), "github": github(linking=True)},
        {},
        [Way(False), Way(True)],
    ),
    ({}, by_hand(""), [Way(False)]),
    ({}, by_hand("false"), [Way(False)]),
    ({}, by_hand("true"), [Way(True)]),
    ({"github": github(linking=False)}, by_hand("true"), [Way(False), Way(True)]),
]


class Rules(NamedTuple):
    """What the settings come to."""

    first: str | None
    closed: bool
    password: bool
    enforced: tuple[str, ...]
    ways: list[Way]
    existing: bool

    def first_user_gets_in(self) -> bool:
        """Bootstrap makes an account with a password, and nobody else's is linked to it."""
        if self.first is None:
            return False
        domain = self.first.partition("@")[2]
        by_password = self.password and domain not in self.enforced
        return by_password or any(
            way.linking and (not way.domains or domain in way.domains) for way in self.ways
        )

    def newcomer_gets_in(self) -> bool:
        """Whoever comes from anywhere makes an account, if that is open."""
        return not self.closed and any(
            (self.password and domain not in self.enforced)
            or any(not way.domains or domain in way.domains for way in self.ways)
            for domain in EVERYWHERE
        )

    def other_gets_in(self) -> bool:
        """Accounts that were made before: by password, or linked to a provider since then."""
        return self.existing and (self.password or bool(self.ways))


def combinations() -> list[tuple[dict[str, Any], Rules]]:
    found: list[tuple[dict[str, Any], Rules]] = []
    for first, closed, disabled, enforced, (sections, own, ways), existing in itertools.product(
        (None, FIRST),
        (None, True, False),
        (False, True),
        ((), (HOME,), ("other.org",), (HOME, "other.org")),
        PROVIDERS,
        (False, True),
    ):
        auth: dict[str, Any] = {"disablePassword": disabled, "enforceSsoDomains": list(enforced)}
        auth |= {} if closed is None else {"disableSignup": closed}
        auth |= {"existingAccounts": True} if existing else {}
        keys: dict[str, Any] = {
            "size": "dev",
            "auth": {**auth, "providers": sections},
            "authSecrets": json.dumps(dict.fromkeys(sections, "x")),
        }
        if first:
            keys["bootstrap"] = {"userEmail": first}
        if own:
            keys["web"] = {"environment": own}
            keys["secretEnvironment"] = json.dumps({"AUTH_WORKOS_CLIENT_SECRET": "x"})
        shut = first is not None if closed is None else closed
        found.append((keys, Rules(first, shut, not disabled, enforced, ways, existing)))
    return found


def refused(keys: dict[str, Any]) -> list[str]:
    try:
        load(keys)
    except SettingsError as error:
        return error.problems
    return []


def test_a_stack_is_refused_exactly_when_nobody_gets_in() -> None:
    wrong: list[str] = []
    for keys, rules in combinations():
        somebody = rules.first_user_gets_in() or rules.newcomer_gets_in() or rules.other_gets_in()
        # Without any provider, enforcing one shuts those out who are meant, whoever else gets in.
        nowhere = not rules.ways and bool(rules.enforced)
        lines = refused(keys)
        if bool(lines) is not (not somebody or nowhere):
            wrong.append(f"{rules}: {lines}")
        if any(not line.startswith("langfuse:auth.") for line in lines):
            wrong.append(f"{rules}: a line about something else: {lines}")
    assert wrong == [], f"{len(wrong)} combinations"


def test_a_first_user_who_is_shut_out_while_others_get_in_is_a_doubt() -> None:
    for keys, rules in combinations():
        if refused(keys):
            continue
        shut_out = rules.first is not None and not rules.first_user_gets_in()
        shut_out = shut_out and not rules.existing  # its own account may be a linked one by now
        said = [
            line
            for line in doubts(load(keys), json.loads(keys.get("secretEnvironment", "{}")))
            if "bootstrap.userEmail" in line
        ]
        assert bool(said) is shut_out, f"{rules}: {said}"


OUTSIDE: Final = (
    "Set allowAccountLinking of a provider that vouches for the address, or remove it; "
    "auth.existingAccounts says that other people have accounts."
)


def test_what_shuts_the_first_user_out_is_named_with_the_ways_out() -> None:
    google = {"providers": {"google": {"clientId": "id"}}}
    secrets, first = {"authSecrets": '{"google": "x"}'}, {"bootstrap": {"userEmail": FIRST}}

    def lines(**auth: Any) -> list[str]:
        return refused({"size": "dev", **secrets, **first, "auth": {**google, **auth}})

    by_password = f"nobody could sign in: the only account, {FIRST}, has a password, no provider"
    assert lines(disablePassword=True) == [
        f"langfuse:auth.disablePassword: true: {by_password} is let into it, and bootstrap closes "
        f"the sign-up. {OUTSIDE}"
    ]
    assert lines(enforceSsoDomains=[HOME], disableSignup=True) == [
        f'langfuse:auth.enforceSsoDomains: ["{HOME}"]: {by_password} is let into it, and nobody '
        f"may sign up. {OUTSIDE}"
    ]
    assert len(lines(disablePassword=True, enforceSsoDomains=[HOME])) == 2, (
        "to remove one of them alone would help nobody"
    )


def test_a_sign_up_that_is_closed_before_anybody_is_in_is_refused_with_the_ways_out() -> None:
    assert refused({"size": "dev", "auth": {"disableSignup": True}}) == [
        "langfuse:auth.disableSignup: true: nobody could sign in: nobody has an account, and "
        "nobody could make one. Set langfuse:bootstrap, which makes the first, or remove it until "
        "somebody has signed up; then auth.existingAccounts says so."
    ]


@pytest.mark.parametrize(
    "keys",
    [
        {"auth": {"disableSignup": True, "existingAccounts": True}},
        {"postgres": {"mode": "external", "host": "db.example.com"}, "postgresPassword": "x"},
        {"postgres": {"snapshotIdentifier": "before"}},
        {"postgres": {"mode": "auroraServerless", "snapshotIdentifier": "before"}},
        {"postgres": {"mode": "auroraServerless"}, "adopted": ["postgres"]},
    ],
)
def test_a_database_that_is_there_already_may_have_accounts(keys: dict[str, Any]) -> None:
    assert refused({"size": "dev", "auth": {"disableSignup": True}, **keys}) == []


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ({"AUTH_DISABLE_SIGNUP": "true"}, ["AUTH_DISABLE_SIGNUP"]),
        ({"AUTH_DISABLE_USERNAME_PASSWORD": "true"}, ["AUTH_DISABLE_USERNAME_PASSWORD"]),
    ],
)
def test_a_variable_by_hand_shuts_out_like_the_setting(
    own: dict[str, str], names: list[str]
) -> None:
    lines = refused({"size": "dev", "web": {"environment": own}})
    assert [line.split(":")[1] for line in lines] == [f"web.environment.{name}" for name in names]
    lines = refused({"size": "dev", "secretEnvironment": json.dumps(own)})
    assert [line.split(":")[1] for line in lines] == [f"secretEnvironment.{name}" for name in names]


def test_enforced_domains_by_hand_shut_the_first_user_out_too() -> None:
    own = {"AUTH_DOMAINS_WITH_SSO_ENFORCEMENT": f"other.org, {HOME.upper()}"}
    keys = {
        "size": "dev",
        "bootstrap": {"userEmail": FIRST},
        "auth": {"providers": {"google": {"clientId": "id"}}},
        "authSecrets": '{"google": "x"}',
        "web": {"environment": own},
    }
    (line,) = refused(keys)
    assert line.startswith("langfuse:web.environment.AUTH_DOMAINS_WITH_SSO_ENFORCEMENT: ")


def test_a_provider_by_hand_needs_both_of_its_halves() -> None:
    keys = {"size": "dev", "auth": {"disablePassword": True}}
    one = {"web": {"environment": {"AUTH_WORKOS_CLIENT_ID": "x"}}}
    assert refused({**keys, **one}) != [], "Langfuse leaves it out without a word"
    other = {"secretEnvironment": '{"AUTH_WORKOS_CLIENT_SECRET": "x"}'}
    assert refused({**keys, **one, **other}) == []


def test_nothing_is_said_of_ways_in_where_secrets_cannot_be_read() -> None:
    settings = load_without_secrets({"size": "dev", "auth": {"disablePassword": True}})
    assert settings.auth.disable_password, "a provider may be among the secret variables"


def test_the_varied_stack_of_these_tests_lets_its_first_user_in() -> None:
    assert refused({**VARIED, "authSecrets": json.dumps(VARIED["authSecrets"])}) == []
    environment = varied().environment("web")
    assert environment["AUTH_DISABLE_SIGNUP"] == "true", "bootstrap closes the sign-up"
    linking = [
        value for name, value in environment.items() if name.endswith("_ALLOW_ACCOUNT_LINKING")
    ]
    assert "true" in linking, "nobody could sign in"


def test_a_misspelt_provider_is_told_once_and_not_as_none_at_all() -> None:
    misspelt = {"gogle": {"clientId": "g-1"}}
    auth = {"disablePassword": True, "providers": misspelt}
    lines = refused({"size": "dev", "auth": auth})
    assert len(lines) == 1, lines
    assert lines[0].startswith("langfuse:auth.providers.gogle: ")
