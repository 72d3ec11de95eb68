"""Errors that a user can act on.

One class per kind of problem. The message is one sentence that the app, the API and the command
line show unchanged: what is wrong and what to do next.
"""

import logging

log = logging.getLogger(__name__)


class ShipdetError(Exception):
    """Base of all errors that are shown to the user as one sentence."""


class BadArea(ShipdetError):
    """The area, or a file of areas, is empty, out of range or cannot be read."""


class BadPlace(ShipdetError):
    """The text is not a place, is ambiguous, or is a place outside the map."""


class BadAis(ShipdetError):
    """An AIS file cannot be read, or does not cover the image's place and time."""


class AreaTooLarge(ShipdetError):
    """The area needs more tiles or pixels than the configured limits allow."""


class BadZoom(ShipdetError):
    """The zoom is outside the provider's range."""


class ScaleTooCoarse(ShipdetError):
    """The imagery has too many meters per pixel for ships to be recognized."""


class BadOption(ShipdetError):
    """An option has a value outside its range or list."""


class UnknownProvider(ShipdetError):
    """The catalog has no provider of this name."""


class ProviderRefused(ShipdetError):
    """The provider's terms, or its server (401/403), do not allow the download."""


class ProviderUnreachable(ShipdetError):
    """The provider's server does not answer, or keeps failing."""


class NoImagery(ShipdetError):
    """The provider has no usable imagery of the area."""


class BadImage(ShipdetError):
    """The image cannot be used: format, size, channels or content."""


class MissingScale(BadImage):
    """The image has no georeference and ``gsd_m`` is missing."""


class UnknownModel(ShipdetError):
    """No bundled model, local folder or hub repository has this name."""


class BadModel(ShipdetError):
    """A model folder is incomplete, corrupt, of an unknown architecture, or holds a pickle."""


class BackendUnavailable(ShipdetError):
    """The chosen backend or device is not available on this machine."""


class MissingExtra(ShipdetError):
    """A feature needs an optional package that is not installed."""


class OutOfMemory(ShipdetError):
    """The device's memory is too small, even for the smallest block."""


class StorageFull(ShipdetError):
    """The disk is full, or the results folder is not writable."""


class BadJob(ShipdetError):
    """A job's message is invalid, or another job has its name."""


class UnknownJob(ShipdetError):
    """There is no job with this id or name."""


class NotYours(ShipdetError):
    """Only the person who submitted the job, or the operator, may do this."""


class EngineUnreachable(ShipdetError):
    """An engine of the cluster is not configured, or does not answer."""


class Busy(ShipdetError):
    """Another run uses a resource that this one needs."""


def log_unexpected(error: Exception, what: str) -> None:
    """Log an error with its traceback, unless it is a :class:`ShipdetError`.

    Args:
        error: Any exception.
        what: What failed, such as "a run".
    """
    if not isinstance(error, ShipdetError):
        log.error("%s failed", what, exc_info=error)


def sentence(error: Exception) -> str:
    """Return the sentence to show for an error: its message, or a reference to the log.

    Args:
        error: Any exception.

    Returns:
        The message of a :class:`ShipdetError`; a general sentence for all others.
    """
    if isinstance(error, ShipdetError):
        return str(error)
    return "Something unexpected went wrong; the server's log has the details."
