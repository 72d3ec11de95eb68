"""The catalog of imagery providers: those of a data file, and one from the settings."""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shipdet.errors import BadOption, ProviderRefused, UnknownProvider
from shipdet.geometry import TILE_PX
from shipdet.requests import ImageryOptions, check_priority
from shipdet.settings import Settings, get_settings

CATALOG_FILE = Path(__file__).with_name("providers.json")

Color = tuple[int, int, int]

OPEN = re.compile(r"\{[zxys]\}")
"""The placeholders of a template."""
WRAPPED = re.compile(r"\$\{[zxys]\}|\{\{[zxys]\}\}")
"""The placeholders in the syntax of other programs."""
LEFT_OVER = re.compile(
    r"""\$?\{[^{}]*\} | %7B.*?%7D | %3C.*?%3E | <[^<>]*> | [{}<>]
    | \bYOUR[_-][A-Z_-]*(KEY|TOKEN|ID)([_-]?HERE)?\b | \bYOUR(API|ACCESS)?(KEY|TOKEN)\b
    | (?<==)([A-Z]+[_-])*(API|ACCESS)?(KEY|TOKEN)(?=[&#]|$)    # ?key=MY_KEY
    | (?<=[=/])(X[X-]{2,}|\*{2,}|\.{3,}|…)(?=[&#/?]|$)         # ?key=xxx
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Unresolved placeholders in templates of other programs and in examples."""
NAME_RANGE = re.compile(r"[a-z]-[a-z]|[A-Z]-[A-Z]|\d{1,2}-\d{1,2}")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BlankRule(_Value):
    """How a provider marks blank tiles in responses with status 200.

    ``query`` is added to the request; ``header`` marks a blank response. A tile is also blank if
    its median color is within ``tolerance`` of one of ``colors`` and at least ``share`` of its
    pixels are within ``spread`` of the median (all in 8-bit steps per channel).
    """

    query: dict[str, str] = Field(default_factory=dict)
    header: dict[str, str] = Field(default_factory=dict)
    colors: tuple[Color, ...] = ()
    tolerance: int = 0
    spread: int = 0
    share: float = 1.0


class Provider(_Value):
    """A source of map tiles.

    ``url`` may contain placeholders such as ``{instance}``: secrets are inserted for a request and
    are never part of this value. It is empty for the kind ``stac``, whose API is in the settings.
    ``base_layer`` is whether browsers may see ``url``.
    """

    id: str = Field(pattern=r"^[a-z0-9]+$")  # also the name of a folder in the cache
    title: str
    kind: Literal["xyz", "sample", "stac"] = "xyz"
    url: str = Field(repr=False)
    attribution: str
    license: str
    license_url: str = ""
    native_zoom: int
    min_zoom: int = 0
    max_zoom: int
    min_useful_zoom: int
    tile_kb: float
    #: side of a tile; one of 512 px covers four of 256 px of the next zoom
    tile_px: Literal[256, 512] = 256
    #: values of {s} in ``url``, used in turn
    subdomains: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], ...] = ()
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
        if ("{s}" in self.url) != bool(self.subdomains):
            raise ValueError(f"{self.id} has {{s}} in its url or subdomains, not both")
        if not self.downloadable and not self.reason:
            raise ValueError(f"{self.id} is not downloadable: give a reason")
        return self

    @property
    def needs_instance(self) -> bool:
        """Whether the URL contains an instance id from the settings."""
        return "{instance}" in self.url

    def public(self) -> dict[str, Any]:
        """Return the values that visitors may see; the URL only of a base layer."""
        hidden = {"blank", "fallback"} | (set() if self.base_layer else {"url"})
        return self.model_dump(mode="json", exclude=hidden)


@lru_cache(maxsize=1)
def _bundled() -> tuple[Provider, ...]:
    entries = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))
    return tuple(Provider.model_validate(entry) for entry in entries)


def catalog(settings: Settings | None = None) -> dict[str, Provider]:
    """Return all providers by id, in display order; ``xyz`` only if it is configured."""
    settings = settings or get_settings()
    providers = {provider.id: provider for provider in _bundled()}
    if settings.xyz_url:
        providers["xyz"] = _configured(settings)
    return providers


def get_provider(provider_id: str, settings: Settings | None = None) -> Provider:
    """Return the provider with an id.

    Raises:
        UnknownProvider: No provider has this id; the message lists the providers.
    """
    providers = catalog(settings)
    try:
        return providers[provider_id]
    except KeyError:
        raise UnknownProvider(
            f"There is no provider '{provider_id[:40]}': choose one of {', '.join(providers)}."
        ) from None


