"""The cluster's figures as Prometheus text."""

from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.queries import figures


def metrics(store: Store) -> str:
    """Jobs, blocks, ships, dead letters, tiles and seconds per stage in Prometheus' text format."""
    found = figures(store)
    lines: list[str] = []

    def add(name: str, kind: str, about: str, values: list[tuple[str, float]]) -> None:
        lines.append(f"# HELP shipdet_{name} {about}")
        lines.append(f"# TYPE shipdet_{name} {kind}")
        lines.extend(f"shipdet_{name}{label} {value:g}" for label, value in values)

    def counted(key: str, label: str) -> list[tuple[str, float]]:
        return [(f'{{{label}="{row[label]}"}}', float(row["n"])) for row in found[key]]

    add("jobs", "gauge", "Jobs by status.", counted("jobs", "status"))
    add("blocks", "gauge", "Blocks by status.", counted("blocks", "status"))
    add("ships", "gauge", "Ships of completed jobs.", [("", float(found["ships"][0]["n"]))])
    add("dead_letters", "counter", "Messages and jobs that came to nothing.",
        counted("letters", "kind"))  # fmt: skip
    add("tiles", "counter", "Map tiles by where they came from.", counted("tiles", "how"))
    stages = [(f'{{stage="{row["stage"]}"}}', row) for row in found["stages"]]
    lines.append("# HELP shipdet_stage_seconds Seconds that blocks took, by stage.")
    lines.append("# TYPE shipdet_stage_seconds summary")
    for label, row in stages:
        lines.append(f"shipdet_stage_seconds_sum{label} {row['seconds']:g}")
        lines.append(f"shipdet_stage_seconds_count{label} {row['n']:g}")
    return "\n".join(lines) + "\n"
