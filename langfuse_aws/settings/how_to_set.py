"""How a setting gets a value: by Pulumi's commands, or by the program that gives the settings.

The lines of errors say what must be set; this says how, in the words of whoever reads them.
"""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any, Final

from langfuse_aws.settings.wording import shown

_STEP: Final = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class HowToSet:
    """Phrases that stand after `set it`, with `{path}`, a key below `langfuse:`, and `{value}`."""

    plain: str
    for_secrets: str
    remove: str | None = None
    """Stands after `remove it`; None: whoever sets a value anew has removed the old one."""

    def it(self, path: str, value: str = "VALUE") -> str:
        """How to set a plain key."""
        return self.plain.format(path=path, value=value)

    def secretly(self, path: str, value: str = "VALUE") -> str:
        """How to set a secret key."""
        return self.for_secrets.format(path=path, value=value)

    def provider_key(self, key: str, value: str) -> str:
        """How to set a key of another namespace."""
        return "in settings" if self.remove is None else f"with pulumi config set {key} {value}"

    def anew(self, path: str, what: str = "it", below: str = "") -> str:
        """How to set a key that has a value of another shape, or what belongs `below` it."""
        if self.remove is None:
            return f"set it {self.it(path)}"
        removed = self.remove.format(path=path)
        return f"remove it {removed}, then set {what} {self.it(path + below)}"

    def undotted(self, path: str, value: Any, *, hidden: bool) -> tuple[str, str]:
        """Why there is a key with a dot or a bracket in its name, and how to set what was meant."""
        if self.remove is None:
            meant: Any = "…" if hidden else value
            for step in reversed(_STEP.findall(path)):
                meant = [meant] if step.isdigit() else {step: meant}
            return "", f"write it as {json.dumps(meant, default=str, ensure_ascii=False)}"
        command = self.it(path, "VALUE" if hidden else _argument(value))
        return ", as pulumi config set writes it without --path", (
            f"mend it with pulumi config rm 'langfuse:{path}' and {command.removeprefix('with ')}"
        )


IN_CONFIGURATION: Final = HowToSet(
    plain="with pulumi config set --path 'langfuse:{path}' {value}",
    for_secrets="with pulumi config set --secret langfuse:{path} {value}",
    remove="with pulumi config rm --path 'langfuse:{path}'",
)
IN_SETTINGS: Final = HowToSet(plain="in settings", for_secrets="in secrets")
"""The arguments of `langfuse_aws.automation.stack.LangfuseStack`."""


def _argument(value: Any) -> str:
    """A value as a shell's argument; `VALUE` for one that is long, has parts, or a password."""
    text = json.dumps(value, default=str)
    if isinstance(value, dict | list) or value is None or shown(value) != text:
        return "VALUE"
    return shlex.quote(value if isinstance(value, str) else text)
