"""List the pages of a TIFF by its directories, of which GDAL lists only some."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

#: First bytes of a TIFF and a BigTIFF in either byte order.
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Number of pages that are listed.
MAX_PAGES = 4096
#: Largest number of tags in a directory; a larger one is damaged.
MAX_TAGS = 4096
#: Tags of TIFF 6.0 and, for pages inside a page, of TIFF Technical Note 1.
_KIND, _WIDTH, _HEIGHT, _ORIENTATION, _SUB_PAGES = 254, 256, 257, 274, 330
#: Bit of ``_KIND`` that marks a mask of another page.
_MASK = 4
#: The integer types of tags: BYTE, SHORT, LONG, IFD, LONG8, IFD8.
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True)
class Page:
    """A page of a TIFF.

    Attributes:
        name: Its name in a note, such as "page 2".
        offset: Position of its directory in the file, in bytes.
        width: Columns.
        height: Rows.
        orientation: 1 to 8 as in EXIF; 1 is upright.
        mask: Whether it is the mask of another page.
    """

    name: str
    offset: int
    width: int
    height: int
    orientation: int
    mask: bool

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height


def pages_of(path: Path) -> list[Page]:
    """List the pages of a TIFF, each followed by the pages inside it (SubIFDs).

    Damage ends the list.
    """
    found: list[Page] = []
    with contextlib.suppress(OSError, OverflowError, struct.error), path.open("rb") as file:
        for page in _Directories(file).pages():
            found.append(page)
            if len(found) >= MAX_PAGES:
                break
    return found


class _Directories:
    """Reads the directories of a TIFF or BigTIFF."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.read(4)
        self._order = "<" if start[:2] == b"II" else ">"
        big = b"+" in start[2:]  # the version 43
        self._count, self._tag, self._offset = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
        if big:
            file.seek(8)

    def pages(self) -> Iterator[Page]:
        """Yield the pages in the order of the file."""
        seen: set[int] = set()
        (offset,) = self._unpack(self._offset)
        number = 0
        while offset and offset not in seen:
            seen.add(offset)
            number += 1
            tags, following = self._directory(offset)
            yield _page(f"page {number}", offset, tags)
            for inner, at in enumerate(tags.get(_SUB_PAGES, ()), start=1):
                name = f"image {inner} inside page {number}"
                yield _page(name, at, self._directory(at)[0])
            offset = following

    def _directory(self, offset: int) -> tuple[dict[int, tuple[int, ...]], int]:
        """Return the integer tags of a directory, and the offset of the next one."""
        self._file.seek(offset)
        (count,) = self._unpack(self._count)
        if count > MAX_TAGS:
            raise struct.error("too many tags")
        form = self._order + self._tag
        entries = struct.iter_unpack(form, self._file.read(count * struct.calcsize(form)))
        (following,) = self._unpack(self._offset)
        used = (_KIND, _WIDTH, _HEIGHT, _ORIENTATION, _SUB_PAGES)
        tags = {
            tag: self._integers(_INTEGERS[kind], min(number, MAX_PAGES), value)
            for tag, kind, number, value in entries
            if tag in used and kind in _INTEGERS
        }
        return tags, following

    def _integers(self, kind: str, number: int, value: bytes) -> tuple[int, ...]:
        """Return the values of a tag, which contains them or their offset."""
        form = f"{self._order}{number}{kind}"
        size = struct.calcsize(form)
        if size > len(value):
            self._file.seek(*struct.unpack(self._order + self._offset, value))
            value = self._file.read(size)
        return struct.unpack(form, value[:size])

    def _unpack(self, form: str) -> tuple[Any, ...]:
        form = self._order + form
        return struct.unpack(form, self._file.read(struct.calcsize(form)))


def _page(name: str, offset: int, tags: dict[int, tuple[int, ...]]) -> Page:
    kind, width, height, orientation = (
        next(iter(tags.get(tag, ())), missing)
        for tag, missing in ((_KIND, 0), (_WIDTH, 0), (_HEIGHT, 0), (_ORIENTATION, 1))
    )
    upright = orientation not in range(2, 9)
    return Page(name, offset, width, height, 1 if upright else orientation, bool(kind & _MASK))
