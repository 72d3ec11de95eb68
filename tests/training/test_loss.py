"""The losses: what is unknown has no gradient, in any task."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from shipdet.models.map_channels import MAP_CHANNELS
from training.canvases.canvas import Canvas, CanvasShip
from training.canvases.targets import targets
from training.canvases.windows import NO_SHIP, SHIP, UNKNOWN
from training.data.labeled import LAND, WATER
from training.data.labeled import UNKNOWN as UNKNOWN_GROUND
from training.learning.loss import map_loss, rates, small_craft, window_loss

SIDE = 128
CELLS = SIDE // 4


def batch(**given: Any) -> dict[str, Tensor]:
    """The targets of one canvas: a ship in its right half, water, everything known."""
    corners = np.array([(70, 60), (110, 60), (110, 70), (70, 70)], float)
    made = targets(
        Canvas(
            **{
                "pixels": np.zeros((SIDE, SIDE, 3), np.uint8),
                "ships": (CanvasShip(corners, True, corners, 75.0, 30.0, True),),
                "known": np.ones((SIDE, SIDE), np.bool_),
                "water": np.full((SIDE, SIDE), WATER, np.uint8),
                "smallest": np.full((SIDE, SIDE), 4.0, np.float32),
                **given,
            }
        )
    )
    return {name: torch.from_numpy(np.asarray(value)[None]) for name, value in made.items()}


def gradients(given: dict[str, Tensor], length: float = 3.0) -> dict[str, np.ndarray]:
    """Magnitude of the loss's gradient, by channel."""
    torch.manual_seed(0)
    maps = torch.randn(1, len(MAP_CHANNELS), CELLS, CELLS)
    maps[:, MAP_CHANNELS.index("log_length")] = length
    maps.requires_grad_()
    loss, _ = map_loss(maps, given)
    (found,) = torch.autograd.grad(loss, maps)
    return dict(zip(MAP_CHANNELS, found[0].abs().numpy(), strict=True))


def test_a_pixel_that_is_unknown_has_no_gradient_in_any_task() -> None:
    known = np.ones((SIDE, SIDE), np.bool_)
    known[:, :40] = False
    water = np.full((SIDE, SIDE), WATER, np.uint8)
    water[:, :40] = UNKNOWN_GROUND
    found = gradients(batch(known=known, water=water))
    for name, value in found.items():
        assert value[:, :10].max() == 0, name
    assert found["center"][:, 11:].min() > 0
    assert found["hull"][:12, 11:].min() > 0
    assert found["water"][:12, 11:].min() > 0


def test_sizes_are_asked_at_centers_only() -> None:
    found = gradients(batch())
    for name in ("dx", "dy", "log_length", "log_width", "cos2", "sin2"):
        rows, columns = np.nonzero(found[name])
        assert 0 < len(rows) <= 9, name
        assert (abs(rows - 16) <= 1).all() and (abs(columns - 22) <= 1).all(), name


def test_unlabeled_small_craft_are_not_taught_to_be_none() -> None:
    """Where the network sees a shorter craft than what is labeled, it is not taught no."""
    coarse = batch(smallest=np.full((SIDE, SIDE), 30.0, np.float32))
    short, long = gradients(coarse, np.log(15.0)), gradients(coarse, np.log(60.0))
    assert short["center"][:10, :10].max() == 0
    assert long["center"][:10, :10].min() > 0
    assert short["center"][16, 22] > 0, "the labeled ship is in the loss nevertheless"


def test_on_known_land_no_craft_is_so_small_that_it_may_stay() -> None:
    water = np.full((SIDE, SIDE), LAND, np.uint8)
    given = batch(smallest=np.full((SIDE, SIDE), 30.0, np.float32), water=water)
    maps = torch.zeros(1, len(MAP_CHANNELS), CELLS, CELLS)
    ignored = small_craft(maps, given["smallest"], given["water"], given["water_asked"])
    assert ignored[0, :10, :10].max() == 0
    assert gradients(given, np.log(15.0))["center"][:10, :10].min() > 0


def test_the_right_answers_cost_the_least() -> None:
    given = batch()
    right = torch.zeros(1, len(MAP_CHANNELS), CELLS, CELLS)
    channel = {name: right[0, number] for number, name in enumerate(MAP_CHANNELS)}
    channel["center"][:] = torch.where(given["heat"][0] >= 1, 9.0, -9.0)
    channel["hull"][:] = 18 * given["hull"][0] - 9
    channel["water"][:] = 18 * given["water"][0] - 9
    right[:, 3:] = given["size"]
    best, parts = map_loss(right, given)
    assert best < 0.3 and set(parts) == {"center", "hull", "water", "offset", "length", "axis"}
    for number in range(len(MAP_CHANNELS)):
        wrong = right.clone()
        wrong[:, number] = -wrong[:, number] + 0.5
        assert map_loss(wrong, given)[0] > best + 0.05, MAP_CHANNELS[number]


def test_canvases_without_anything_known_cost_nothing() -> None:
    given = batch(
        ships=(),
        known=np.zeros((SIDE, SIDE), np.bool_),
        water=np.full((SIDE, SIDE), UNKNOWN_GROUND, np.uint8),
    )
    loss, parts = map_loss(torch.randn(1, len(MAP_CHANNELS), CELLS, CELLS), given)
    assert float(loss) == pytest.approx(0, abs=1e-6) and all(np.isfinite([*parts.values()]))


def test_unknown_windows_do_not_count() -> None:
    margins = torch.tensor([3.0, -2.0, 5.0], requires_grad=True)
    labels = torch.tensor([SHIP, NO_SHIP, UNKNOWN])
    (found,) = torch.autograd.grad(window_loss(margins, labels), margins)
    assert found[2] == 0 and (found[:2] != 0).all()
    assert window_loss(-margins, labels) > window_loss(margins, labels)


def test_a_batch_without_a_known_window_gives_no_nan() -> None:
    assert window_loss(torch.zeros(3), torch.full((3,), UNKNOWN)) == 0
    assert rates(torch.zeros(3), torch.full((3,), UNKNOWN)) == {}


def test_rates_are_of_known_windows() -> None:
    margins = torch.tensor([3.0, -2.0, 5.0, 1.0])
    labels = torch.tensor([SHIP, SHIP, UNKNOWN, NO_SHIP])
    assert rates(margins, labels) == {"recall": 0.5, "false_rate": 1.0}
