"""Generate a model's card and the accuracy table of the README from its metrics.json.

    python -m training.evaluation.card --model weights/shipdet-pico \
        --notes training/configs/shipdet_pico.md --readme README.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from export.ship_rule import CRAFT_M, GROWN_M, SHORTEST_M
from training.evaluation.evaluate import SHIPS, cut, table
from training.paths import CONFIGS

FRONT = """---
license: {license}
library_name: timm
pipeline_tag: image-classification
tags: [ship-detection, remote-sensing, convnext]
model-index:
- name: {name}
  results:
{results}---
"""
RESULT = """  - task: {{type: object-detection}}
    dataset: {{name: "{title}", type: {name}}}
    metrics:
    - {{type: f1, value: {f1}}}
    - {{type: precision, value: {precision}}}
    - {{type: recall, value: {recall}}}
    - {{type: average-precision, value: {ap}}}
"""
#: The README's table omits sets with fewer ships.
FEWEST_SHIPS = 10
#: Markers around the accuracy table in the README; docs/accuracy.md includes the text between them.
BEGIN, END = "<!-- --8<-- [start:accuracy] -->\n", "<!-- --8<-- [end:accuracy] -->\n"
#: License of the weights: the most restrictive terms of the sources that apply to weights.
LICENSE = "cc-by-sa-4.0"


def sources() -> dict[str, dict[str, str]]:
    """Read the imagery, source and terms of every set."""
    found: dict[str, dict[str, str]] = yaml.safe_load((CONFIGS / "sources.yaml").read_text())
    return found


def front(name: str, metrics: dict[str, Any]) -> str:
    """Format the card's metadata, with the figures of every set that has ships."""
    results = "".join(
        RESULT.format(
            title=SHIPS.get(key, key),
            name=key,
            **{figure: cut(value[figure]) for figure in ("f1", "precision", "recall", "ap")},
        )
        for key, value in metrics["sets"].items()
        if value["ships"]
    )
    return FRONT.format(license=LICENSE, name=name, results=results)


def sources_table(metrics: dict[str, Any]) -> str:
    """Format a Markdown table of the sets: evaluated ships, source and terms."""
    lines = ["| set | imagery | ships judged | source | terms |", "|---|---|---|---|---|"]
    for name, entry in sources().items():
        ships = metrics["sets"].get(name, {}).get("ships") or "–"
        lines.append(
            f"| {name} | {entry['imagery']} | {ships} | {entry['source']} | {entry['terms']} |"
        )
    return "\n".join(lines)


def card(name: str, config: dict[str, Any], metrics: dict[str, Any], notes: str) -> str:
    """Format the card.

    Args:
        name: Name of the model.
        config: Content of its config.json.
        metrics: Content of its metrics.json.
        notes: Markdown about recipe and limits.
    """
    block = config["shipdet"]
    judge = block["map"]["judge"]
    coarsest_m = block["window_m"] / block["window_px"]
    finest_m = block["map"].get("gsd_min_m") or coarsest_m
    weights = ", ".join(f"{weight:.3g}" for weight in judge["weights"])
    parts = [
        front(name, metrics),
        f"# {name}",
        f"`{config['architecture']}` of timm with two outputs. The classifier labels a window of "
        f"{block['window_px']} px as `no_ship` or `ship` "
        "(model.safetensors, which timm loads directly). The map head uses the same features and "
        "predicts, for every 4 px, water, hulls, and the center, length, width and axis of a ship "
        f"(map_head.safetensors). Images are searched at their own scale, limited to "
        f"{finest_m:.2g} to {coarsest_m:.2g} m per pixel; use imagery of at most "
        f"{block['gsd_max_m']:g} m. A "
        f"ship's score is a logistic regression on both outputs (weights {weights}, bias "
        f"{judge['bias']:.3g}); the operating threshold is {block['threshold']}.",
        notes.strip(),
        "## Figures\nAll figures are measured at the stored threshold, on places that the model's "
        "fold had not seen. The judge was fitted on the model's training places, the threshold on "
        "those of the figures. Figures are truncated, not rounded. A detection is correct if its "
        f"center lies in the ship's box enlarged by {GROWN_M:g} m; each ship matches at most one "
        f"detection. Ships shorter than {SHORTEST_M:g} m are not counted, but one shorter than "
        f"{CRAFT_M:g} m that is measured as {SHORTEST_M:g} m or longer is a false alarm. Unknown "
        "regions are ignored.",
        table(metrics),
        "## Sources\n" + sources_table(metrics),
    ]
    return "\n\n".join(parts) + "\n"


def summary(metrics: dict[str, Any], threshold: float) -> str:
    """Format the README's table: accuracy by set, and false alarms where there are no ships."""
    sets = [(title, metrics["sets"].get(key)) for key, title in SHIPS.items()]
    rows = [(title, value) for title, value in sets if value and value["ships"] >= FEWEST_SHIPS]
    lines = [
        "| places that the model has not seen | ships | precision | recall | F1 | AP |",
        "|---|---|---|---|---|---|",
    ]
    for title, value in [*rows, ("all", metrics["all"])]:
        figures = " | ".join(cut(value[key]) for key in ("precision", "recall", "f1", "ap"))
        lines.append(f"| {title} | {value['ships']} | {figures} |")
    land, shore = (cut(metrics[key]["false_per_100km2"], 1) for key in ("land", "shore"))
    lines.append(
        f"\nFalse alarms per 100 km²: {land} on land without water, {shore} along shores without "
        f"ships. Threshold {threshold}; the measured model was trained without these places, one "
        "fold of three."
    )
    return "\n".join(lines) + "\n"


def with_summary(readme: str, text: str) -> str:
    """Replace the accuracy table in the text of the README.

    Raises:
        ValueError: The README has no markers around the table.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError("the README has no markers around its accuracy table")
    return before + begin + text + end + after


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--notes", type=Path, required=True, help="Markdown about recipe and limits"
    )
    parser.add_argument("--readme", type=Path, help="README in which to replace the table")
    arguments = parser.parse_args()
    folder: Path = arguments.model
    config = json.loads((folder / "config.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    text = card(folder.name, config, metrics, arguments.notes.read_text())
    (folder / "README.md").write_text(text)
    if arguments.readme:
        short = summary(metrics, config["shipdet"]["threshold"])
        arguments.readme.write_text(with_summary(arguments.readme.read_text(), short))


if __name__ == "__main__":
    main()
