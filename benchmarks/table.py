"""Format the figures as a Markdown table with targets, and reasons for missed targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: Key of the figure.
        work: What is compared.
        target: Target value.
        reason: Why the target is missed, if it is.
        most: Whether the target is an upper limit instead of a lower one.
        unit: Unit of figure and target.
        bf16: Target on processors that are faster in bf16, if different.
    """

    name: str
    work: str
    target: float
    reason: str = ""
    most: bool = False
    unit: str = "x"
    bf16: float | None = None


ROWS = (
    Row(
        "dense_vs_naive",
        "search of a 2,048 x 2,048 scene, against one PIL crop at a time (stride 112)",
        15.0,
        "windows at stride 112 overlap by half, so sharing saves a factor of 4 at most, less the "
        "margins of the canvases; the rest has to come from the number format",
    ),
    Row(
        "dense_vs_exact",
        "windows one cell apart in one pass, against batches of windows",
        20.0,
        "sharing saves (window / cell) squared, 64 for a window of 128 px and a cell of 16, less "
        "the overlap of the canvases and the mirrored pixels at the edges of the image",
    ),
    Row(
        "upscale_vs_realesrganer",
        "x4plus against RealESRGANer, tile 256",
        2.0,
        "blocks overlap by 48 px instead of its 10 px, which removes the seams but costs 1.3 to "
        "1.6 times the pixels",
        bf16=8.0,
    ),
    Row(
        "openvino_vs_torch_classifier",
        "OpenVINO against PyTorch fp32, classifier",
        3.0,
        "in 8 bits, products take less than half of the time; layer norms, sums, depthwise "
        "convolutions and the map head stay in float32, and without AVX-512 BF16 or AMX, bf16 "
        "gains nothing",
    ),
    Row(
        "openvino_vs_torch_upscaler",
        "OpenVINO against PyTorch fp32, upscaler",
        2.0,
        "without faster bf16, both run at the speed of the underlying matrix products",
    ),
    Row(
        "search_vs_pass",
        "whole search of a harbor at 3 m, including files, against one bare pass of the network",
        1.6,
        "canvases overlap their neighbors by 64 pixels and extend as far beyond the image, which "
        "is a quarter more pixels; the rest is reading the image and writing its files",
        most=True,
    ),
    Row(
        "first_ships",
        "time until the harbor search shows its first ships, as a fraction of the whole",
        0.5,
        "the image has few canvases, and the first ones show no ship",
        most=True,
        unit="",
    ),
    Row(
        "sample_vs_before",
        "whole search of the sample, against the older checkout",
        5.0,
        "the rest is the network, which takes a quarter of the time of the older checkout",
    ),
    Row(
        "large_vs_before",
        "whole search of a large GeoTIFF, against the older checkout",
        4.0,
        "the rest is the network, and reading and writing the image",
    ),
    Row(
        "cluster_two",
        "a large area on a cluster, two workers against one",
        1.85,
        "one worker joins the blocks into one image, and both share their processors with the "
        "engines",
    ),
    Row(
        "selective_speed",
        "super-resolution of a roadstead, whole against only around candidates",
        1.0,
        "searching the raw image takes longer than enlarging the skipped blocks",
    ),
    Row("fetch_parallel", "100 tiles at 50 ms, four connections against one", 3.0),
    Row("fetch_again_requests", "requests of a second download", 0, most=True, unit=""),
    Row("upscale_memory", "peak memory of RealESRGANer over ours", 2.0),
    Row(
        "overlap",
        "download then search, against search during the download, at equal speeds",
        1.3,
        "the search starts once the first canvas is complete, and shares the processors with the "
        "server and the decoding",
    ),
    Row(
        "large_peak_mb",
        "memory above the loaded model for a GeoTIFF searched in pieces",
        1536,
        most=True,
        unit=" MB",
    ),
    Row("import_s", "`import shipdet`", 0.3, most=True, unit=" s"),
    Row(
        "page_s",
        "start of the installed app until the page responds",
        5.0,
        "importing gradio takes more than a third of it",
        most=True,
        unit=" s",
    ),
    Row("page_mb", "memory of the app before the first search", 700, most=True, unit=" MB"),
    Row(
        "detection_loads_s",
        "time to get the models in a second search",
        0.05,
        most=True,
        unit=" s",
    ),
)


def table(figures: dict[str, Any]) -> str:
    """Format one row per figure, followed by a description of the machine."""
    known = {**figures["further"], **figures["ratios"]}
    lines = ["| work | measured | target | |", "|---|---|---|---|"]
    for row in ROWS:
        if row.name not in known:
            continue
        value, target = float(known[row.name]), row.target
        if row.bf16 is not None and figures["machine"]["precision"] == "bf16":
            target = row.bf16
        met = value <= target if row.most else value >= target
        sign = "at most" if row.most else "at least"
        backend = known.get(f"{row.name}_backend")
        work = f"{row.work} ({_title(backend)})" if backend else row.work
        if row.name == "large_peak_mb":
            work += f", {known['large_width_px']:,.0f} px square"
        verdict = "met" if met else f"missed: {row.reason}" if row.reason else "missed"
        lines.append(
            f"| {work} | {value:.4g}{row.unit} | {sign} {target:g}{row.unit} | {verdict} |"
        )
    here = figures["machine"]
    lines += [
        "",
        f"{here['cpu']}, {here['threads']} of {here['cores']} cores used, {here['memory_gb']} GB, "
        f"load {here['load']} from other work; PyTorch {here['torch']} and "
        f"OpenVINO {here['openvino']} in {here['precision']}; the {figures['effort']} form.",
    ]
    return "\n".join(lines) + "\n"


def rounded(values: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """Return the figures rounded to ``digits`` decimals, including nested ones."""

    def shorter(value: Any) -> Any:
        if isinstance(value, dict):
            return rounded(value, digits)
        return round(value, digits) if isinstance(value, float) else value

    return {name: shorter(value) for name, value in values.items()}


def _title(backend: str) -> str:
    return {"torch": "PyTorch", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}[backend]
