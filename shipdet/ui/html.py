"""HTML of the page, independent of gradio."""

import html
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from shipdet.errors import ShipdetError, sentence
from shipdet.pipeline import Estimate, Run
from shipdet.progress import STAGE_TITLES, Progress, Stage
from shipdet.words import number_of

BACKENDS = {"torch": "PyTorch", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}

IDLE = (
    '<div class="sd-card sd-idle"><h3>Ready</h3><ol>'
    "<li>Drop images on the page, draw a rectangle on the map, or keep the sample harbor.</li>"
    "<li>Select the imagery and, optionally, super-resolution.</li>"
    "<li>Press <b>Detect ships</b>.</li></ol></div>"
)
NO_RESULTS = (
    '<div class="sd-card sd-empty"><h3>No results yet</h3>'
    "<p>Detected ships appear here and on the map, with the image at full resolution, a crop of "
    "each ship, a table, review and downloads. <b>Try the sample</b> needs no network. Earlier "
    "runs are in the <a href='runs' target='_blank'>history</a>.</p></div>"
)
WAITING = (
    '<div class="sd-card" role="status"><h3>Waiting in the queue</h3>'
    '<div class="sd-bar sd-busy"><i></i></div>'
    "<p>The machine processes one run at a time; this run starts when the machine is free. It "
    "continues if you close this page. Open the page again within a day to see the run here and "
    "in the <a href='runs' target='_blank'>history</a>.</p></div>"
)
CANCELLED = (
    '<div class="sd-card" role="status"><h3>Cancelled</h3>'
    "<p>The run was stopped and its files were removed; of several runs, the finished ones are "
    "kept. Change a setting and try again.</p></div>"
)


def error_box(error: Exception) -> str:
    """Return a box with an error as one sentence."""
    text = html.escape(sentence(error))
    return f'<div class="sd-card sd-error" role="alert"><h3>Error</h3><p>{text}</p></div>'


def not_yet(error: ShipdetError) -> str:
    """Return a box with the error that prevents a run, in place of the estimate."""
    text = html.escape(str(error))
    head = "<h3>Cannot start yet</h3>"
    return f'<div class="sd-card sd-warning" role="status">{head}<p>{text}</p></div>'


def duration(seconds: float) -> str:
    """Return a duration as short text, such as "5 min"."""
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 129_600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} d"


def estimate_box(estimate: Estimate) -> str:
    """Return the estimate of the next run."""
    scale = f"{estimate.gsd_m:.2g} m per pixel"
    if estimate.searched_gsd_m < estimate.gsd_m:
        scale += f", {estimate.searched_gsd_m:.2g} m after super-resolution"
    facts = (
        f"{estimate.tiles:,} tiles",
        f"{estimate.width_px:,} × {estimate.height_px:,} px",
        scale,
        f"{estimate.download_mb:.1f} MB",
        f"about {duration(estimate.seconds)}",
    )
    return facts_box(facts, estimate.notes)


def facts_box(facts: Iterable[str], notes: Iterable[str] = ()) -> str:
    """Return a line of facts with the notes below it."""
    items = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    return f'<div class="sd-estimate" role="status"><ul>{items}</ul>{notes_box(notes)}</div>'


def hint(text: str) -> str:
    """Return a plain line in place of the estimate."""
    return f'<div class="sd-estimate"><p>{html.escape(text)}</p></div>'


def notes_box(notes: Iterable[str]) -> str:
    """Return sentences below a line of facts; "" if there are none."""
    lines = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    return f'<div class="sd-notes">{lines}</div>' if lines else ""


@dataclass
class ProgressPanel:
    """Converts a run's events to the panel's HTML; one per run."""

    started: float = field(default_factory=time.monotonic)
    stage_started: float = 0.0
    current: Progress | None = None
    finished: dict[Stage, float] = field(default_factory=dict)
    note: str = ""
    sighted: int = 0

    def show(self, event: Progress) -> str:
        """Return the panel after an event."""
        now = time.monotonic()
        current = self.current
        if current and event.stage in self.finished and event.fraction >= 1:
            event = current  # a finished stage reports its end again
        if self.current is None or event.stage != self.current.stage:
            if self.current is not None:
                taken = self.finished.get(self.current.stage, 0.0)
                self.finished[self.current.stage] = taken + now - self.stage_started
            self.stage_started = now
        self.note = event.note or self.note
        if event.sighted is not None:
            self.sighted = len(event.sighted.ships)
        elif event.stage == "detect":  # the next of several searches begins
            self.sighted = 0
        self.current = event
        # A search alternates with the download, so only the stages before this one are finished.
        before = itertools.takewhile(lambda stage: stage != event.stage, STAGE_TITLES)
        rows = "".join(
            f"<li><span>{STAGE_TITLES[stage]}</span><em>{duration(self.finished[stage])}</em></li>"
            for stage in before
            if stage in self.finished
        )
        head = f"<h3>{event.title}<em>{html.escape(event.count)}</em></h3>"
        return (
            f'<div class="sd-card" role="status">{head}'
            f'{_bar(event)}<p class="sd-time"><span>{duration(now - self.started)} so far</span>'
            f"<span>{self._remaining(event, now)}</span></p>{self._early()}"
            f'<ol class="sd-stages">{rows}</ol>{notes_box([self.note] if self.note else [])}</div>'
        )

    def _early(self) -> str:
        text = f"{ships(self.sighted).capitalize()} so far"
        return f"<p>{text} (provisional).</p>" if self.sighted else ""

    def _remaining(self, event: Progress, now: float) -> str:
        taken = now - self.stage_started
        if taken < 1 or not 0 < event.fraction < 1:
            return ""
        left = taken * (1 - event.fraction) / event.fraction
        return f"about {duration(max(left, 1))} left in this step"


def _bar(event: Progress) -> str:
    if not event.total:
        return '<div class="sd-bar sd-busy"><i></i></div>'
    percent = round(100 * event.fraction)
    return (
        f'<div class="sd-bar" role="progressbar" aria-label="{event.title}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><i style="width:{percent}%"></i></div>'
    )


def ships(count: int) -> str:
    """Return a number of ships as text."""
    return number_of(count, "ship") if count else "no ship"


def finished_box(run: Run) -> str:
    """Return the panel after a run: ships, weaker candidates, duration."""
    found = len(run.detections)
    line = f"{ships(found).capitalize()} found"
    weaker = sum(ship.score < run.threshold for ship in run.candidates)
    more = number_of(weaker, "candidate") if weaker else "no candidates"
    seconds = run.record["timings"].get("all")
    took = f" The run took {duration(seconds)}." if seconds else ""
    advice = " Lower the threshold to see them." if weaker and not found else ""
    return (
        f'<div class="sd-card sd-success" role="status"><h3>{line}</h3>'
        f"<p>{html.escape(run.title)}. "
        f"Score {_score(run.threshold)} or more; {more} scored lower.{took}{advice}</p>"
        f"{_ran_on(run)}{notes_box(run.notes)}</div>"
    )


def _score(value: float) -> str:
    """Return a threshold with two decimals, or three if it has them."""
    return f"{value:.3f}".removesuffix("0")


def _ran_on(run: Run) -> str:
    """Return the backends that ran the models, from run.json, each once."""
    models = run.record.get("models", {})
    used = [models[role] for role in ("classifier", "upscaler") if role in models]
    ran = dict.fromkeys(
        f"{BACKENDS[model['name']]}, {model['provider']}, {model['precision']}" for model in used
    )
    return f"<p>Ran on {html.escape('; '.join(ran))}.</p>" if ran else ""
