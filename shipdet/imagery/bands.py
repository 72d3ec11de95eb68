"""Choose the red, green and blue bands of an image."""

import re
from collections.abc import Sequence

from shipdet.errors import BadImage, BadOption

RGB = ("red", "green", "blue")
# Names of Sentinel-2, Landsat 8 and 9, also inside file names: B04, B04_10m, SR_B4,
# T31UFU_20240101T105441_B04, LC08_L2SP_199024_..._SR_B4, "B4, central wavelength 665 nm".
_NUMBERED = re.compile(
    r"^(?:t\d\d[a-z]{3}_(?:\d{8}t\d{6}_)?|l[co]0[89]_\w+_)?(?:sr_|toa_)?"
    r"b(?:and)?[ _-]?0*([234])(?:_\d\dm)?\b",
    re.ASCII,
)
_OF_NUMBER = {"4": "red", "3": "green", "2": "blue"}
#: Whole descriptions that abbreviate a color.
_SHORT = {"r": "red", "g": "green", "b": "blue", "grn": "green", "blu": "blue"}
#: Colors in German, French, Spanish, Portuguese and Italian.
_WORDS = {
    "rot": "red", "rouge": "red", "rojo": "red", "vermelho": "red", "rosso": "red",
    "grün": "green", "gruen": "green", "vert": "green", "verde": "green",
    "blau": "blue", "bleu": "blue", "azul": "blue", "blu": "blue",
}  # fmt: skip
_WAVELENGTH = re.compile(r"(?<![\d.])(\d{3,4}|0\.\d+)(?:\.\d+)? ?(nm|nanomet|[uµμ]m|micromet)")
#: Wavelengths in nm, which contain the centers of the bands of Sentinel-2, Landsat 8 and 9,
#: PlanetScope, WorldView and Pléiades.
_COLORS_NM = {"blue": (450, 515), "green": (525, 595), "red": (630, 690)}
#: Words in the names of bands that are not red, green or blue, even if they contain these words.
_OTHERS = {
    "edge", "rededge", "coastal", "nir", "near", "infra", "infrared", "swir", "mask", "alpha",
}  # fmt: skip

Bands = str | Sequence[int] | None


def parse_bands(bands: Bands) -> tuple[int, ...]:
    """Parse the numbers of one or three bands, from 1: ``"3,2,1"`` or (3, 2, 1).

    Returns:
        The numbers; () if none are given.

    Raises:
        BadOption: The value has another form.
    """
    if bands is None or (isinstance(bands, str) and not bands.strip()):
        return ()
    parts = bands.replace(",", " ").split() if isinstance(bands, str) else bands
    try:
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) not in (1, 3) or min(numbers) < 1:
        raise BadOption(
            f"'{str(bands)[:40]}' is not a list of bands: give the numbers of red, green and "
            "blue, such as 3,2,1, or of one gray band."
        )
    return numbers


def choose_bands(
    name: str,
    meanings: Sequence[str],
    names: Sequence[str | None],
    chosen: tuple[int, ...],
    notes: list[str],
) -> list[int]:
    """Choose the bands to read.

    Args:
        name: Name of the image, for errors.
        meanings: GDAL's color interpretation of each band ("red", "alpha", …).
        names: The description of each band.
        chosen: The user's choice; () to decide from the file.
        notes: Notes for the run record, to which the decision is added.

    Returns:
        Numbers, from 1, of the red, green and blue bands, or of one gray band.

    Raises:
        BadImage: A chosen band does not exist, or all bands are transparency.
    """
    count = len(meanings)
    if chosen:
        if max(chosen) > count:
            raise BadImage(f"'{name}' has {count} bands and no band {max(chosen)}.")
        return list(chosen)
    usable = [i for i in range(1, count + 1) if meanings[i - 1] != "alpha"]
    if not usable:
        raise BadImage(f"'{name}' has only transparency: give an image with colors.")
    stated = _positions([meaning if i + 1 in usable else "" for i, meaning in enumerate(meanings)])
    plain = [(text or "").strip().lower() for text in names]
    if all(re.fullmatch(rf"band[ _-]?0*{i}", text) for i, text in enumerate(plain, start=1)):
        plain = []  # the names are only numbers
    named = _positions(plain) or _positions([_color(text) for text in plain])
    # Many programs state red, green, blue for any three bands, so names are more reliable.
    found, how = (named, "names") if named and stated in ([], [1, 2, 3]) else (stated, "says")
    if found:
        if found != usable:
            words = "their names in the file" if how == "names" else "the file"
            notes.append(
                f"Bands {', '.join(map(str, found))} of {count} are used as red, green and blue, "
                f"according to {words}."
            )
        return found
    if len(usable) == 1:
        return usable
    taken = usable[:3] if len(usable) >= 3 else usable[:1]
    what = (
        "the first three are used as red, green and blue"
        if len(taken) == 3
        else "the first is used as gray"
    )
    notes.append(f"The image has {len(usable)} bands without stated colors: {what}.")
    return taken


def _positions(colors: Sequence[str]) -> list[int]:
    """Return the numbers of the first red, green and blue band; empty if one is missing."""
    if not set(RGB) <= set(colors):
        return []
    return [colors.index(color) + 1 for color in RGB]


def _color(text: str) -> str:
    """Return the color named by a lowercase description, or ""."""
    if text in _SHORT:
        return _SHORT[text]
    words = set(re.findall(r"[^\W\d_]+", text))
    words |= {_WORDS[word] for word in words if word in _WORDS}
    if words & _OTHERS:
        return ""
    named = [color for color in RGB if color in words]
    if named:
        return named[0] if len(named) == 1 else ""
    if numbered := _NUMBERED.match(text):  # no color name: a band number, as of Sentinel-2
        return _OF_NUMBER[numbered[1]]
    if measured := _WAVELENGTH.search(text):
        nm = float(measured[1]) * (1 if measured[2].startswith("n") else 1000)
        return next((name for name, (low, high) in _COLORS_NM.items() if low <= nm <= high), "")
    return ""
