"""Check whether the engines answer."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from shipdet.cluster.engines.broker import check_broker
from shipdet.cluster.engines.database import NO_TABLES, Database
from shipdet.cluster.engines.objects import ObjectStore
from shipdet.errors import EngineUnreachable, ShipdetError
from shipdet.settings import Settings

WAIT_S = 3.0


@dataclass(frozen=True)
class Engine:
    """The state of one engine.

    Attributes:
        name: Its name, for display.
        reachable: Whether it answers.
        reason: Why it does not, and what to do.
    """

    name: str
    reachable: bool
    reason: str = ""


def engines(settings: Settings) -> list[Engine]:
    """Check each configured engine once."""
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
