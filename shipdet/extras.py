"""Optional packages: each belongs to an extra of the wheel, such as ``shipdet[app]``."""

import importlib.util

from shipdet.errors import MissingExtra

#: Building basicsr imports torch, so it needs the installed torch: no build isolation.
_COMMANDS = {
    "upscale": "pip install setuptools wheel && "
    "pip install --no-build-isolation 'shipdet[upscale]'",
}


def require(*packages: str, extra: str) -> None:
    """Check that packages are installed, without importing them.

    Args:
        *packages: Top-level import names.
        extra: The extra of shipdet that installs them.

    Raises:
        MissingExtra: A package is not installed; the message gives the command to install it.

    Example:
        >>> require("gradio", extra="app")
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise missing_extra(*missing, extra=extra)


def missing_extra(*packages: str, extra: str) -> MissingExtra:
    """Build the error that names missing packages and the command to install them."""
    names = " and ".join(filter(None, [", ".join(packages[:-1]), packages[-1]]))
    verb = "is" if len(packages) == 1 else "are"
    command = _COMMANDS.get(extra, f"pip install 'shipdet[{extra}]'")
    return MissingExtra(f"{names} {verb} not installed: `{command}`.")
