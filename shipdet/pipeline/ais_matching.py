"""Read AIS before a search, and match it with a finished run."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from shipdet.ais import NO_DATE, NO_PLACE, Contacts, acquired_of, area_of, find_contacts
from shipdet.errors import BadAis
from shipdet.geometry import BBox
from shipdet.imagery import get_provider, sample
from shipdet.pipeline.inspecting import ImageFacts
from shipdet.report import Run, rewrite
from shipdet.requests import AreaRequest
from shipdet.settings import Settings, get_settings

#: Name of the AIS file of the built-in sample.
SAMPLE = "sample"


def ais_of_area(
    request: AreaRequest,
    file: str | Path,
    acquired: str | datetime | None = None,
    settings: Settings | None = None,
) -> Contacts:
    """Read the AIS file for a search before the imagery is downloaded.

    Args:
        request: The search. For ``sentinel2``, the STAC API determines its acquisition.
        file: See :func:`shipdet.ais.read_reports`; "sample" for the built-in sample.
        acquired: Time of the acquisition; None for dated imagery.
        settings: Replaces the settings of the environment.

    Returns:
        The ships in the file at the time of acquisition, for :func:`match_ais`.

    Raises:
        BadAis: The imagery has no date, or the file does not cover this place and time.
        ShipdetError: As for the search.
    """
    moment = acquired or _date_of(request, settings or get_settings())
    return _contacts(file, request.box, moment)


def ais_of_image(
    facts: ImageFacts, file: str | Path, acquired: str | datetime | None = None
) -> Contacts:
    """Read the AIS file for a user's image before it is searched.

    Args:
        facts: The result of :func:`shipdet.pipeline.inspect_image`.
        file: As for :func:`ais_of_area`.
        acquired: Time of the acquisition; None if the image file has it.

    Returns:
        As :func:`ais_of_area`.

    Raises:
        BadAis: The image has no georeference or no date, or the file does not cover it.
    """
    return _contacts(file, facts.bbox, acquired or facts.acquired)


def _date_of(request: AreaRequest, settings: Settings) -> str | None:
    provider = get_provider(request.provider or settings.provider, settings)
    if provider.kind == "sample":
        return sample.ACQUIRED
    if provider.kind == "stac":
        from shipdet.imagery.stac import acquisition_for

        chosen = acquisition_for(provider, request.box, request, settings)
        return None if chosen is None else chosen.time
    return None


def match_ais(run: Run, file: str | Path | Contacts, acquired: str | datetime | None = None) -> Run:
    """Match the ships of a finished run with an AIS file, and rewrite the run's files.

    Sets ``dark`` of every ship and, for ships found in AIS, ``mmsi``, ``name`` and
    ``ais_distance_m``. ais.geojson lists the ships of the AIS file.

    Args:
        run: The run to change.
        file: See :func:`shipdet.ais.read_reports`, or the result of :func:`ais_of_area`.
        acquired: Time of the acquisition; None for dated imagery.

    Returns:
        The updated run.

    Raises:
        BadAis: The run has no date or no georeference, or the file does not cover it.
        BadOption: ``acquired`` is not a time with a time zone, or the run was deleted or never
            searched.

    Example:
        >>> run = match_ais(run, "aisdk-2024-05-01.csv")
        >>> [ship.id for ship in run.detections if ship.dark]
        [3]
    """
    contacts = file
    if not isinstance(contacts, Contacts):
        moment = acquired or acquired_of(run.record)
        contacts = _contacts(contacts, area_of(run.record), moment)
    ais = contacts.as_dict()
    return rewrite(run, lambda now: replace(now, record={**now.record, "ais": ais}))


def _contacts(
    file: str | Path, area: BBox | Sequence[float] | None, moment: str | datetime | None
) -> Contacts:
    """Find the ships of a file in an area at a time; "sample" for the built-in sample."""
    if area is None:
        raise BadAis(NO_PLACE)
    if moment is None:
        raise BadAis(NO_DATE)
    return find_contacts(sample.AIS_FILE if str(file) == SAMPLE else Path(file), area, moment)
