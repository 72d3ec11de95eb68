"""Many images in one go: one load of the models, one summary, and going on where it stopped."""

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
from shipdet.report.folder import save_file
from shipdet.requests import ImageRequest
from shipdet.settings import Settings, get_settings

#: What may be wrong with one image of a batch; anything else is wrong for all of them.
UNUSABLE = (AreaTooLarge, BadImage, ScaleTooCoarse)

#: Suffixes of the images that a folder is searched for.
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True)
class Batch:
    """The images of a batch and where the summary is.

    Attributes:
        folder: Holds one run folder per image, summary.csv, ships.csv, ships.gpkg and index.html.
        images: What became of each image, in the order that they were given in.
    """

    folder: Path
    images: tuple[BatchImage, ...]

    @property
    def ships(self) -> int:
        """How many ships count, in all images together."""
        return sum(image.ships or 0 for image in self.images)

    @property
    def failed(self) -> tuple[BatchImage, ...]:
        """The images that could not be searched."""
        return tuple(image for image in self.images if image.error)


def find_images(sources: Sequence[str | Path]) -> list[Path]:
    """The image files that files, folders and patterns stand for, sorted within each of them.

    Args:
        sources: Paths of images, folders of images, and patterns such as ``pictures/*.tif`` that
            the shell has left as they are.

    Raises:
        BadOption: A folder or pattern holds no image.
    """
    found: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                raise BadOption(f"The folder '{path}' holds no PNG, JPEG or TIFF.")
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

    An image whose run is in ``out`` already, made of the same file with the same options, is not
    searched again, so that a batch that was stopped goes on where it was. An image that cannot be
    searched is noted and does not stop the others.

    Args:
        images: The files.
        request: How to search each of them.
        out: The folder for all results; it may hold those of an earlier batch.
        settings: Instead of those of the environment.

    Yields:
        Progress events of each run, with the number of the image in the note.

    Returns:
        What became of every image.

    Raises:
        BadOption: Something in ``out`` is in the way.
        StorageFull: The disk is full or ``out`` cannot be written.
        ShipdetError: No image can be searched so: the model is unknown, an extra is missing.
    """
    settings = settings or get_settings()
    plan_search(request.search, settings)  # what is wrong for all is said before the first
    done: list[BatchImage] = []
    for number, (image, folder) in enumerate(_places(images, out), start=1):
        label = f"{number} of {len(images)}: {image.name}"
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


#: The file that says of which image a batch's run was made.
STAMP = "image.json"


def _places(images: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Each image with a run folder of its own, named after it."""
    taken: set[str] = set()
    places = []
    for image in images:
        name, number = image.stem, 2
        if name in taken:
            name = image.name
        while name in taken:
            name, number = f"{image.stem}-{number}", number + 1
        taken.add(name)
        places.append((image, out / name))
    return places


def _stamp(image: Path) -> dict[str, object]:
    stat = image.stat()
    return {"image": str(image.resolve()), "bytes": stat.st_size, "modified": stat.st_mtime}


def _earlier(folder: Path, image: Path, request: ImageRequest) -> Run | None:
    """The run that is there, if it is of this very image and request."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
        run = read_run(folder)
        same = stamp == _stamp(image)
    except (OSError, ValueError, BadOption):
        return None
    inputs = {key: value for key, value in run.record["inputs"].items() if key != "image"}
    return run if same and inputs == request.model_dump(mode="json") else None
