"""The metrics of the cluster as Prometheus text."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.core import SummaryMetricFamily as Summary
from prometheus_client.registry import Collector

from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.queries import Figures, figures

#: Counters: name in the database, name in the metrics, label, description.
COUNTERS = (
    ("jobs", "jobs_ended", "status", "Jobs that ended, by status; a retried job counts again."),
    ("blocks", "blocks_done", "", "Blocks that were searched."),
    ("ships", "ships", "", "Ships of completed jobs."),
    ("dead_letters", "dead_letters", "kind", "Refused messages and failed jobs, by kind."),
    ("tiles", "tiles", "source", "Map tiles, by source."),
)


def metrics(store: Store) -> str:
    """Return jobs, blocks, ships, dead letters, tiles and seconds per stage.

    Gauges count the current rows. Counters count events since the creation of the tables and never
    decrease, even if :mod:`~shipdet.cluster.store.retention` removes rows.

    Returns:
        Text in the exposition format of Prometheus.

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