def effective_provider(
    provider: Provider, settings: Settings | None = None
) -> tuple[Provider, tuple[str, ...]]:
    """Return the provider that is used, which may be the fallback, and notes for the user.

    Raises:
        ProviderRefused: The provider's terms forbid the download, or its instance id is missing.
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
        f"{other.title} is used instead, so dates, cloud cover and priority have no effect."
    )
    return other, (note, *other.notes)


def url_template(provider: Provider, options: ImageryOptions, settings: Settings) -> str:
    """Return the URL with only the placeholders ``{z}``, ``{x}``, ``{y}`` and ``{s}``.

    It contains secrets and must not be shown.
    """
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
    """Return the priority of acquisitions; raises BadOption for an unknown one."""
    return check_priority(options.priority or settings.sentinelhub_priority)


def cache_digest(template: str) -> str:
    """Return the name of the cache folder for a URL template, a hash that hides its secrets."""
    return hashlib.sha256(template.encode()).hexdigest()[:16]


def _configured(settings: Settings) -> Provider:
    subdomains = _subdomains(settings.xyz_subdomains)
    url = re.sub(r"%7B([zxys])%7D", r"{\1}", settings.xyz_url, flags=re.IGNORECASE)
    _check_template(url, subdomains)
    last = settings.xyz_max_zoom
    if settings.xyz_tile_px > TILE_PX:  # same detail as 256-px tiles of the next zoom
        last += 1
    return Provider(
        id="xyz",
        title=settings.xyz_title,
        url=url,
        attribution=settings.xyz_attribution,
        license=settings.xyz_license,
        native_zoom=last,
        min_zoom=settings.xyz_tile_px // TILE_PX - 1,
        max_zoom=last,
        min_useful_zoom=min(14, last),
        tile_kb=20,
        tile_px=settings.xyz_tile_px,
        subdomains=subdomains if "{s}" in url else (),
        base_layer=False,  # the template may contain a key, which browsers must not see
    )


def _check_template(url: str, subdomains: tuple[str, ...]) -> None:
    """Check the template of tiles; the message of BadOption omits it, as it may contain a key."""
    setting = "SHIPDET_XYZ_URL"
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        raise BadOption(f"{setting} contains white space: remove it (a space in a name is %20).")
    wrapped = WRAPPED.search(url)
    if wrapped:
        plain = wrapped[0].strip("${}")
        raise BadOption(f"{setting} contains {wrapped[0]}: write {{{plain}}} instead.")
    try:
        parts = urlsplit(url)
        web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port or IPv6 address
        web = False
    if not web or not all(f"{{{name}}}" in url for name in "zxy"):
        raise BadOption(f"{setting} must be an http or https address with {{z}}, {{x}} and {{y}}"
                        " in it.")  # fmt: skip
    if "{s}" in url and not subdomains:
        raise BadOption(
            f"{setting} contains {{s}}: set SHIPDET_XYZ_SUBDOMAINS to its values, such as a,b,c, "
            "or write one of them instead."
        )
    rest = OPEN.sub("", url)
    left = LEFT_OVER.search(rest)
    if left:
        name = left[0][:40]
        remedy = (
            "remove it, or write @2x instead and set SHIPDET_XYZ_TILE_PX=512"
            if name == "{r}"
            else "write its value instead"
        )
        raise BadOption(f"{setting} still contains the placeholder {name}: {remedy}.")


def _subdomains(text: str) -> tuple[str, ...]:
    """Split ``a,b,c`` or ``1-4`` into names; other text is one name per letter, as in Leaflet."""
    text = text.strip()
    listed = "," in text or NAME_RANGE.fullmatch(text)
    parts = text.replace(",", " ").split() if listed else [*text]
    names = tuple(name for part in parts for name in _names_in(part))
    if bool(names) != bool(parts) or not all(
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", name) for name in names
    ):
        raise BadOption(
            "SHIPDET_XYZ_SUBDOMAINS must be names separated by commas, such as a,b,c, or a range "
            "such as 1-4."
        )
    return names


def _names_in(part: str) -> list[str]:
    """Return the names of a range such as ``a-c`` or ``1-4``; any other text is one name."""
    if not NAME_RANGE.fullmatch(part):
        return [part]
    first, last = part.split("-")
    if first.isdigit():
        return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return [chr(code) for code in range(ord(first), ord(last) + 1)]
