"""A Python worker of Spark: take blocks and run them for a few seconds."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial

from shipdet.cluster.engines.database import Database
from shipdet.cluster.engines.objects import ObjectStore
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.retention import keep_object
from shipdet.cluster.store.statements import Claim
from shipdet.cluster.work.block_search import search_block
from shipdet.cluster.work.joining import join_job
from shipdet.cluster.work.scratch import remove_abandoned, scratch_folder
from shipdet.cluster.work.shared_tile_cache import SharedTileCache
from shipdet.errors import (
    EngineUnreachable,
    OutOfMemory,
    ProviderUnreachable,
    ShipdetError,
    StorageFull,
)
from shipdet.imagery.cache import open_caches_with
from shipdet.progress import Steps
from shipdet.settings import Settings

#: Length of a turn, after which a worker returns its slot to Spark.
TURN_S = 5.0
#: Errors that another attempt may avoid.
PASSING = (EngineUnreachable, OutOfMemory, ProviderUnreachable, StorageFull)

log = logging.getLogger(__name__)


class Lost(Exception):
    """The claim is lost: the job is cancelled, or the lease has ended."""


def take_turn(settings: Settings, turn_s: float = TURN_S) -> int:
    """Run blocks for about ``turn_s`` seconds, or until none is free.

    Models stay loaded in the process between turns.

    Returns:
        The number of blocks.
    """
    end, done = time.monotonic() + turn_s, 0
    store, objects = _engines(settings)
    while True:
        claim = store.claim(_worker_name(), settings.cluster_lease_s)
        if claim is None:
            return done
        run_claim(claim, store, objects, settings)
        done += 1
        if time.monotonic() > end:
            return done


def run_claim(claim: Claim, store: Store, objects: ObjectStore, settings: Settings) -> None:
    """Run one block; it ends as done, queued or failed. Raises no errors of the block."""
    if claim.attempt > settings.cluster_attempts:
        store.fail_block(claim, "The worker died in every attempt: give it more memory.")
        return
    try:
        with _lease(claim, store, settings) as lost, scratch_folder() as folder:
            work = join_job if claim.joins else search_block
            _drive(work(claim, store, objects, folder, settings), lost)
    except Lost:
        log.info("the claim of block %s of %s was lost", claim.block.number, claim.job_id)
    except ShipdetError as error:
        _requeue_or_fail(claim, store, str(error), isinstance(error, PASSING), settings)
    except Exception as error:  # a block must not stop the stream
        log.exception("block %s of %s failed", claim.block.number, claim.job_id)
        kind = type(error).__name__
        sentence = f"The block failed unexpectedly ({kind}); the worker's log has the details."
        _requeue_or_fail(claim, store, sentence, True, settings)


def _requeue_or_fail(
    claim: Claim, store: Store, reason: str, passing: bool, settings: Settings
) -> None:
    # If the database does not answer, the block becomes free when its lease ends.
    with suppress(EngineUnreachable):
        if passing and claim.attempt < settings.cluster_attempts:
            after_s = settings.cluster_retry_s * 2.0 ** (claim.attempt - 1)
            store.repeat_block(claim, reason, after_s)
        else:
            store.fail_block(claim, reason)


def _drive(steps: Steps[None], lost: threading.Event) -> None:
    """Run a step to its end; close it if the claim is lost."""
    try:
        for _ in steps:
            if lost.is_set():
                raise Lost
    finally:
        steps.close()


@contextmanager
def _lease(claim: Claim, store: Store, settings: Settings) -> Iterator[threading.Event]:
    """Renew a lease during the ``with`` block; yield an event that is set if the claim is lost."""
    lost, over = threading.Event(), threading.Event()
    lease_s = settings.cluster_lease_s

    def renew() -> None:
        while not over.wait(lease_s / 4):
            # An unreachable database does not mean that the claim is lost.
            with suppress(EngineUnreachable):
                if not store.renew(claim, lease_s):
                    lost.set()
                    break
        store.database.close()

    thread = threading.Thread(target=renew, name="shipdet-lease", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        over.set()
        thread.join()


@lru_cache(maxsize=2)
def _engines(settings: Settings) -> tuple[Store, ObjectStore]:
    """Open the stores and the shared tile cache once per process.

    Also removes the folders of killed workers.
    """
    remove_abandoned()
    shared = ObjectStore(settings, repeats=0)  # the cache must not delay a block
    open_caches_with(lambda s, provider, digest: SharedTileCache(s, provider, digest, shared))
    store = Store(Database(settings.postgres))
    return store, ObjectStore(settings, before_put=partial(keep_object, store))


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
