"""Command-line options made from the definitions in :mod:`shipdet.requests`."""

import re
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shipdet.detections import Detection
from shipdet.errors import BadArea, ShipdetError
from shipdet.geometry import four_numbers
from shipdet.options import group
from shipdet.requests import Search

#: Flags that differ from the name of their field.
FLAGS = {
    "image_format": "--format",
    "gsd_m": "--gsd",
    "min_length_m": "--min-length",
    "max_length_m": "--max-length",
}

Box = Annotated[
    tuple[str, str, str, str] | None,
    typer.Option(
        "--bbox",
        metavar="WEST SOUTH EAST NORTH",
        help="Area in degrees.",
        rich_help_panel="Imagery",
    ),
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="New or empty folder for the results.",
        rich_help_panel="Results",
    ),
]
Save = Annotated[
    Path | None,
    typer.Option(
        "--save",
        metavar="FILE",
        help="Also write the ships to a file; its suffix, such as .gpkg, selects the format.",
        rich_help_panel="Results",
    ),
]


_OPTION = re.compile(r"--([a-z]|$)|-h$")
_NUMBER = re.compile(r"[-+]?[\d.][-+\d.,eE]*")


class PartFailed(ShipdetError):
    """Part of the work failed; the results and the failures are already printed."""


def flag(name: str) -> str:
    """Return the flag of an option."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def ship_in_words(ship: Detection) -> str:
    """Return a ship as a line of text."""
    where = (
        f"{ship.lat:.5f} {ship.lon:.5f}"
        if ship.lat is not None and ship.lon is not None
        else f"x {ship.x:.0f} y {ship.y:.0f}"
    )
    verdict = f"  {ship.review}" if ship.review else ""
    doubt = "" if ship.raw_support in (None, True) else "  not seen in the raw image"
    return (
        f"{ship.id:4d}  {ship.score:6.1%}  {where}  {ship.length_m:5.0f} m long  "
        f"{ship.axis_deg:3.0f}°{'  cut by the edge' if ship.cut else ''}{doubt}{verdict}"
    )


def typed(name: str, field: FieldInfo) -> tuple[Any, Any]:
    """Convert a field to an option with the default None."""
    kind = field.annotation
    text = f"{field.description[:1].upper()}{field.description[1:]}" if field.description else ""
    if kind is not bool and field.default not in (None, "", 0):
        text += f" (default: {field.default})"
    off = f"/--no-{flag(name)[2:]}" if field.default is True else ""
    option = typer.Option(flag(name) + off, help=f"{text}.", rich_help_panel=group(field))
    if kind is bool:
        return Annotated[bool | None, option], None
    if get_origin(kind) is Literal:
        choices = tuple(choice for choice in get_args(kind) if choice)
        return Annotated[Literal[choices] | None, option], None
    plain: Any = next((arg for arg in get_args(kind) if arg is not type(None)), kind)
    return Annotated[plain | None, option], None


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that the user gave."""
    return {name: value for name, value in options.items() if value is not None}


def search_of(options: dict[str, Any]) -> Search:
    """Return the validated search options of a command."""
    return Search.check(**fields_of(Search, options))


def fields_of(model: type[BaseModel], options: dict[str, Any]) -> dict[str, Any]:
    """Return the given options that are fields of a model."""
    return {name: value for name, value in given(options).items() if name in model.model_fields}


def box_of(bbox: tuple[str, ...] | None) -> list[float]:
    """Return west, south, east and north, not yet checked as an area.

    Raises:
        BadArea: No area was given, or it is not four numbers.
    """
    if bbox is None:
        raise BadArea("Give an area with --bbox WEST SOUTH EAST NORTH.")
    return list(four_numbers(" ".join(bbox)))


def with_box(arguments: list[str]) -> list[str]:
    """Return the arguments with the four numbers of --bbox as four words.

    They may be one word with commas. Typer only counts words: it would read an option as the fourth
    number, and a fifth number as an image.

    Raises:
        BadArea: They are not four numbers.
    """
    for index, argument in enumerate(arguments):
        name, _, first = argument.partition("=")
        if name != "--bbox":
            continue
        rest = takewhile(lambda word: not _OPTION.match(word), arguments[index + 1 :])
        words = [*filter(None, [first]), *rest]
        typed, numbers = 0, list[str]()
        while typed < len(words) and (len(numbers) < 4 or _NUMBER.fullmatch(words[typed])):
            numbers += words[typed].replace(",", " ").split()
            typed += 1
        four_numbers(" ".join(numbers))
        after = index + 1 + typed - bool(first)
        return [*arguments[:index], "--bbox", *numbers, *arguments[after:]]
    return arguments
