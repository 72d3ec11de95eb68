"""Parse latitude and longitude in common notations.

Degrees with a decimal point or comma; degrees, minutes and seconds; signs, or N, S, E and W before
or after the number; "lat" and "lon" as labels. Latitude comes first unless letters, labels or a
number beyond 90 indicate the other order.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from shipdet.errors import BadPlace

#: Variants of ``°'"`` and minus that remain after NFKC.
_MARKS = str.maketrans(
    {
        **dict.fromkeys("º˚o", "°"),
        **dict.fromkeys("′’‘´`ʹʼ", "'"),
        **dict.fromkeys("″”“„ʺ", '"'),
        **dict.fromkeys("−–—‒‐‑﹣－", "-"),
    }
)
_LABEL = re.compile(r"\b(?:(lat(?:itude)?)|lon(?:g(?:itude)?)?|lng)\b\.?\s*[:=]?", re.IGNORECASE)
_WORDS = re.compile(
    r"\b(?:(north)|(south)|(east)|(west)|(degrees?|deg)|(minutes?|min)|(seconds?|sec))\b",
    re.IGNORECASE,
)
_WORD_SIGNS = ("N", "S", "E", "W", "°", "'", '"')
_LETTER_MARKS = re.compile(r"(?<=[\d.,])\s*([dms])(?=\s|\d|[NSEW,;]|$)")
_TOKEN = re.compile(r"\s*(?:(?P<number>[-+]?\d+(?:\.\d*)?|[-+]?\.\d+)|(?P<other>[°'\"NSEWφλ,;/]))")
_COMMA_NUMBER = re.compile(r"(?<![\d,.])(\d+),(\d+)(?![\d.])")
_PACKED = re.compile(r"(\d{4,7}(?:\.\d+)?)\s*([NS])[\s,;]*(\d{5,8}(?:\.\d+)?)\s*([EW])")
#: Characters of coordinates; a text with any other letter is a name.
_POSSIBLE = re.compile(r"[\d\s°'\"NSEWφλ,;/.+\-]+")

Axis = Literal["lat", "lon"]
_AXIS: dict[str, Axis] = {"N": "lat", "S": "lat", "E": "lon", "W": "lon", "φ": "lat", "λ": "lon"}


@dataclass
class _Angle:
    """One coordinate during parsing: its parts from degrees to seconds."""

    parts: list[str]
    marks: list[str]
    hemisphere: str = ""
    label: str = ""

    @property
    def axis(self) -> Axis | None:
        """The axis, if a letter or label specifies it."""
        axes = {_AXIS[sign] for sign in (self.hemisphere, self.label) if sign}
        if len(axes) > 1:
            label = "lat" if self.label == "φ" else "lon"
            raise BadPlace(f"'{label}' and {self.hemisphere} contradict each other: give one.")
        return axes.pop() if axes else None

    @property
    def degrees(self) -> float:
        """The signed value.

        Raises:
            BadPlace: The parts are not an angle.
        """
        if not 1 <= len(self.parts) <= 3:
            raise BadPlace(
                "Give each coordinate as degrees, degrees and minutes, or degrees, minutes and "
                "seconds."
            )
        first = self.parts[0]
        negative, signed = first.startswith("-"), first[0] in "+-"
        if signed and self.hemisphere:
            raise BadPlace(f"'{first} {self.hemisphere}' has a sign and a letter: give only one.")
        if any(part[0] in "+-" for part in self.parts[1:]):
            raise BadPlace("Minutes and seconds have no sign: put it before the degrees.")
        if any("." in part and float(part) % 1 for part in self.parts[:-1]):
            raise BadPlace("Only the last of degrees, minutes and seconds may have decimals.")
        values = [abs(float(part)) for part in self.parts]
        if any(value >= 60 for value in values[1:]):
            raise BadPlace("Minutes and seconds must be less than 60.")
        total = sum((value / 60.0**power for power, value in enumerate(values)), 0.0)
        return -total if negative or self.hemisphere in ("S", "W") else total


def parse_coordinates(text: str) -> tuple[float, float] | None:
    """Parse a latitude and a longitude.

    Args:
        text: Any text that a user types or pastes.

    Returns:
        (longitude, latitude) in degrees, not checked against the range of the map; None if the text
        is not a pair of coordinates, for example a name or the four numbers of a box.

    Raises:
        BadPlace: The text is a pair of coordinates that is invalid or ambiguous.

    Example:
        >>> parse_coordinates("N36°07.8' W005°25.8'")
        (-5.43, 36.13)
    """
    plain = _normalized(text)
    if not plain or not _POSSIBLE.fullmatch(plain) or not re.search(r"\d", plain):
        if plain and re.search(r"\d[\s°'\"]*[OØÖ]\b|\b[OØÖ]\s*\d", plain):
            raise BadPlace("'O' is east in some languages and west in others: write E or W.")
        return None
    packed = _PACKED.fullmatch(plain)
    if packed is not None:
        south, north, west, east = packed.groups()
        plain = f"{_unpacked(south, 2)} {north} {_unpacked(west, 3)} {east}"
    decimal = _with_points(plain)
    angles = _angles(decimal if decimal is not None else plain)
    return None if angles is None else _pair(*angles)


def ambiguous_commas(text: str) -> bool:
    """Whether four numbers separated by commas may also be two numbers with decimal commas."""
    return bool(re.fullmatch(r"[-+]?\d+,\d+,[-+]?\d+,\d+", _normalized(text)))


def has_decimal_commas(text: str) -> bool:
    """Whether a text without letters and marks is two numbers with decimal commas."""
    decimal = _with_points(_normalized(text))
    return decimal is not None and len(re.findall(r"[\d.]+", decimal)) == 2


def _normalized(text: str) -> str:
    """Replace variants of ``°'"``, minus and point with plain characters, words with signs."""
    plain = unicodedata.normalize("NFKC", text.replace("´", "'").replace("º", "°")).strip()
    plain = plain.strip("()[]{}").strip()
    plain = _LABEL.sub(lambda found: " φ " if found[1] else " λ ", plain)
    plain = _WORDS.sub(lambda found: _WORD_SIGNS[found.lastindex - 1], plain)  # type: ignore[operator]
    plain = _LETTER_MARKS.sub(lambda found: {"d": "°", "m": "'", "s": '"'}[found[1]], plain)
    plain = plain.translate(_MARKS).replace("''", '"')
    plain = re.sub(r"(?<=\d)-(?=\d)", " ", plain)  # 36-07.8N, as in navigation
    plain = re.sub(r"([-+])\s+(?=[\d.])", r"\1", plain)
    return re.sub(r"[nsew]", lambda letter: letter[0].upper(), plain)


