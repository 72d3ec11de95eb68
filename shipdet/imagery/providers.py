"""The catalogue of imagery providers: a data file, plus what the operator's settings add."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shipdet.errors import BadOption, ProviderRefused, UnknownProvider
from shipdet.imagery.options import ImageryOptions, check_priority
from shipdet.settings import Settings, get_settings

CATALOGUE_FILE = Path(__file__).with_name("providers.json")

Color = tuple[int, int, int]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BlankRule(_Value):
    """How a provider says that it has no picture of a tile although it answers 200.

    ``query`` is added to the request; ``header`` marks a blank answer; a tile is also blank when
    its median colour is within ``tolerance`` of one of ``colors`` and at least ``share`` of its
    pixels lie within ``spread`` of the median (all in 8-bit steps per channel).
    """

    query: dict[str, str] = Field(default_factory=dict)
    header: dict[str, str] = Field(default_factory=dict)
    colors: tuple[Color, ...] = ()
    tolerance: int = 0
    spread: int = 0
    share: float = 1.0


class Provider(_Value):
    """One source of map tiles.

    ``url`` may hold ``{instance}`` and other placeholders: secrets are put in when a request is
    made and are never part of this value. ``base_layer`` says whether ``url`` may be given to a
    browser.
    """

    id: str = Field(pattern=r"^[a-z0-9]+$")  # it names a folder of the cache
    title: str
    kind: Literal["xyz", "sample"] = "xyz"
    url: str = Field(repr=False)
    attribution: str
    licence: str
    licence_url: str = ""
    native_zoom: int
    min_zoom: int = 0
    max_zoom: int
    min_useful_zoom: int
    tile_kb: float
    blank: BlankRule = BlankRule()
    is_imagery: bool = True
    downloadable: bool = True
    reason: str = ""
    base_layer: bool = True
    fallback: str | None = None
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.min_zoom <= self.min_useful_zoom <= self.native_zoom <= self.max_zoom:
            raise ValueError(f"the zoom levels of {self.id} are out of order")
        if not self.downloadable and not self.reason:
            raise ValueError(f"{self.id} is not downloadable: say why")
        return self

    @property
    def needs_instance(self) -> bool:
        """Whether an instance id from the settings must be put into the URL."""
        return "{instance}" in self.url

    def public(self) -> dict[str, Any]:
        """What a visitor may know: everything, but the URL only when it is a base layer."""
        hidden = {"blank", "fallback"} | (set() if self.base_layer else {"url"})
        return self.model_dump(mode="json", exclude=hidden)


@lru_cache(maxsize=1)
def _bundled() -> tuple[Provider, ...]:
    entries = json.loads(CATALOGUE_FILE.read_text(encoding="utf-8"))
    return tuple(Provider.model_validate(entry) for entry in entries)


def catalogue(settings: Settings | None = None) -> dict[str, Provider]:
    """All providers by id, in the order to show them; ``xyz`` only when the operator set it."""
    settings = settings or get_settings()
    providers = {provider.id: provider for provider in _bundled()}
    if settings.xyz_url:
        providers["xyz"] = _own(settings)
    return providers


def get_provider(provider_id: str, settings: Settings | None = None) -> Provider:
    """The provider of that id, or UnknownProvider with those that exist."""
    providers = catalogue(settings)
    try:
        return providers[provider_id]
    except KeyError:
        raise UnknownProvider(
            f"There is no provider '{provider_id[:40]}': choose one of {', '.join(providers)}."
        ) from None


def effective_provider(
    provider: Provider, settings: Settings | None = None
) -> tuple[Provider, tuple[str, ...]]:
    """The provider that will really be asked, and what the user must be told about it.

    Raises ProviderRefused for one whose terms forbid the download.
    """
    settings = settings or get_settings()
    if not provider.downloadable:
        raise ProviderRefused(provider.reason)
    if not provider.needs_instance or settings.sentinelhub_instance_id:
        return provider, provider.notes
    if provider.fallback is None:
        raise ProviderRefused(f"{provider.title} needs an instance id, and none is set.")
    other = get_provider(provider.fallback, settings)
    note = (
        f"{provider.title} needs an instance id, and SHIPDET_SENTINELHUB_INSTANCE_ID is not set: "
        f"{other.title} was used instead, so dates, cloud cover and priority had no effect."
    )
    return other, (note, *other.notes)


def url_template(provider: Provider, options: ImageryOptions, settings: Settings) -> str:
    """The URL with only ``{z}``, ``{x}`` and ``{y}`` left open. Holds secrets: never show it."""
    url = provider.url
    if provider.needs_instance:
        values = {
            "instance": settings.sentinelhub_instance_id,
            "layer": settings.sentinelhub_layer,
            "max_cloud": str(options.max_cloud),
            "priority": used_priority(options, settings),
        }
        for name, value in values.items():
            url = url.replace(f"{{{name}}}", quote(value, safe=""))
        if options.time_range:
            url += f"&TIME={options.time_range}"
    if provider.blank.query:
        query = "&".join(f"{quote(k)}={quote(v)}" for k, v in provider.blank.query.items())
        url += ("&" if "?" in url else "?") + query
    return url


def used_priority(options: ImageryOptions, settings: Settings) -> str:
    """Which of several pictures of a place is asked for; BadOption where it is no known one."""
    return check_priority(options.priority or settings.sentinelhub_priority)


def cache_digest(template: str) -> str:
    """Name of the cache folder for a URL template: one way, so that it gives no secret away."""
    return hashlib.sha256(template.encode()).hexdigest()[:16]


def _own(settings: Settings) -> Provider:
    parts = urlsplit(settings.xyz_url)
    complete = all(f"{{{name}}}" in settings.xyz_url for name in "zxy")
    if parts.scheme not in ("http", "https") or not parts.hostname or not complete:
        raise BadOption(
            "SHIPDET_XYZ_URL must be an http or https address with {z}, {x} and {y} in it."
        )
    zoom = settings.xyz_max_zoom
    return Provider(
        id="xyz",
        title=settings.xyz_title,
        url=settings.xyz_url,
        attribution=settings.xyz_attribution,
        licence=settings.xyz_licence,
        native_zoom=zoom,
        max_zoom=zoom,
        min_useful_zoom=min(14, zoom),
        tile_kb=20,
        base_layer=False,  # the template may hold a key, which no browser should see
    )
