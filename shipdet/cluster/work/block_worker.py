"""What a Python worker of Spark does: take blocks and run them until its time is over."""

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

TURN_S = 5.0  # after that a worker gives its place back to Spark, so that others get a turn
#: Another attempt may have more luck with these; everything else is wrong for good.
PASSING = (EngineUnreachable, OutOfMemory, ProviderUnreachable, StorageFull)

log = logging.getLogger(__name__)


class Lost(Exception):
    """The block is not this worker's any more: cancelled, or its lease ended."""


def take_turn(settings: Settings, turn_s: float = TURN_S) -> int:
    """Run blocks for about ``turn_s``, or until there are none; returns how many.

    Models stay loaded in the process between turns.
    """
    end, done = time.monotonic() + turn_s, 0
    store, objects = _engines(settings)
    while True:
        claim = store.claim(_name(), settings.cluster_lease_s)
        if claim is None:
            return done
        run_claim(claim, store, objects, settings)
        done += 1
        if time.monotonic() > end:
            return done


def run_claim(claim: Claim, store: Store, objects: ObjectStore, settings: Settings) -> None:
    """Run one block to its end: done, to be repeated, or failed with its job. Raises nothing."""
    if claim.attempt > settings.cluster_attempts:
        store.fail_block(claim, "The worker was lost every time: its memory may be too small.")
        return
    try:
        with _lease(claim, store, settings) as lost, scratch_folder() as folder:
            work = join_job if claim.joins else search_block
            _drive(work(claim, store, objects, folder, settings), lost)
    except Lost:
        log.info("block %s of %s was given up", claim.block.number, claim.job_id)
    except ShipdetError as error:
        _end_badly(claim, store, str(error), isinstance(error, PASSING), settings)
    except Exception as error:  # whatever it is, it must not stop the stream
        log.exception("block %s of %s failed", claim.block.number, claim.job_id)
        sentence = (
            f"The block failed unexpectedly ({type(error).__name__}); the worker's log tells more."
        )
        _end_badly(claim, store, sentence, True, settings)


def _end_badly(claim: Claim, store: Store, reason: str, passing: bool, settings: Settings) -> None:
    # While the database is away nothing can be said: the lease will end and tell the same.
    with suppress(EngineUnreachable):
        if passing and claim.attempt < settings.cluster_attempts:
            after_s = settings.cluster_retry_s * 2.0 ** (claim.attempt - 1)
            store.repeat_block(claim, reason, after_s)
        else:
            store.fail_block(claim, reason)


def _drive(steps: Steps[None], lost: threading.Event) -> None:
    """Run a step to its end, or close it as soon as the claim is lost."""
    try:
        for _ in steps:
            if lost.is_set():
                raise Lost
    finally:
        steps.close()


@contextmanager
def _lease(claim: Claim, store: Store, settings: Settings) -> Iterator[threading.Event]:
    """Keep a claim alive while it is worked on; the event tells that it is lost."""
    lost, over = threading.Event(), threading.Event()
    lease_s = settings.cluster_lease_s

    def renew() -> None:
        while not over.wait(lease_s / 4):
            # The database's own patience is longer than a lease, so silence is not told here.
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
    """Store and objects of this process, and the tile cache that all processes share.

    Called when a worker begins, which is when those killed before it are cleaned up after.
    """
    remove_abandoned()
    shared = ObjectStore(settings, repeats=0)  # a cache that waits is none
    open_caches_with(lambda s, provider, digest: SharedTileCache(s, provider, digest, shared))
    store = Store(Database(settings.postgres))
    return store, ObjectStore(settings, before_put=partial(keep_object, store))


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
