"""Label the ships in an image in a browser, starting from a model's proposals.

    python -m training.labeling.page --image harbours/new.jpg --gsd 0.6 \
        --model weights/shipdet-pico

The image is below the data folder. Accept, redraw (click the bow, then the stern) or reject each
proposal, or mark it as unsure. The page then shows the whole image, on which you can draw missed
ships. The labels are written to training/labels as coordinates only; labels that are already in
the file are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from shipdet.models import load_classifier
from training.data.labeled import LabeledImage, Picture
from training.labeling.session import Labeling, begin, box_between
from training.paths import data_root


class Desk:
    """State shared by the page's event handlers: the labels, and the box being drawn."""

    def __init__(self, work: Labeling) -> None:
        self.work = work
        self.clicks: list[np.ndarray] = []
        self.drawn: np.ndarray | None = None

    def view(self) -> tuple[Picture, str]:
        """Return the crop and the instructions to show."""
        work = self.work
        picture, _ = work.crop(self.drawn)
        drawing = "now click the stern" if len(self.clicks) == 1 else "click bow and stern"
        if work.current is None:
            drawing = "press Ship to keep it" if self.drawn is not None else drawing
            message = f"{len(work.proposals)} proposals done, {len(work.ships)} ships (green)."
            return picture, f"{message} To add a ship: {drawing}. When all ships are marked, save."
        return picture, f"Proposal {work.at + 1} of {len(work.proposals)}; {drawing} to redraw."

    def click(self, width_m: float, event: gr.SelectData) -> tuple[Picture, str]:
        """Handle a click: the first is the bow, the second the stern."""
        _, matrix = self.work.crop(self.drawn)
        point = np.linalg.solve(matrix[:, :2], np.array(event.index, float) - matrix[:, 2])
        self.clicks.append(point)
        if len(self.clicks) == 2:
            self.drawn = box_between(*self.clicks, width_m / self.work.gsd_m)
            self.clicks = []
        return self.view()

    def decide(self, how: str, kind: str) -> tuple[Picture, str]:
        """Decide on the current proposal: ``how`` is "accept", "refuse" or "open"."""
        work = self.work
        box = work.current if self.drawn is None else self.drawn
        if how == "accept" and box is not None:
            work.accept(box, kind)
        elif how == "refuse":
            work.refuse()
        elif how == "open":
            work.leave_open()
        self.clicks, self.drawn = [], None
        return self.view()


def page(work: Labeling) -> gr.Blocks:
    """Build the page for one image and one user."""
    desk = Desk(work)
    first, message = desk.view()
    with gr.Blocks(title="Label ships", analytics_enabled=False) as blocks:
        text = gr.Markdown(message)
        picture = gr.Image(first, format="png", interactive=False, show_label=False)
        with gr.Row():
            kind = gr.Dropdown(
                ["cargo", "tanker", "navy", "passenger", "barge", "small", "ship"],
                value="ship",
                label="Kind",
            )
            width = gr.Number(20, label="Width of a redrawn box (m)", minimum=1)
            complete = gr.Checkbox(
                label="All ships are labeled or unsure", value=bool(work.kept.get("complete"))
            )
        shown: list[Any] = [picture, text]
        with gr.Row():
            for label, how in (("Ship", "accept"), ("No ship", "refuse"), ("Unsure", "open")):
                button = gr.Button(label, variant="primary" if how == "accept" else "secondary")
                button.click(lambda chosen, how=how: desk.decide(how, chosen), kind, shown)
            save = gr.Button("Save")
        picture.select(desk.click, width, shown)
        save.click(lambda whole: f"Saved as {work.save(whole).name}.", complete, text)
    return blocks


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", required=True, help="path below the data folder")
    parser.add_argument("--gsd", type=float, required=True, help="meters per pixel")
    parser.add_argument("--model", type=Path, default=Path("weights/shipdet-pico"))
    arguments = parser.parse_args()
    classifier = load_classifier(str(arguments.model))
    gsd_m = (arguments.gsd, arguments.gsd)
    path = data_root() / arguments.image
    image = LabeledImage(arguments.image, path, gsd_m, place=arguments.image)
    page(begin(image, classifier)).launch(server_name="127.0.0.1")


if __name__ == "__main__":
    main()
