"""Write a model's card from its config.json and metrics.json, so that no figure is typed.

python -m training.evaluation.card --model weights/shipdet-pico
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

FRONT = """---
license: cc-by-sa-4.0
library_name: timm
pipeline_tag: image-classification
tags: [ship-detection, remote-sensing, convnext]
model-index:
- name: {name}
  results:
{results}---
"""
RESULT = """  - task: {{type: object-detection}}
    dataset: {{name: "{dataset}", type: {slug}}}
    metrics:
    - {{type: f1, value: {f1}}}
    - {{type: precision, value: {precision}}}
    - {{type: recall, value: {recall}}}
    - {{type: average-precision, value: {ap}}}
"""
COLUMNS = (
    "ships", "found", "false_alarms", "precision", "recall", "f1", "recall_over_60_m",
    "length_error_median_over_60_m", "false_alarms_per_100_km2",
)  # fmt: skip
HEADINGS = (
    "ships", "found", "false", "precision", "recall", "F1", "recall > 60 m",
    "length error > 60 m", "false per 100 km2",
)  # fmt: skip


def shown(value: float | int | None) -> str:
    """A figure for a table; a dash where there is none. Never rounded up."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{int(value * 1000) / 1000:.3f}"


def row(name: str, how: str, figures: dict[str, Any]) -> str:
    """A line of the table of figures at the stored threshold."""
    at = figures["at_threshold"]
    cells = [shown(at[column]) for column in COLUMNS]
    best = shown(figures["at_best_f1"]["f1"])
    ap = shown(figures["average_precision"])
    return f"| {name} | {how} | {' | '.join(cells)} | {ap} | {best} |"


def table(metrics: dict[str, Any]) -> str:
    """All scenes, in every way they were searched, and the pool of the raw ones."""
    lines = [
        f"| scene | picture | {' | '.join(HEADINGS)} | AP | best F1 |",
        "|---" * (len(HEADINGS) + 4) + "|",
    ]
    for name, ways in metrics["scenes"].items():
        lines += [row(name, how, figures) for how, figures in ways.items()]
    lines.append(row("all", "raw", metrics["all_scenes"]))
    return "\n".join(lines)


def land_table(land: dict[str, dict[str, Any]]) -> str:
    """False alarms on scenes without ships."""
    lines = ["| land without ships | false | per 100 km2 |", "|---|---|---|"]
    for name, at in land.items():
        density = shown(at["false_alarms_per_100_km2"])
        lines.append(f"| {name} | {at['false_alarms']} | {density} |")
    return "\n".join(lines)


def water_table(metrics: dict[str, Any]) -> str:
    """False alarms on open sea and elsewhere, and recall by length, over all scenes."""
    at = metrics["all_scenes"]["at_threshold"]
    lines = [
        "False alarms per 100 km2: "
        f"{shown(at['false_alarms_per_100_km2_of_open_sea'])} on open sea, "
        f"{shown(at['false_alarms_per_100_km2_of_the_rest'])} on land, along shores and in "
        "harbours (scenes without an outline of the sea count as the latter).",
        "",
        "| length | ships | found |",
        "|---|---|---|",
    ]
    for name, counts in at["by_length_m"].items():
        lines.append(f"| {name} m | {counts['ships']} | {counts['found']} |")
    return "\n".join(lines)


def card(name: str, config: dict[str, Any], metrics: dict[str, Any], notes: str) -> str:
    """The text of the card."""
    block = config["shipdet"]
    results = "".join(
        RESULT.format(
            dataset=scene,
            slug=scene.split("/")[0],
            ap=shown(ways["raw"]["average_precision"]),
            **{k: shown(ways["raw"]["at_threshold"][k]) for k in ("f1", "precision", "recall")},
        )
        for scene, ways in metrics["scenes"].items()
        if None not in (ways["raw"]["at_threshold"][k] for k in ("f1", "precision", "recall"))
    )
    parts = [
        FRONT.format(name=name, results=results),
        f"# {name}",
        f"`{config['architecture']}` of timm, two classes (`no_ship`, `ship`). A window is "
        f"{block['window_m']:g} m of ground on {block['window_px']} px, taken from imagery of at "
        f"most {block['gsd_max_m']:g} m per pixel. The score is calibrated, "
        f"sigmoid({block['calibration']['scale']} x (logit of ship - logit of no ship) + "
        f"{block['calibration']['bias']}); the operating threshold is {block['threshold']}.",
        notes.strip(),
        f"## Figures\nAt the stored threshold, {metrics['scoring']} scoring at stride "
        f"{metrics['stride_px']} px, {metrics['views']} views averaged. A detection "
        "counts when its centre lies in the ship's box grown by 30 m or within 84 m of its centre; "
        "one detection per ship; ships under 25 m and unknown regions count neither way.",
        table(metrics),
        water_table(metrics),
    ]
    if "land" in metrics:
        parts.append(land_table(metrics["land"]))
    if "dense_against_exact" in metrics:
        both = metrics["dense_against_exact"]
        parts.append(
            f"Dense against exact scores on {both['windows']} windows: correlation "
            f"{shown(both['correlation'])}, mean difference {shown(both['mean_difference'])}."
        )
    if "windows_like_chips" in metrics:
        cut = metrics["windows_like_chips"]
        values = ", ".join(
            f"{kind} {shown(one['right'])} of {one['windows']}" for kind, one in cut.items()
        )
        parts.append(
            "Single windows cut from these scenes in the manner of shipsnet's chips, classified "
            f"rightly at a score of 0.5 by models that had not seen the scene: {values}."
        )
    if "chips" in metrics:
        values = ", ".join(f"{k} {shown(v)}" for k, v in metrics["chips"].items())
        parts.append(f"Accuracy on shipsnet chips: {values}.")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--notes", type=Path, required=True, help="data, recipe, limits, licence")
    arguments = parser.parse_args()
    folder: Path = arguments.model
    config = json.loads((folder / "config.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    text = card(folder.name, config, metrics, arguments.notes.read_text())
    (folder / "README.md").write_text(text)


if __name__ == "__main__":
    main()
