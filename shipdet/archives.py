"""ZIP archives of strangers."""

import lzma
import struct
import zipfile
import zlib

#: What zipfile raises for archives that are damaged, encrypted or packed in a way of their own.
ZIP_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, KeyError, OverflowError, RuntimeError, NotImplementedError),
)
