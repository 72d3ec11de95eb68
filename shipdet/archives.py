"""Errors of untrusted ZIP archives."""

import lzma
import struct
import zipfile
import zlib

#: What zipfile raises for damaged, encrypted or unsupported archives.
ZIP_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, KeyError, OverflowError, RuntimeError, NotImplementedError),
)
