"""The model behind `simulate-spike`: the queue, the tasks, and target tracking.

It proves that the model does what docs/scaling.md says it does, on cases worked out by hand. It
does not prove that AWS or Langfuse behave so: nobody here could measure them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from langfuse_aws.automation.spike.arrivals import SPIKE_STARTS, spiky
from langfuse_aws.automation.spike.inputs import Inputs
from langfuse_aws.automation.spike.model import Second, simulate, totals
from langfuse_aws.automation.spike.scaling import Autoscaling, Metric, ScaleOn

INPUTS = Inputs(minutes=60)
ONE_TASK = replace(INPUTS, min_tasks=1, max_tasks=1, service_rate=2)

both = pytest.mark.parametrize("scale_on", ["cpu", "backlog"])


def desired(scaling: Autoscaling, datapoints: Iterable[Mapping[Metric, float]]) -> list[int]:
    """What it asks for after each datapoint of a minute."""
    found: list[int] = []
    for number, each in enumerate(datapoints, start=1):
        scaling.see(60 * number, each)
        found.append(scaling.desired)
    return found


def cpu_only(inputs: Inputs = INPUTS) -> Autoscaling:
    return Autoscaling(inputs, "cpu")


def minute(cpu: float, lag: float) -> Mapping[Metric, float]:
    return {"cpu": cpu, "lag": lag}


def cpu(*percent: float) -> list[Mapping[Metric, float]]:
    return [minute(each, 0) for each in percent]


# --- the queue


@both
@pytest.mark.parametrize("busy_cpu", [40, 80])
def test_no_job_is_lost_or_made(scale_on: ScaleOn, busy_cpu: float) -> None:
    inputs = replace(INPUTS, busy_cpu=busy_cpu, service_rate=7.3)
    arrived = served = 0.0
    for each in simulate(inputs, spiky(inputs), scale_on):
        arrived += each.arrived
        served += each.served
        assert arrived == pytest.approx(served + each.backlog)  # pyright: ignore[reportUnknownMemberType]
        assert each.served <= each.running * inputs.service_rate
        assert 2 <= each.running <= 8
        assert 2 <= each.desired <= 8


def test_the_lag_is_the_age_of_the_oldest_job_that_waits() -> None:
    run = simulate(ONE_TASK, [10, 0, 0, 0, 0, 3, 4, 0, 0, 0], "cpu")
    assert [each.backlog for each in run] == [8, 6, 4, 2, 0, 1, 3, 1, 0, 0]
    # At the end of the eighth second the job that came in the seventh is at most two seconds old.
    assert [each.lag for each in run] == [1, 2, 3, 4, 0, 1, 1, 2, 0, 0]


def test_a_queue_that_keeps_up_has_no_lag() -> None:
    run = simulate(ONE_TASK, [2.0] * 100, "cpu")
    assert {(each.backlog, each.lag, each.served) for each in run} == {(0, 0, 2)}


# --- the tasks


def test_a_task_works_after_its_start_and_not_before() -> None:
    run = simulate(INPUTS, spiky(INPUTS), "backlog")
    decided = next(second for second, each in enumerate(run) if each.desired > 2)
    works = next(second for second, each in enumerate(run) if each.running > 2)
    # 30 of 50 jobs a second are left over, so the lag is above 60 s at the look at 110 s; the one
    # at 120 s is the second.
    assert decided == SPIKE_STARTS + 120 + INPUTS.log_delay
    assert works == decided + INPUTS.start_delay
    assert run[works].served == run[works].running * INPUTS.service_rate == 60


def test_a_task_that_is_not_needed_any_more_stops() -> None:
    run = simulate(INPUTS, spiky(INPUTS), "backlog")
    assert max(each.running for each in run) == 8
    assert (run[-1].desired, run[-1].running) == (2, 2)


def test_a_task_that_is_not_needed_before_it_has_started_never_works() -> None:
    inputs = replace(INPUTS, start_delay=3000, spike_minutes=3, minutes=90)
    run = simulate(inputs, spiky(inputs), "backlog")
    assert max(each.desired for each in run) > 2
    assert run[-1].desired == 2
    assert {each.running for each in run} == {2}


# --- the steps on lag


def steps(lags: Iterable[float], inputs: Inputs = INPUTS) -> list[int]:
    """What it asks for after each look of the probe."""
    scaling, found = Autoscaling(inputs, "backlog"), list[int]()
    for number, lag in enumerate(lags, start=1):
        scaling.see_lag(10 * number, lag)
        found.append(scaling.desired)
    return found


def test_two_of_three_looks_above_the_target_scale_out_in_one_step() -> None:
    assert steps([61, 61]) == [2, 6]
    assert steps([61, 0, 61]) == [2, 2, 6]
    assert steps([61, 0, 0, 61]) == [2, 2, 2, 2]
    assert steps([60, 60, 60]) == [2, 2, 2], "the target is no breach of it"


def test_the_step_grows_with_the_lag_and_ends_at_the_most() -> None:
    most = replace(INPUTS, max_tasks=50)
    for lag, tasks in ((61, 6), (119, 6), (120, 10), (239, 10), (240, 18)):
        assert steps([lag, lag], most)[-1] == tasks, lag
    assert steps([240, 240])[-1] == INPUTS.max_tasks


def test_an_alarm_that_lasts_calls_every_minute_and_in_the_cooldown_only_for_more() -> None:
    most = replace(INPUTS, max_tasks=50)
    found = steps([70] * 7 + [130] * 12 + [70] * 8, most)
    assert found[:7] == [2] + [6] * 6
    # The second call is a minute after the first, from the 2 tasks before it.
    assert found[7] == 10
    assert found[-1] == 30, "after the cooldown of three minutes it starts from those that run"


def test_an_alarm_that_ended_begins_anew() -> None:
    most = replace(INPUTS, max_tasks=50, lag_scale_out_cooldown=0)
    assert steps([70, 70, 0, 0, 70, 70], most) == [2, 6, 6, 6, 6, 18]


def test_with_cpu_alone_the_lag_does_nothing() -> None:
    scaling = cpu_only()
    for number in range(1, 100):
        scaling.see_lag(10 * number, 9000)
    assert scaling.desired == 2


@pytest.mark.parametrize("times", [2, 3, 5, 8])
def test_a_spike_of_any_size_gets_its_first_task_within_a_minute_of_the_target(times: int) -> None:
    inputs = replace(INPUTS, spike=10 * times)
    run = simulate(inputs, spiky(inputs), "backlog")
    passed = next((second for second, each in enumerate(run) if each.lag > inputs.max_lag), None)
    if times == 2:
        assert passed is None, "two tasks keep up with twice the base"
        return
    assert passed is not None
    decided = next(second for second, each in enumerate(run) if each.desired > 2)
    assert 0 < decided - passed <= 60


def test_the_fivefold_spike_is_within_its_bounds() -> None:
    inputs = Inputs()
    lag, cpu_alone = (
        totals(simulate(inputs, spiky(inputs), scale_on), inputs, 0)
        for scale_on in ("backlog", "cpu")
    )
    assert lag.peak_lag_seconds <= 150
    assert lag.drain_seconds <= cpu_alone.drain_seconds / 3


# --- target tracking


def test_the_third_datapoint_above_the_target_scales_out_and_no_earlier_one() -> None:
    assert desired(cpu_only(), cpu(60, 60, 60)) == [2, 2, 3]


def test_a_datapoint_at_the_target_starts_the_count_again() -> None:
    assert desired(cpu_only(), cpu(60, 60, 50, 60, 60, 60)) == [2, 2, 2, 2, 2, 3]


def test_a_step_is_in_proportion_and_ends_at_the_most() -> None:
    assert desired(cpu_only(), cpu(100, 100, 100, 100, 100)) == [2, 2, 4, 8, 8]
    scaling = Autoscaling(INPUTS, "backlog")
    assert desired(scaling, [minute(0, 210)] * 3) == [2, 2, 7]


def test_in_the_cooldown_only_a_larger_step_goes_further() -> None:
    inputs = replace(INPUTS, scale_out_cooldown=150)
    # At 180 s 3, from 2. At 300 s 4, from the 2 before it, and the cooldown begins again. At 480 s
    # it is over: 5, from 4.
    steps = desired(cpu_only(inputs), cpu(60, 60, 60, 60, 100, 75, 75, 60))
    assert steps == [2, 2, 3, 3, 4, 4, 4, 5]


def test_the_fifteenth_low_datapoint_scales_in_and_no_earlier_one() -> None:
    scaling = cpu_only()
    scaling.desired = 8
    assert desired(scaling, cpu(*[20] * 15)) == [8] * 14 + [4]


def test_scaling_in_begins_below_nine_tenths_of_the_target() -> None:
    scaling = cpu_only(replace(INPUTS, max_tasks=20))
    scaling.desired = 20
    assert set(desired(scaling, cpu(*[45] * 30))) == {20}, "45 is 90 % of 50, and not below"
    assert desired(scaling, cpu(*[44.9] * 15))[-1] == 18


def test_no_task_goes_if_the_rest_would_be_above_the_target() -> None:
    scaling = cpu_only()
    scaling.desired = 8
    assert set(desired(scaling, cpu(*[44] * 30))) == {8}, "44 % of 8 tasks are 50.3 % of 7"


def test_scaling_in_pauses_for_its_cooldown_and_ends_at_the_least() -> None:
    scaling = cpu_only()
    scaling.desired = 8
    steps = desired(scaling, cpu(*[20] * 30))
    assert steps == [8] * 14 + [4] * 5 + [2] * 11


def test_two_policies_scale_in_only_when_both_agree() -> None:
    scaling = Autoscaling(INPUTS, "backlog")
    scaling.desired = 8
    assert set(desired(scaling, [minute(46, 0)] * 30)) == {8}
    assert set(desired(scaling, [minute(10, 57)] * 30)) == {8}
    assert desired(scaling, [minute(10, 0)] * 15)[-1] == 2


def test_two_policies_scale_in_to_the_larger_count_and_pause_for_the_longer_cooldown() -> None:
    scaling = Autoscaling(INPUTS, "backlog")
    scaling.desired = 8
    steps = desired(scaling, [minute(30, 0)] * 15 + [minute(20, 0)] * 15)
    assert steps == [8] * 14 + [5] * 15 + [2], "900 s are 15 minutes"


def test_either_of_two_policies_scales_out() -> None:
    for high in (minute(60, 0), minute(0, 61)):
        scaling = Autoscaling(INPUTS, "backlog")
        assert desired(scaling, [high] * 3)[-1] == 3


# --- what follows


@pytest.mark.parametrize("busy_cpu", [20, 50])
def test_cpu_alone_never_adds_a_task_while_a_busy_one_stays_below_the_target(
    busy_cpu: float,
) -> None:
    inputs = replace(INPUTS, busy_cpu=busy_cpu, spike=1000, spike_minutes=50)
    assert {each.desired for each in simulate(inputs, spiky(inputs), "cpu")} == {2}
    assert max(each.desired for each in simulate(inputs, spiky(inputs), "backlog")) == 8


def test_cpu_alone_adds_tasks_when_a_busy_one_is_above_the_target() -> None:
    inputs = replace(INPUTS, busy_cpu=51)
    assert max(each.desired for each in simulate(inputs, spiky(inputs), "cpu")) > 2


def test_the_totals_are_those_of_the_seconds() -> None:
    waits = [0, 5, 9, 0, 4, 0]
    run = [
        Second(0, 0, jobs, 2 * jobs, 2, 4 if number > 3 else 2) for number, jobs in enumerate(waits)
    ]
    found = totals(run * 600, INPUTS, usd_per_task_hour=3)
    assert (found.peak_backlog_jobs, found.peak_lag_seconds, found.most_tasks) == (9, 18, 2)
    assert (found.drain_seconds, found.drained, found.first_scale_out_second) == (2, True, 4)
    assert (found.task_hours, found.usd) == (1600 * 6 / 3600, 1600 * 6 / 1200)


def test_a_queue_that_does_not_drain_in_time_says_so() -> None:
    run = simulate(ONE_TASK, [3.0] * 50, "cpu")
    found = totals(run, ONE_TASK, 0)
    assert (found.drained, found.drain_seconds, found.first_scale_out_second) == (False, 50, None)
