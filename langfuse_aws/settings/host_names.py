"""Host names and domains, and what people write in their place."""

import re
from typing import Annotated, Final

from langfuse_aws.settings.section import Form

LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN: Final = rf"({LABEL}\.)+[a-z]{{2,63}}"
HOST: Final = rf"({LABEL}\.)*{LABEL}"

MOST_CHARACTERS: Final = 253
"""Of a name: 255 octets with the lengths of its labels. https://www.rfc-editor.org/rfc/rfc1035"""


def instead(value: str) -> tuple[str, str] | None:
    """What a text is that holds a host name, and the name alone; None if it holds none."""
    problems = (
        ("://" in value, "is a URL, and must be a host name"),
        ("/" in value, "has a path, and must be a host name"),
        (re.search(r":[0-9]*$", value), "has a port, and must be a host name"),
        (value.endswith("."), "ends with a dot"),
        (value.lower() != value, "has capital letters, and ours have none"),
    )
    bare = re.sub(r"^\w+://|[/?#].*$", "", value, flags=re.DOTALL)
    name = re.sub(r":[0-9]*$", "", bare).rstrip(".").lower()
    if not re.fullmatch(HOST, name):
        return None
    return next(((bound, f"write {name}") for found, bound in problems if found), None)


def _domain(value: str) -> tuple[str, str] | None:
    """What is wrong with the name that users open."""
    if found := instead(value):
        return found
    if len(value) > MOST_CHARACTERS:
        return f"has {len(value)} characters, and DNS allows {MOST_CHARACTERS}", "shorten it"
    if re.fullmatch(rf"{LABEL}\.[a-z]{{2,63}}", value):
        return (
            "is a zone's own name: the program makes its record in the zone above, which is not "
            "yours",
            f"put a name before it, such as langfuse.{value}",
        )
    return None


Domain = Annotated[
    str, Form(f"^{DOMAIN}$", "must be a domain, such as example.com", "write the domain", instead)
]
HostName = Annotated[
    str,
    Form(
        f"^{HOST}$",
        "must be a host name or an IPv4 address",
        "write it alone, without scheme, port and path",
        instead,
    ),
]
DomainBelowZone = Annotated[
    str,
    Form(
        rf"^(?=.{{1,{MOST_CHARACTERS}}}$)({LABEL}\.){{2,}}[a-z]{{2,63}}$",
        "must be a host name below a zone, such as langfuse.example.com",
        "write it in lower case, without scheme and path; what is not ASCII as xn--…",
        _domain,
    ),
]
