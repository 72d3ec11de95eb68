"""The simulation of a day agrees with what can be reckoned by hand."""

import pytest

from benchmarks.cluster_simulation import DAY_S, Work, read_metrics, simulate

METRICS = """# TYPE shipdet_stage_seconds summary
shipdet_stage_seconds_sum{stage="fetch"} 20
shipdet_stage_seconds_count{stage="fetch"} 10
shipdet_stage_seconds_sum{stage="load"} 5
shipdet_stage_seconds_count{stage="load"} 10
shipdet_stage_seconds_sum{stage="all"} 85
shipdet_stage_seconds_count{stage="all"} 10
"""


def test_stage_times_come_from_the_metrics():
    assert read_metrics(METRICS) == Work(fetch_s=2.0, compute_s=6.0)
    with pytest.raises(SystemExit, match="run some jobs"):
        read_metrics("")


def test_a_lonely_area_takes_as_long_as_its_blocks():
    alone = simulate(1, 1, Work(2, 6), lanes=4, connections=4)
    assert alone.median_s == pytest.approx(8)
    spread = simulate(1, 8, Work(2, 6), lanes=8, connections=8)
    assert spread.median_s == pytest.approx(8), "blocks run side by side"
    queued = simulate(1, 8, Work(2, 6), lanes=1, connections=8)
    assert queued.median_s == pytest.approx(64)


def test_use_is_work_over_what_there_is():
    day = simulate(1000, 2, Work(2, 6), lanes=4, connections=2)
    assert day.lanes_used == pytest.approx(1000 * 2 * 8 / (4 * DAY_S))
    assert day.connections_used == pytest.approx(1000 * 2 * 2 / (2 * DAY_S))


def test_more_lanes_do_not_help_where_connections_are_the_limit():
    few, many = (simulate(30_000, 1, Work(10, 1), n, 2).median_s for n in (8, 64))
    assert few == pytest.approx(many, rel=0.05) and many > 1000
    assert simulate(30_000, 1, Work(10, 1), 64, 8).median_s < many / 10
