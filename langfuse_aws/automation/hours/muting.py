"""Mutes the stack's alarms while it is paused, as the mute rules of its hours do at night.

The rule is of this stack and of no state: the next pause uses it again. It ends by itself.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import error_code
from langfuse_aws.graph.model import Resource
from langfuse_aws.settings.hours import MUTED_AFTER_WAKING, Hours, Mute

RULE: Final = "aws:cloudwatch/alarmMuteRule:AlarmMuteRule"
AFTER_WAKING: Final = timedelta(minutes=MUTED_AFTER_WAKING)
AHEAD: Final = timedelta(minutes=2)
"""When a rule begins, which is of whole minutes, and must be to come. No alarm is that quick."""

AT: Final = "at(%Y-%m-%dT%H:%M)"
LONGEST: Final = timedelta(days=15)
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Schedule.html"""


@dataclass(frozen=True)
class Muting:
    """The rule of a pause, and the alarms that it mutes."""

    cloudwatch: Any
    name: str
    alarms: Mapping[str, Any]
    """As the rules of the hours have them."""

    @classmethod
    def of(cls, prefix: str, resources: Iterable[Resource], cloudwatch: Any) -> "Muting | None":
        """Find the alarms that its hours mute. None: the stack has none."""
        rules = [each for each in resources if each.type == RULE and not each.replaced]
        if not rules:
            return None
        names = rules[0].outputs["muteTargets"]["alarmNames"]
        return cls(cloudwatch, f"{prefix}-paused", {"AlarmNames": names})

    def begin(self, hours: Hours, now: datetime) -> None:
        """Mute them until the schedule has woken the stack, and an hour. Once is enough."""
        end = hours.next_time(hours.begins, now).astimezone(timezone.utc) + AFTER_WAKING
        found = self._found()
        if found is not None and found["ExpireDate"] >= end:
            return
        begin = now.astimezone(timezone.utc).replace(second=0, microsecond=0) + AHEAD
        if found is not None:
            # Without a gap, in which what is on would tell.
            earlier = datetime.strptime(found["Rule"]["Schedule"]["Expression"], AT)
            earlier = earlier.replace(tzinfo=timezone.utc)
            begin = earlier if end - earlier <= LONGEST else begin
        minutes = int((end - begin).total_seconds() // 60)
        schedule = {
            "Expression": begin.strftime(AT),
            "Duration": Mute(hours.ends, minutes).duration,
            "Timezone": "UTC",
        }
        self._put({"Schedule": schedule}, end)

    def end(self, now: datetime) -> None:
        """Let them speak in an hour: what is not well by then tells."""
        found = self._found()
        if found is not None:
            self._put(found["Rule"], now + AFTER_WAKING)

    def _put(self, rule: Mapping[str, Any], end: datetime) -> None:
        self.cloudwatch.put_alarm_mute_rule(
            Name=self.name,
            Description="Asleep: pause",
            Rule=rule,
            MuteTargets=self.alarms,
            ExpireDate=end,
        )

    def _found(self) -> Mapping[str, Any] | None:
        """The rule, if it mutes still."""
        try:
            found = self.cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=self.name)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return None
        return None if found["Status"] == "EXPIRED" else found
