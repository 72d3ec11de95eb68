"""Check whether a TIFF is complete: GDAL does not report errors of the last write."""

import struct
from pathlib import Path
from typing import BinaryIO

#: ``struct`` format by TIFF type, for the offsets and lengths of tiles and strips.
_TYPES = {3: "H", 4: "I", 16: "Q"}
#: Tag of the lengths of strips or tiles by the tag of their offsets.
_LENGTHS = {273: 279, 324: 325}


def is_complete(path: Path) -> bool:
    """Return whether all tiles, strips and directories of a TIFF or BigTIFF lie inside the file.

    Reads only the tables, so it is much faster than writing the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _has_all(file, size)
        except (struct.error, ValueError, KeyError):  # truncated, or without tables
            return False


def _has_all(file: BinaryIO, size: int) -> bool:
    order = "<" if file.read(2) == b"II" else ">"

    def read(kinds: str) -> tuple[int, ...]:
        return struct.unpack(order + kinds, file.read(struct.calcsize(order + kinds)))

    big = read("H")[0] == 43
    count_kind, kind, room = ("Q", "Q", 8) if big else ("H", "I", 4)
    if big:
        read("HH")
    directory = read(kind)[0]
    any_directory = bool(directory)
    while directory:
        file.seek(directory)
        entries = [read(f"HH{kind}{room}s") for _ in range(read(count_kind)[0])]
        after = read(kind)[0]
        tables: dict[int, tuple[int, ...]] = {}
        for tag, type_, count, inline in entries:
            if tag in _LENGTHS or tag in _LENGTHS.values():
                table = f"{count}{_TYPES[type_]}"
                length = struct.calcsize(order + table)
                if length > room:
                    file.seek(struct.unpack(order + kind, inline)[0])  # type: ignore[arg-type]
                    tables[tag] = read(table)
                else:
                    tables[tag] = struct.unpack(order + table, inline[:length])  # type: ignore
        for tag, lengths in _LENGTHS.items():
            spans = zip(tables.get(tag, ()), tables.get(lengths, ()), strict=True)
            if any(offset + length > size for offset, length in spans):
                return False
        directory = after
    return any_directory
