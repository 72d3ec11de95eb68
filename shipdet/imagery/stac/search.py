"""Search a STAC API for the acquisitions of an area."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import shapely

from shipdet.areas import Area
from shipdet.errors import BadOption, NoImagery, ProviderRefused, ProviderUnreachable
from shipdet.geometry import BBox
from shipdet.imagery.checks import looks_like_html
from shipdet.imagery.providers import Provider
from shipdet.imagery.stac.acquisition import Acquisition, Scene, group
from shipdet.requests import ImageryOptions
from shipdet.settings import Settings, get_settings

#: Number of days that are searched without given dates.
DEFAULT_DAYS = 60
#: Most scenes of a search: four years of one place.
MAX_SCENES = 1000
PAGE = 100
#: Time for which results are cached, since the page requests an estimate after every change.
REMEMBER_S = 300.0

T = TypeVar("T")
Where = BBox | Sequence[Area]
log = logging.getLogger(__name__)


def search_acquisitions(
    area: Where,
    date_from: date | None = None,
    date_to: date | None = None,
    max_cloud: float = 100.0,
    settings: Settings | None = None,
) -> list[Acquisition]:
    """List the acquisitions of an area.

    Args:
        area: A box in degrees, or the parts of an area, such as both sides of the antimeridian:
            one pass over several parts is one acquisition, with the coverage of all of them.
        date_from: First day (UTC); None is ``DEFAULT_DAYS`` before the last one.
        date_to: Last day, inclusive; None is today.
        max_cloud: Highest cloud cover in percent; acquisitions without a value are listed.
        settings: Replaces the settings of the environment; ``stac_url``, ``stac_collection`` and
            ``stac_asset`` select the API and its data.

    Returns:
        The acquisitions, newest first; may be empty.

    Raises:
        BadOption: The dates are reversed, or the API has no such collection.
        NoImagery: Scenes were found, but none has the asset.
        ProviderRefused: The API responds 401 or 403.
        ProviderUnreachable: The API does not answer, or the response is not STAC.

    Example:
        >>> area = BBox(-5.47, 36.09, -5.38, 36.17)
        >>> [a.time for a in search_acquisitions(area, date(2024, 5, 1), date(2024, 5, 7))]
        ['2024-05-06T11:06:21Z', '2024-05-01T11:06:19Z']
    """
    settings = settings or get_settings()
    last = date_to or max(datetime.now(UTC).date(), date_from or date.min)
    first = date_from or last - timedelta(days=DEFAULT_DAYS)
    if first > last:
        raise BadOption(
            f"The date range ends ({last}) before it begins ({first}): swap the two dates."
        )
    span = f"{first}T00:00:00Z/{last}T23:59:59Z"
    found = _acquisitions(area, settings, datetime=span)
    return [a for a in found if a.cloud is None or a.cloud <= max_cloud]


def choose_acquisition(
    area: BBox,
    settings: Settings | None = None,
    *,
    acquisition: str = "",
    date_from: date | None = None,
    date_to: date | None = None,
    max_cloud: float = 100.0,
) -> Acquisition:
    """Choose one acquisition of an area.

    Args:
        area: The area, in degrees.
        settings: Replaces the settings of the environment.
        acquisition: Id of the acquisition or of one of its scenes; the dates and ``max_cloud`` are
            then ignored.
        date_from: See :func:`search_acquisitions`.
        date_to: See :func:`search_acquisitions`.
        max_cloud: See :func:`search_acquisitions`.

    Returns:
        The acquisition with this id; else the newest of those that cover most of the area.

    Raises:
        NoImagery: Nothing matches; the message names alternatives.
        ShipdetError: As :func:`search_acquisitions`.
    """
    settings = settings or get_settings()
    if acquisition:
        return _by_id(acquisition, area, settings)
    found = search_acquisitions(area, date_from, date_to, 100.0, settings)
    clear = [a for a in found if a.cloud is None or a.cloud <= max_cloud]
    if clear:
        # Rounded to a twentieth, so that a small gap does not select an older acquisition.
        return max(clear, key=lambda a: (round(a.coverage * 20), a.acquired))
    days = _days_text(date_from, date_to)
    if found:
        best = min(found, key=lambda a: a.cloud or 0.0)
        raise NoImagery(
            f"No acquisition {days} has at most {max_cloud:g} % of clouds: the clearest, of "
            f"{best.acquired:%Y-%m-%d}, has {best.cloud:.0f} %; allow more or change the dates."
        )
    raise NoImagery(
        f"There is no acquisition of this area {days}: widen the dates (`shipdet acquisitions` "
        "lists them)."
    )


def acquisitions_for(
    area: Where, options: ImageryOptions, settings: Settings | None = None
) -> list[Acquisition]:
    """List the acquisitions for the dates and the cloud cover of a request."""
    first, last = _days(options)
    return search_acquisitions(area, first, last, options.max_cloud, settings)


def _days(options: ImageryOptions) -> tuple[date | None, date | None]:
    first, last = options.date_from, options.date_to
    return (
        date.fromisoformat(first) if first else None,
        date.fromisoformat(last) if last else None,
    )


def acquisition_for(
    provider: Provider, area: BBox, options: ImageryOptions, settings: Settings
) -> Acquisition | None:
    """Return the acquisition for a request; None for providers without acquisitions.

    Raises:
        ShipdetError: As :func:`choose_acquisition`.
    """
    if provider.kind != "stac":
        return None
    first, last = _days(options)
    return choose_acquisition(
        area,
        settings,
        acquisition=options.acquisition,
        date_from=first,
        date_to=last,
        max_cloud=options.max_cloud,
    )


def _days_text(date_from: date | None, date_to: date | None) -> str:
    if date_from and date_to and date_from == date_to:
        return f"on {date_from}"
    if date_from and date_to:
        return f"from {date_from} to {date_to}"
    if date_from:
        return f"since {date_from}"
    return f"in the {DEFAULT_DAYS} days before {date_to or 'today'}"


def _by_id(wanted: str, area: BBox, settings: Settings) -> Acquisition:
    items = _items(settings, ids=[wanted])
    scene = next(iter(_scenes(items, settings)), None)
    if scene is None:
        raise NoImagery(
            f"There is no acquisition '{wanted[:80]}' in {settings.stac_collection}: "
            "`shipdet acquisitions` lists those of an area."
        )
    around = (scene.acquired - timedelta(minutes=15), scene.acquired + timedelta(minutes=15))
    span = "/".join(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in around)
    for found in _acquisitions(area, settings, datetime=span):
        if wanted in (other.id for other in found.scenes) or (
            found.scenes[0].platform == scene.platform
        ):
            return found
    raise NoImagery(
        f"The acquisition '{wanted[:80]}' does not cover the area: choose one that "
        "`shipdet acquisitions` lists for it."
    )


def _acquisitions(area: Where, settings: Settings, **wanted: Any) -> list[Acquisition]:
    parts = [Area(area)] if isinstance(area, BBox) else area
    items = {
        str(item.get("id")): item
        for part in parts
        for item in _items(settings, bbox=list(part.box.as_tuple()), **wanted)
    }
    shapes = [part.shape for part in parts]
    whole = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
    return group(_scenes(list(items.values()), settings), whole)


def _scenes(items: list[dict[str, Any]], settings: Settings) -> list[Scene]:
    read = [Scene.of_item(item, settings.stac_asset) for item in items]
    scenes = [scene for scene in read if scene is not None]
    if items and not scenes:
        raise NoImagery(
            f"No scene of {settings.stac_collection} has an asset '{settings.stac_asset}' with an "
            "http address: correct SHIPDET_STAC_ASSET."
        )
    return scenes


_remembered: dict[str, tuple[float, list[dict[str, Any]]]] = {}
_lock = threading.Lock()


def _items(settings: Settings, **wanted: Any) -> list[dict[str, Any]]:
    """Return items of the API as dictionaries, cached for ``REMEMBER_S``."""
    key = json.dumps([settings.stac_url, settings.stac_collection, wanted], sort_keys=True)
    now = time.monotonic()
    with _lock:
        for old in [k for k, (at, _) in _remembered.items() if now - at > REMEMBER_S]:
            del _remembered[old]
        if key in _remembered:
            return _remembered[key][1]
    items = _translated(settings, lambda: _requested(settings, wanted))
    if len(items) >= MAX_SCENES:
        raise BadOption(
            f"More than {MAX_SCENES:,} scenes lie in this area and these dates: choose fewer days "
            "or a smaller area."
        )
    with _lock:
        _remembered[key] = (now, items)
    return items


def _requested(settings: Settings, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO
    from urllib3.util.retry import Retry

    retry = Retry(
        total=settings.retries,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
    )
    io = StacApiIO(
        headers={"User-Agent": settings.user_agent}, timeout=settings.timeout_s, max_retries=retry
    )
    client = Client.open(settings.stac_url, stac_io=io, timeout=settings.timeout_s)
    search = client.search(
        collections=[settings.stac_collection], limit=PAGE, max_items=MAX_SCENES, **wanted
    )
    return [item for item in search.items_as_dicts() if isinstance(item, dict)]


def _translated(settings: Settings, request: Callable[[], T]) -> T:
    """Return the result of ``request``; errors of the API are raised as errors for the user."""
    from pystac import STACError, STACTypeError
    from pystac_client.errors import ClientTypeError
    from pystac_client.exceptions import APIError

    host = urlsplit(settings.stac_url).netloc or settings.stac_url[:60]
    try:
        return request()
    except APIError as error:
        status = getattr(error, "status_code", None)
        log.info("the STAC API %s failed: %s", host, str(error)[:300])
        if status in (401, 403):
            raise ProviderRefused(
                f"The STAC API at {host} refused the search (HTTP {status}): it may need a key, so "
                "set SHIPDET_STAC_URL to an open one."
            ) from None
        if status in (400, 404):
            raise BadOption(
                f"The STAC API at {host} has no collection '{settings.stac_collection}' or no "
                f"search (HTTP {status}): correct SHIPDET_STAC_URL and SHIPDET_STAC_COLLECTION."
            ) from None
        what = f"HTTP {status}" if status else "no connection or no answer in time"
        raise ProviderUnreachable(
            f"The STAC API at {host} cannot be reached or keeps failing ({what}): check the "
            "network, try again later, or choose another provider."
        ) from None
    except ValueError as error:  # includes errors of JSON
        text = getattr(error, "doc", "")
        log.info("the STAC API %s does not answer in JSON: %s", host, error)
        page = isinstance(text, str) and looks_like_html(text[:512].encode())
        what = "a web page" if page else "something that is not STAC"
        raise ProviderUnreachable(
            f"The STAC API at {host} answers with {what}: check SHIPDET_STAC_URL, and whether a "
            "proxy or login page intercepts the connection."
        ) from None
    except (
        STACError, STACTypeError, ClientTypeError, NotImplementedError,
        KeyError, TypeError, AttributeError,
    ):  # fmt: skip
        log.info("the STAC API %s does not behave as one", host, exc_info=True)
        raise ProviderUnreachable(
            f"The server at {host} is not a STAC API with item search: correct SHIPDET_STAC_URL."
        ) from None