def _with_points(text: str) -> str | None:
    """Replace decimal commas with points; None if the result is not a pair."""
    if "." in text or not _COMMA_NUMBER.search(text):
        return None
    changed = _COMMA_NUMBER.sub(r"\1.\2", text)
    numbers = re.findall(r"\d+(?:\.\d+)?", changed)
    return changed if len(numbers) > 1 else None


def _unpacked(digits: str, degrees: int) -> str:
    """Separate degrees, minutes and seconds that are written without spaces, as in 360748N."""
    whole, point, fraction = digits.partition(".")
    parts = [whole[:degrees], *re.findall(r"\d{1,2}", whole[degrees:])]
    return " ".join(parts) + (point + fraction if fraction else "")


def _angles(text: str) -> tuple[_Angle, _Angle] | None:
    """Split a text into two coordinates; None if it has too many or too few numbers."""
    tokens = [found.group("number") or found.group("other") for found in _TOKEN.finditer(text)]
    numbers = [token for token in tokens if token[-1].isdigit() or token[-1] == "."]
    signs = [token for token in tokens if token in _AXIS]
    if not signs and not {"°", "'", '"'} & set(tokens):
        if len(numbers) == 2:
            return _Angle(numbers[:1], []), _Angle(numbers[1:], [])
        if len(numbers) == 6:
            return _Angle(numbers[:3], []), _Angle(numbers[3:], [])
        return None
    angles = _grouped(tokens)
    if len(angles) != 2:
        raise BadPlace(
            f"'{text[:60]}' is not one latitude and one longitude: write them as in 36.13, -5.43 "
            "or 36°07'48\"N 5°25'48\"W."
        )
    return angles[0], angles[1]


def _grouped(tokens: list[str]) -> list[_Angle]:
    """Group numbers with their marks, letters and labels into coordinates."""
    prefixed = next((token in "NSEW" for token in tokens if token not in "φλ,;/"), False)
    angles: list[_Angle] = []
    current = _Angle([], [])

    def close() -> None:
        nonlocal current
        if current.parts:
            angles.append(current)
            current = _Angle([], [])

    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        if token in ",;/":
            close()
        elif token in "φλ":
            close()
            current.label = token
        elif token in "NSEW":
            if prefixed:
                close()
            if current.hemisphere:
                raise BadPlace(
                    f"{current.hemisphere} and {token} belong to one coordinate: give only one."
                )
            current.hemisphere = token
            if not prefixed:
                if not current.parts:
                    raise BadPlace("N, S, E or W must come before both coordinates or after both.")
                close()
        elif token in "°'\"":
            if len(current.parts) != "°'\"".index(token) + 1:
                raise BadPlace(
                    "Degrees (°), minutes (') and seconds (\") must come in this order, with none "
                    "left out."
                )
            current.marks.append(token)
        else:
            starts = following == "°" or token[0] in "+-"
            if current.parts and (starts or _complete(current)):
                close()
            current.parts.append(token)
    close()
    return angles


def _complete(angle: _Angle) -> bool:
    """Whether a coordinate has degrees, minutes and seconds."""
    return len(angle.parts) == 3 or '"' in angle.marks


def _pair(first: _Angle, second: _Angle) -> tuple[float, float]:
    """Return longitude and latitude from two coordinates in either order."""
    a, b = first.degrees, second.degrees
    axes = (first.axis, second.axis)
    if axes[0] is not None and axes[0] == axes[1]:
        what = "latitudes" if axes[0] == "lat" else "longitudes"
        raise BadPlace(
            f"Both coordinates are {what}: one must be north or south, one east or west."
        )
    if axes[0] == "lon" or axes[1] == "lat":
        return a, b
    if axes == (None, None) and abs(a) > 90 >= abs(b):  # latitudes end at 90
        return a, b
    return b, a
