"""Turn each message of the topic into a job or a dead letter."""

import hashlib
import logging

from shipdet.cluster.jobs.job_plan import plan_job
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.queries import add_letter
from shipdet.errors import EngineUnreachable, ShipdetError
from shipdet.settings import Settings

log = logging.getLogger(__name__)


def accept(value: bytes, store: Store, settings: Settings) -> bool:
    """Register the job of a message, or a dead letter if the message is invalid.

    A repeated message changes nothing.

    Args:
        value: The message.
        store: The job store.
        settings: Defaults and limits of jobs.

    Returns:
        Whether a new job was registered.

    Raises:
        EngineUnreachable: The message was not stored and must be read again.
    """
    message = None
    try:
        message = JobMessage.decode(value)
        zoom, blocks = plan_job(message, settings)
        return store.register(message, zoom, blocks)
    except EngineUnreachable:
        raise
    except ShipdetError as error:
        reason = str(error)
    except Exception as error:  # a message must not stop the stream
        log.exception("a message could not be read")
        reason = f"The message cannot be read ({type(error).__name__})."
    _refuse(value, message, reason, store)
    return False


def _refuse(value: bytes, message: JobMessage | None, reason: str, store: Store) -> None:
    reason = reason.replace("\x00", "").encode(errors="replace").decode()
    job_id = ""
    if message is not None:
        try:
            store.register_failed(message, reason)
            job_id = message.id
        except EngineUnreachable:
            raise
        except ShipdetError as error:  # another job has this name: there is no row
            reason = str(error)
        except Exception:  # the dead letter suffices
            log.exception("a refused message could not be registered")
    key = hashlib.sha256(value).hexdigest()
    add_letter(store, key, reason, value, job_id)
