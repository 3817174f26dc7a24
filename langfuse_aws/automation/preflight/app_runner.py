"""Check of `preflight` on App Runner: is it in the region, and may the account still use it.

AWS tells nobody whether an account is a customer of App Runner; one with a service is.
"""

from collections.abc import Iterator
from typing import Final

from langfuse_aws.automation.aws.answers import NewStack, Result, failed, ok, unknown
from langfuse_aws.settings.app_runner import HOSTED_ZONES

APP_RUNNER: Final = "app runner"

CLOSED: Final = (
    "there is no App Runner service here, and since 2026-04-30 App Runner takes no new customers."
)


def check_app_runner(stack: NewStack) -> Iterator[Result]:
    """Whether a service can be made."""
    fargate = f"pulumi config set --path langfuse:web.platform fargate --stack {stack.name}"
    if stack.region not in HOSTED_ZONES:
        yield failed(
            APP_RUNNER,
            f"langfuse:web.platform: appRunner: App Runner is not in {stack.region}. It is in "
            f"{', '.join(sorted(HOSTED_ZONES))}.",
            f"{fargate}, or choose another region.",
        )
        return
    if stack.aws("apprunner").list_services()["ServiceSummaryList"]:
        yield ok(APP_RUNNER, "the account is a customer: it has services here")
    else:
        yield unknown(APP_RUNNER, CLOSED, f"If the account never had one in any region: {fargate}.")
