"""Numbers of things as text."""


def number_of(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless the count is 1.

    Args:
        count: The number of things.
        noun: A noun with a regular plural.

    Example:
        >>> number_of(1, "ship"), number_of(1200, "ship")
        ('1 ship', '1,200 ships')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"
