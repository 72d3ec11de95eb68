"""A finished run's results, written again after a change."""

from collections.abc import Callable

from shipdet.errors import BadOption
from shipdet.progress import finish
from shipdet.report.finished_run import Run, read_run
from shipdet.report.folder import replaced_folder, sole_writer
from shipdet.report.writing import copy_pictures, write_results


def rewrite(run: Run, change: Callable[[Run], Run]) -> Run:
    """Change a run and write its results again, without another search.

    The folder is replaced as a whole: a reader sees either the old files or the new ones. Changes
    wait for each other, and each begins with what the one before has left on disk.

    Args:
        run: Which run; it may have been opened before other changes.
        change: Gets the run as it is on disk, and returns it with another record, threshold,
            shortest length or review.

    Returns:
        The run as it is now.

    Raises:
        BadOption: The run was never searched, or was deleted.
    """
    with sole_writer(run.folder):
        before = read_run(run.folder)
        if "ships" not in before.record:
            raise BadOption(
                "This run is imagery that was downloaded and not searched: search its area first."
            )
        after = change(before)
        with replaced_folder(run.folder) as folder:
            copy_pictures(before, folder)
            record = {**after.record, "min_length_m": after.min_length_m}
            finish(write_results(folder, record, after.candidates, after.threshold, after.review))
    return read_run(run.folder)
