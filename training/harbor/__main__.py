"""Draw the sample and write the files that ``shipdet.imagery.sample`` serves.

    python -m training.harbor --out shipdet/imagery/sample

``harbor.jpg`` is the scene; ``harbor.json`` contains its position and its ships.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.harbor import harbor_layout
from training.harbor.scene import render

QUALITY = 93  # without chroma subsampling: 3 MB, with errors as small as the simulated noise


def truth() -> dict[str, object]:
    """Return the content of harbor.json: position and ships of the scene."""
    ships = [
        {
            "lon": ship.lon,
            "lat": ship.lat,
            "length_m": ship.length_m,
            "width_m": ship.width_m,
            "heading_deg": ship.heading_deg,
            "axis_deg": ship.heading_deg % 180,
            "kind": ship.kind,
            "state": ship.state,
        }
        for ship in harbor_layout.truth()
    ]
    return {
        "zoom": harbor_layout.REFERENCE_ZOOM,
        "left_px": harbor_layout.LEFT_PX,
        "top_px": harbor_layout.TOP_PX,
        "width_px": harbor_layout.WIDTH_PX,
        "height_px": harbor_layout.HEIGHT_PX,
        "ships": ships,
    }


def write(scene: npt.NDArray[np.uint8], folder: Path) -> None:
    """Write a scene and its ground truth to a folder."""
    Image.fromarray(scene).save(folder / "harbor.jpg", quality=QUALITY, subsampling=0)
    text = json.dumps(truth(), indent=1) + "\n"
    (folder / "harbor.json").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="an existing folder")
    write(render(), parser.parse_args().out)


if __name__ == "__main__":
    main()
