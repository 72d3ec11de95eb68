"""How a search scores: the classifier that was chosen, its stride and its way, their work."""

from shipdet.detect import Scoring, scoring_for
from shipdet.errors import BadModel
from shipdet.models import ClassifierConfig, resolve, resolve_public
from shipdet.models.config import Views
from shipdet.requests import Search
from shipdet.settings import Settings


def chosen_classifier(search: Search, settings: Settings, public: bool = False) -> ClassifierConfig:
    """The chosen classifier's config; loads no network."""
    find = resolve_public if public else resolve
    folder = find(search.model or settings.classifier, settings)
    if not isinstance(folder.config, ClassifierConfig):
        raise BadModel(f"{folder.name} is a model for {folder.task}, not a ship classifier.")
    return folder.config


def chosen_stride_px(search: Search, classifier: ClassifierConfig) -> int:
    """As asked, else one cell."""
    return search.stride or classifier.cell_px


def chosen_scoring(search: Search, classifier: ClassifierConfig) -> Scoring:
    """As asked, else as the model was trained; a stride that divides no cell means exact."""
    wanted = search.scoring or classifier.shipdet.scoring
    return scoring_for(chosen_stride_px(search, classifier), classifier.cell_px, wanted)


def chosen_views(search: Search, classifier: ClassifierConfig) -> Views:
    """As asked, else as many as the model was calibrated with."""
    return search.views or classifier.shipdet.views


def stride_notes(search: Search, classifier: ClassifierConfig) -> tuple[str, ...]:
    """What to tell when a stride forbids the dense scoring that was wanted."""
    wanted = search.scoring or classifier.shipdet.scoring
    if wanted == chosen_scoring(search, classifier):
        return ()
    return (
        f"A stride of {search.stride} does not divide {classifier.cell_px}, so windows are scored "
        "one by one.",
    )


def detect_work(
    raw_px: int, gsd_m: float, search: Search, classifier: ClassifierConfig
) -> tuple[str, float]:
    """Kind and amount of the search's work, for :mod:`shipdet.pace`."""
    block, stride = classifier.shipdet, chosen_stride_px(search, classifier)
    net_px = raw_px * (gsd_m * block.window_px / block.window_m) ** 2
    net_px *= chosen_views(search, classifier)
    if chosen_scoring(search, classifier) == "dense":
        return "detect:dense", net_px * max(1.0, (classifier.cell_px / stride) ** 2)
    return "detect:exact", net_px * (block.window_px / stride) ** 2
