"""Search many images and write one summary; a stopped batch can be resumed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shipdet.errors import AreaTooLarge, BadImage, BadOption, ScaleTooCoarse
from shipdet.pipeline.choosing import plan_search
from shipdet.pipeline.running import iter_image
from shipdet.progress import Progress, Steps, labeled, mapped
from shipdet.report import BatchImage, Run, read_run, write_summary
from shipdet.report.folder import as_text, save_file
from shipdet.requests import ImageRequest
from shipdet.settings import Settings, get_settings

#: Errors of a single image; any other error stops the batch.
UNUSABLE = (AreaTooLarge, BadImage, ScaleTooCoarse)

#: Suffixes of the files in a folder that are images.
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True)
class Batch:
    """The result of a batch.

    Attributes:
        folder: Contains one run folder per image, summary.csv, ships.csv, ships.gpkg and
            index.html.
        images: The result of each image, in the order of the input.
    """

    folder: Path
    images: tuple[BatchImage, ...]

    @property
    def ships(self) -> int:
        """Number of ships that count, in all images together."""
        return sum(image.ships or 0 for image in self.images)

    @property
    def failed(self) -> tuple[BatchImage, ...]:
        """The images that could not be searched."""
        return tuple(image for image in self.images if image.error)


def find_images(sources: Sequence[str | Path]) -> list[Path]:
    """Expand files, folders and patterns to image files.

    Args:
        sources: Paths of images, folders of images, and patterns such as ``pictures/*.tif``.

    Returns:
        The files without duplicates, in the order of the sources, sorted within each source.

    Raises:
        BadOption: A folder contains no image, or a pattern matches no file.
    """
    found: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                raise BadOption(f"The folder '{path}' contains no PNG, JPEG or TIFF.")
            found += inside
        elif not path.exists() and any(sign in str(path) for sign in "*?["):
            root = Path(path.anchor) if path.is_absolute() else Path()
            pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
            inside = sorted(p for p in root.glob(pattern) if p.is_file())
            if not inside:
                raise BadOption(f"No file matches '{path}'.")
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def iter_images(
    images: Sequence[Path],
    request: ImageRequest,
    out: Path,
    *,
    settings: Settings | None = None,
) -> Steps[Batch]:
    """Search many images with the same options.

    An image is skipped if ``out`` already has a run of the same file with the same options, so a
    stopped batch can be resumed. An image that cannot be searched is recorded and
    does not stop the batch.

    Args:
        images: The files.
        request: How to search each of them.
        out: The folder for all results, which may contain those of an earlier batch.
        settings: Replaces the settings of the environment.

    Yields:
        Progress events of each run, with the number of the image in the note.

    Returns:
        The result of every image.

    Raises:
        BadOption: A run folder in ``out`` already has other contents.
        StorageFull: The disk is full or ``out`` is not writable.
        ShipdetError: No image can be searched: the model is unknown, or an extra is missing.
    """
    settings = settings or get_settings()
    plan_search(request.search, settings)  # raises errors that concern all images
    done: list[BatchImage] = []
    for number, (image, folder) in enumerate(_places(images, out), start=1):
        label = f"{number} of {len(images)}: {as_text(image.name)}"
        run = _earlier(folder, image, request)
        if run is not None:
            yield Progress("report", number, len(images), "images", f"{label} (done before)")
            done.append(BatchImage(image, folder, run, ""))
            continue
        try:
            steps = iter_image(image, request, out=folder, settings=settings)
            run = yield from mapped(steps, partial(labeled, label=label))
            save_file(folder / STAMP, json.dumps(_stamp(image)))
            done.append(BatchImage(image, folder, run, ""))
        except UNUSABLE as error:
            done.append(BatchImage(image, None, None, str(error)))
    write_summary(out, done)
    return Batch(out, tuple(done))


#: File in a run folder that identifies the searched image.
STAMP = "image.json"


def _places(images: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Assign each image a separate run folder named after it."""
    taken: set[str] = set()
    places = []
    for image in images:
        stem, number = as_text(image.stem), 2
        name = stem
        if name in taken:
            name = as_text(image.name)
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        places.append((image, out / name))
    return places


def _stamp(image: Path) -> dict[str, object]:
    stat = image.stat()
    return {"image": str(image.resolve()), "bytes": stat.st_size, "modified": stat.st_mtime}


def _earlier(folder: Path, image: Path, request: ImageRequest) -> Run | None:
    """Return the run in a folder if it has this image and request, else None."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
        run = read_run(folder)
        same = stamp == _stamp(image)
    except (OSError, ValueError, BadOption):
        return None
    inputs = {key: value for key, value in run.record["inputs"].items() if key != "image"}
    return run if same and inputs == request.model_dump(mode="json") else None
