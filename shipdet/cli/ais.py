"""``shipdet ais``, and the output of ``shipdet detect --ais``."""

import json
import sys
from typing import Annotated, Any

import typer

from shipdet.cli.parameters import AsJson, RunName
from shipdet.words import number_of

File = Annotated[
    str | None,
    typer.Option(
        "--ais",
        metavar="FILE",
        help="Match the ships with an AIS file (CSV or Parquet from MarineCadastre or the Danish "
        "Maritime Authority); needs dated imagery or --acquired. 'sample' is the built-in file.",
        rich_help_panel="AIS",
    ),
]
Acquired = Annotated[
    str | None,
    typer.Option(
        "--acquired",
        metavar="TIME",
        help="Time of the image, such as 2024-05-01T10:56:00Z (default: from the imagery).",
        rich_help_panel="AIS",
    ),
]


def ais(
    run: RunName,
    file: Annotated[str, typer.Argument(help="AIS file: CSV or Parquet, optionally compressed.")],
    acquired: Acquired = None,
    json_: AsJson = False,
) -> None:
    """Match the ships of a finished run with an AIS file.

    [bold]Examples[/bold]

    shipdet ais 20240501-110000-a1b2c3 AIS_2024_05_01.zip

    shipdet ais runs/harbor aisdk-2024-05-01.csv --acquired 2024-05-01T10:56:00Z
    """
    from shipdet import pipeline

    matched = pipeline.match_ais(pipeline.find_run(run), file, acquired)
    if json_:
        print(json.dumps({"folder": str(matched.folder), **matched.record}))
        return
    for note in matched.notes:
        print(note, file=sys.stderr)
    for line in lines(matched):
        print(line)


def lines(run: Any) -> list[str]:
    """Describe a run's AIS matches, one line per ship."""
    record = run.record["ais"]
    out = [
        f"AIS at {record['acquired']}: {number_of(record['matched'], 'ship')} known, "
        f"{record['dark']} dark, {len(record['unseen'])} of the AIS file not found in the image"
    ]
    for ship in (*run.detections, *run.small_craft):
        if ship.dark:
            out.append(f"{ship.id:4d}  dark")
        else:
            out.append(f"{ship.id:4d}  {ship.mmsi} {ship.name}  {ship.ais_distance_m:.0f} m away")
    contacts = {contact["mmsi"]: contact for contact in record["contacts"]}
    for mmsi in record["unseen"]:
        contact = contacts[mmsi]
        out.append(
            f"   -  {mmsi} {contact['name']}  {contact['lat']:.5f} {contact['lon']:.5f}  no ship "
            "was found there"
        )
    return out
