"""Errors that a user can do something about.

Each class stands for one kind of problem. The message is one sentence that the app, the API and
the command line show unchanged, so it says what was wrong and what to do next.
"""


class ShipdetError(Exception):
    """Base of all errors that are shown to the user as one sentence."""


class BadArea(ShipdetError):
    """The area, or a file of areas, is empty, out of range or cannot be read."""


class BadPlace(ShipdetError):
    """The text is not a place, is ambiguous, or lies beyond the map."""


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
    """No provider of that name is in the catalog."""


class ProviderRefused(ShipdetError):
    """The provider's terms, or its server (401/403), do not allow the download."""


class ProviderUnreachable(ShipdetError):
    """The provider's server does not answer, or keeps failing."""


class NoImagery(ShipdetError):
    """The provider answered, but has no usable imagery of the area."""


class BadImage(ShipdetError):
    """The image cannot be used: format, size, channels or content."""


class MissingScale(BadImage):
    """The image has no georeference and no meters per pixel were given."""


class UnknownModel(ShipdetError):
    """No model of that name is bundled, in a local folder or on the hub."""


class BadModel(ShipdetError):
    """A model folder is incomplete, corrupt, of another architecture, or a pickle."""


class BackendUnavailable(ShipdetError):
    """The chosen backend or device does not exist on this machine."""


class MissingExtra(ShipdetError):
    """A feature needs an optional package that is not installed."""


class OutOfMemory(ShipdetError):
    """The device's memory is too small, even for the smallest block."""


class StorageFull(ShipdetError):
    """The disk is full or the results folder cannot be written."""


class BadJob(ShipdetError):
    """A job's message cannot be read, or its name is taken by another job."""


class UnknownJob(ShipdetError):
    """No job of that id or name is known."""


class NotYours(ShipdetError):
    """Only the person who submitted the job, or the operator, may do this."""


class EngineUnreachable(ShipdetError):
    """An engine of the cluster is not configured, or does not answer."""


class Busy(ShipdetError):
    """Another run holds what this one needs."""


def sentence(error: Exception) -> str:
    """The sentence that a user sees of an error, or where to find the details."""
    if isinstance(error, ShipdetError):
        return str(error)
    return "Something unexpected went wrong; the server's log has the details."
