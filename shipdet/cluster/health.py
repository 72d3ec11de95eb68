"""Which engines can be reached, and the cluster's figures as Prometheus text."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from shipdet.cluster.broker import check_broker
from shipdet.cluster.database import NO_TABLES, Database
from shipdet.cluster.listing import figures
from shipdet.cluster.objects import ObjectStore
from shipdet.cluster.store import Store
from shipdet.errors import EngineUnreachable, ShipdetError
from shipdet.settings import Settings

WAIT_S = 3.0


@dataclass(frozen=True)
class Engine:
    """One engine: whether it answers, and if not what to do."""

    name: str
    reachable: bool
    reason: str = ""


def engines(settings: Settings) -> list[Engine]:
    """Ask every engine once; one that is not configured but optional is left out."""
    checks: dict[str, Callable[[], None]] = {
        "PostgreSQL": lambda: _check_database(settings),
        "Kafka": lambda: check_broker(settings, WAIT_S),
        "S3": lambda: ObjectStore(settings, repeats=0).check(),
    }
    if settings.spark_master_ui:
        checks["Spark master"] = lambda: _ask("Spark master", f"{settings.spark_master_ui}/json/")
    if settings.spark_history:
        checks["History server"] = lambda: _ask(
            "history server", f"{settings.spark_history}/api/v1/applications?limit=1"
        )
    return [_checked(name, check) for name, check in checks.items()]


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


def _checked(name: str, check: Callable[[], None]) -> Engine:
    try:
        check()
    except ShipdetError as error:
        return Engine(name, False, str(error))
    return Engine(name, True)


def _check_database(settings: Settings) -> None:
    database = Database(settings.postgres, patience_s=0.0)
    try:
        found = database.rows("SELECT to_regclass('jobs') IS NOT NULL AS made")
    finally:
        database.close()
    if not found[0]["made"]:
        raise EngineUnreachable(NO_TABLES)


def _ask(name: str, address: str) -> None:
    try:
        httpx.get(address, timeout=3 * WAIT_S).raise_for_status()
    except httpx.HTTPError as error:
        raise EngineUnreachable(f"The {name} does not answer at {address}.") from error
