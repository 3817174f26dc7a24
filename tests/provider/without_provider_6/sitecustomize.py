"""Leaves out what the program sets and provider 5, which these tests run, does not know.

Python imports a module of this name when it starts, so the program itself stays as it is.
https://docs.python.org/3/library/site.html#module-sitecustomize
"""

from typing import Any, Final

ONLY_IN_6: Final = {"aws:cloudwatch/metricAlarm:MetricAlarm": "warm_up_configuration"}
"""Provider 6.64 has it."""

try:
    import pulumi
except ImportError:  # another Python than the program's
    pass
else:
    _make = pulumi.CustomResource.__init__

    def _make_without(
        self: Any, t: str, name: str, props: Any = None, *others: Any, **named: Any
    ) -> None:
        if t in ONLY_IN_6 and props is not None:
            vars(props)[ONLY_IN_6[t]] = None
        _make(self, t, name, props, *others, **named)

    setattr(pulumi.CustomResource, "__init__", _make_without)  # noqa: B010 -- not of its type
