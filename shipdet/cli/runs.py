"""``shipdet runs``: list, show, export, compare and delete finished runs."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from shipdet.cli.parameters import AsJson, RunName, Save, given, ship_in_words, typed
from shipdet.cli.serving import review
from shipdet.errors import BadOption
from shipdet.geometry import wrap_longitude
from shipdet.options import with_options
from shipdet.report.filtering import ShipFilter
from shipdet.words import number_of

runs = typer.Typer(help="Manage the runs on disk.", rich_markup_mode="rich")
runs.command("open")(review)


@runs.command("list")
def list_(json_: AsJson = False) -> None:
    """List the runs in the runs folder, newest first.

    A run is removed when it is older than SHIPDET_RUNS_MAX_AGE_DAYS, or when the runs folder grows
    larger than SHIPDET_RUNS_MAX_GB.
    """
    from shipdet import pipeline

    found = pipeline.runs()
    if json_:
        print(json.dumps([_plain(vars(run)) for run in found], indent=1))
        return
    for run in found:
        count = "no search" if run.ships is None else number_of(run.ships, "ship")
        where = "" if run.bbox is None else f"  {_in_words(run.bbox)}"
        print(f"{run.id}  {run.created}  {count:>10s}  {run.size_mb:8.1f} MB  {run.source}{where}")


def _in_words(bbox: tuple[float, float, float, float]) -> str:
    west, south, east, north = bbox
    west, east = wrap_longitude([west, east]).tolist()
    return ", ".join(f"{side:.4f}" for side in (west, south, east, north))


@runs.command()
@with_options(ShipFilter, style=typed)
def show(run: RunName, save: Save = None, json_: AsJson = False, **options: Any) -> None:
    """Show a run's ships, or save them with --save; filter options select some of them.

    [bold]Examples[/bold]

    shipdet runs show 20260301-101500-a1b2c3 --save ships.gpkg

    shipdet runs show harbor --min-length 100 --cut without --save long.gpkg
    """
    from shipdet import pipeline
    from shipdet.report import vector

    found = pipeline.find_run(run).filtered(**given(options))
    table = found.detections
    if save is not None:
        found.save(save)
    if json_:
        record = found.record
        if found.filter.given:
            ships = [vector.properties(ship) for ship in table]
            record = record | {
                "filter": found.filter.given, "ships": len(ships), "detections": ships,
            }  # fmt: skip
        print(json.dumps({"folder": str(found.folder), **record}))
        return
    selected = " (filtered)" if found.filter.given else ""
    print(f"{number_of(len(table), 'ship')} above {found.threshold:g}{selected} in {found.folder}")
    for ship in table:
        print(ship_in_words(ship))
    if save is not None:
        print(f"saved to {save}")


@runs.command()
@with_options(ShipFilter, style=typed)
def report(
    run: RunName,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The HTML file.")
    ] = None,
    **options: Any,
) -> None:
    """Write a page with the image, a map, the table and the provenance of a run."""
    from shipdet import pipeline

    print(pipeline.find_run(run).filtered(**given(options)).report(out))


@runs.command()
@with_options(ShipFilter, style=typed)
def bundle(
    run: RunName,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The ZIP.")] = None,
    **options: Any,
) -> None:
    """Pack a run's files into a ZIP, without its full-size images."""
    from shipdet import pipeline

    print(pipeline.write_bundle(pipeline.find_run(run).filtered(**given(options)), out))


@runs.command()
def delete(names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids.")]) -> None:
    """Delete runs with all their files."""
    from shipdet import pipeline

    for name in names:
        pipeline.delete_run(name)


@runs.command()
def rename(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id.")],
    name: Annotated[str, typer.Argument(help="New name; the date stays in the id.")],
) -> None:
    """Rename a run."""
    from shipdet import pipeline

    print(pipeline.rename_run(run, name).id)


@runs.command()
def compare(
    earlier: Annotated[str, typer.Argument(help="A run's id, or its folder.")],
    later: Annotated[str, typer.Argument(help="A later run of the same place.")],
    save: Save = None,
    json_: AsJson = False,
) -> None:
    """Show which ships stayed, arrived and left between two runs.

    [bold]Example[/bold]

    shipdet runs compare monday tuesday --save changes.gpkg
    """
    from shipdet import pipeline
    from shipdet.report import vector

    if earlier == later:
        raise BadOption("Give two different runs to compare.")
    changes = pipeline.compare(pipeline.find_run(earlier), pipeline.find_run(later))
    if save is not None:
        changes.save(save)
    if json_:
        ships = [{"change": what, **vector.properties(ship)} for what, ship in changes.rows()]
        print(json.dumps({**changes.counts, "outside": changes.outside, "ships": ships}))
        return
    if changes.outside:
        print(f"{number_of(changes.outside, 'ship')} outside the other image.", file=sys.stderr)
    print(", ".join(f"{count} {what}" for what, count in changes.counts.items()))
    for what, ship in changes.rows():
        if what != "stayed":
            print(f"{what:8s}  {ship.score:6.1%}  {ship.length_m:5.0f} m long")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: str(v) if isinstance(v, Path) else v for key, v in values.items()}
