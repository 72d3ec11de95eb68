"""The cluster's figures as Prometheus text."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.core import SummaryMetricFamily as Summary
from prometheus_client.registry import Collector

from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.queries import Figures, figures

#: Counters: the name in the database and in the metrics, the label, what is counted.
COUNTERS = (
    ("jobs", "jobs_ended", "status", "Jobs that ended, by how; a job that is retried ends again."),
    ("blocks", "blocks_done", "", "Blocks that were searched."),
    ("ships", "ships", "", "Ships of completed jobs."),
    ("dead_letters", "dead_letters", "kind", "Messages refused and jobs failed."),
    ("tiles", "tiles", "source", "Map tiles, by where they came from."),
)


def metrics(store: Store) -> str:
    """Render jobs, blocks, ships, dead letters, tiles and seconds per stage.

    Gauges count the rows that are there. Counters count events since the tables were made and
    never fall, whatever :mod:`~shipdet.cluster.store.retention` removes.

    Returns:
        Text in Prometheus' exposition format.

    Raises:
        EngineUnreachable: The database does not answer or has no tables.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(figures(store)))
    return generate_latest(registry).decode()


class _Figures(Collector):
    def __init__(self, found: Figures) -> None:
        self.found = found

    def collect(self) -> Iterator[Metric]:
        for name, rows in (("jobs", self.found.jobs), ("blocks", self.found.blocks)):
            about = f"{name.capitalize()} in the database, by status."
            gauge = GaugeMetricFamily(f"shipdet_{name}", about, labels=["status"])
            for status, count in rows.items():
                gauge.add_metric([status], count)
            yield gauge
        for key, name, label, about in COUNTERS:
            counted = self.found.counters.get(key, {})
            counter = CounterMetricFamily(
                f"shipdet_{name}", about, labels=[label] if label else None
            )
            for value, total in (counted if label else {"": 0.0} | counted).items():
                counter.add_metric([value] if label else [], total)
            yield counter
        about = "Seconds that blocks took, by stage."
        summary = Summary("shipdet_stage_seconds", about, labels=["stage"])
        times = self.found.counters.get("stage_count", {})
        for stage, seconds in self.found.counters.get("stage_seconds", {}).items():
            summary.add_metric([stage], int(times[stage]), seconds)
        yield summary
