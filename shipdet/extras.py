"""Optional packages: each belongs to an extra of the wheel, such as ``shipdet[app]``."""

import importlib.util

from shipdet.errors import MissingExtra

#: basicsr imports torch while it is built, so it must find the one that is installed.
_COMMANDS = {
    "upscale": "pip install setuptools wheel && "
    "pip install --no-build-isolation 'shipdet[upscale]'",
}


def require(*packages: str, extra: str) -> None:
    """Check that packages are installed, without importing them.

    Args:
        packages: Top-level import names.
        extra: The extra of shipdet that installs them.

    Raises:
        MissingExtra: One of them is not installed; the message says what to install.

    Example:
        >>> require("gradio", extra="app")
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise missing_extra(*missing, extra=extra)


def missing_extra(*packages: str, extra: str) -> MissingExtra:
    """The error that names the missing packages and the command that installs them."""
    names = " and ".join(filter(None, [", ".join(packages[:-1]), packages[-1]]))
    verb = "is" if len(packages) == 1 else "are"
    command = _COMMANDS.get(extra, f"pip install 'shipdet[{extra}]'")
    return MissingExtra(f"{names} {verb} not installed: `{command}`.")
