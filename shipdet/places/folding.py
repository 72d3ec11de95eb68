"""Normalize names for comparison."""

import re
import unicodedata

_ACCENTS = re.compile(r"[\u0300-\u036f\u064b-\u0652]+")  # combining marks, Arabic vowels
_PUNCTUATION = str.maketrans(dict.fromkeys(".'’`_-", " "))
_SPACES = re.compile(r" +")


def folded(text: str) -> str:
    """Remove case, accents and punctuation, except line ends and vertical bars."""
    apart = unicodedata.normalize("NFKD", text.casefold()).translate(_PUNCTUATION)
    return _SPACES.sub(" ", _ACCENTS.sub("", apart)).strip()
