"""Takes secrets out of text before anybody sees or stores it."""

import json
import logging
from collections.abc import Iterable
from typing import Any

from langfuse_aws.graph.model import SECRET

_SHORTEST = 4
"""Shorter values occur in ordinary words by chance."""


class Redaction(logging.Filter):
    """Replaces known secrets. As a filter of a logger or handler, it does so with every record.

    It knows what it is given. What the program generates, such as passwords, the engine itself
    knows as secrets and never prints.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the values; those of fewer than four characters are passed over."""
        super().__init__()
        found = {each for each in secrets if len(each) >= _SHORTEST}
        escaped = {json.dumps(each)[1:-1] for each in found}
        # The longest first, since one may be part of another.
        self._secrets = sorted(found | escaped, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, SECRET)
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a log record; none is dropped."""
        record.msg, record.args = self.text(record.getMessage()), None
        if record.exc_info:
            text: Any = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_text = self.text(text)
        return True
