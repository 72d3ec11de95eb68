"""Search one block."""

from pathlib import Path
from typing import Any

from shipdet import pipeline
from shipdet.cluster.engines.connection_slots import Slots, slots
from shipdet.cluster.engines.objects import ObjectStore
from shipdet.cluster.jobs.block_merging import owned
from shipdet.cluster.jobs.blocks import box_degrees
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.statements import Claim
from shipdet.errors import NoImagery, ProviderUnreachable
from shipdet.imagery import Provider, get_provider
from shipdet.imagery.providers import effective_provider
from shipdet.imagery.sources import NO_PICTURE
from shipdet.progress import Progress, Steps, mapped
from shipdet.report import Run, vector
from shipdet.report.finished_run import PREVIEW
from shipdet.settings import Settings

KEPT = ("mosaic", "overlay")  # kinds of files that are stored


def search_block(
    claim: Claim, store: Store, objects: ObjectStore, folder: Path, settings: Settings
) -> Steps[None]:
    """Search a block and store its candidates and files.

    A block without imagery is done and empty.

    Args:
        claim: The claim of the block.
        store: The job store.
        objects: The object store.
        folder: A temporary folder, which the caller removes.
        settings: Settings of the worker.

    Raises:
        ProviderUnreachable: Tiles are missing that another attempt may fetch.
        ShipdetError: The pipeline fails.
    """
    requested = get_provider(claim.message.provider or settings.provider, settings)
    provider, _ = effective_provider(requested, settings)  # the one that is connected to
    try:
        run = yield from _run(claim, store, provider, folder, settings)
    except NoImagery as error:
        record = {"empty": True, "notes": [str(error)]}
        store.complete_block(claim, {"floor": 1.0, "items": []}, {}, record)
        return
    if claim.attempt < settings.cluster_attempts:
        _check_complete(run, provider)
    yield Progress("report", 0, 1, "files", "to the object store")
    keys = {kind: objects.put_file(run.files[kind]) for kind in KEPT}
    keys["preview"] = objects.put_file(run.folder / PREVIEW)
    candidates = owned(claim.block, run.candidates)
    store.complete_block(claim, vector.as_dict(candidates), keys, _record(run))
    yield Progress("report", 1, 1, "files")


def _run(
    claim: Claim, store: Store, provider: Provider, folder: Path, settings: Settings
) -> Steps[Run]:
    """Run the pipeline on a block with its share of the provider's connections."""
    box = box_degrees(claim.block.box, claim.zoom)
    request = claim.message.request(box.as_tuple(), claim.zoom)
    own = {"runs_dir": folder / "runs", "connections_per_host": 1}
    with slots(store.database, provider.id, settings.cluster_connections) as held:
        if provider.kind != "sample":
            own["connections_per_host"] = yield from held.take(settings.cluster_block_connections)
        steps = pipeline.iter_area(
            request, out=folder / "run", settings=settings.model_copy(update=own), untrusted=True
        )
        return (yield from _while_fetching(steps, held))


def _while_fetching(steps: Steps[Run], held: Slots) -> Steps[Run]:
    """Pass on the events of a run; release the connections after the last tile."""

    def watched(event: Progress) -> Progress:
        # At the last tile instead of the next stage, because stages may overlap.
        if event.stage == "report" or (event.stage == "fetch" and event.done >= event.total):
            held.give_back()
        return event

    return mapped(steps, watched)


def _check_complete(run: Run, provider: Provider) -> None:
    """Raise ProviderUnreachable if tiles are missing that the provider may have."""
    reasons = run.record["source"]["details"].get("missing_reasons", {})
    failed = {reason: count for reason, count in reasons.items() if reason != NO_PICTURE}
    if failed:
        raise ProviderUnreachable(
            f"{sum(failed.values())} tiles of {provider.title} could not be "
            f"fetched ({next(iter(failed))}): the block is tried again."
        )


def _record(run: Run) -> dict[str, Any]:
    """Return the part of a block's run record that the job needs."""
    record, source = run.record, run.record["source"]
    return {
        "threshold": run.threshold,
        "timings": record["timings"],
        "tiles": {how: source[how] for how in ("fetched", "cached", "missing")},
        "source": {k: source[k] for k in ("source", "title", "attribution", "license")},
        "models": record["models"],
        "super_resolution": record["super_resolution"],
        "notes": record["notes"],
    }
