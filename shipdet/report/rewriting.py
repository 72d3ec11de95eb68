"""Rewrite the results of a finished run after a change."""

from collections.abc import Callable

from shipdet.errors import BadOption
from shipdet.progress import finish
from shipdet.report.finished_run import Run, read_run
from shipdet.report.folder import replaced_folder, sole_writer
from shipdet.report.writing import copy_pictures, write_results


def rewrite(run: Run, change: Callable[[Run], Run]) -> Run:
    """Change a run and rewrite its results, without another search.

    The folder is replaced atomically: a reader sees either the old files or the new ones.
    Concurrent changes run one after another, each on the result of the previous one.

    Args:
        run: The run; other changes may have been made since it was opened.
        change: Takes the run on disk and returns it with another record, threshold, shortest
            length or review.

    Returns:
        The changed run.

    Raises:
        BadOption: The run only downloaded imagery, or was deleted.
        StorageFull: The results cannot be written.
    """
    with sole_writer(run.folder):
        before = read_run(run.folder)
        if "ships" not in before.record:
            raise BadOption("This run only downloaded imagery: search its area first.")
        after = change(before)
        with replaced_folder(run.folder) as folder:
            copy_pictures(before, folder)
            record = {**after.record, "min_length_m": after.min_length_m}
            finish(write_results(folder, record, after.candidates, after.threshold, after.review))
    return read_run(run.folder)
