"""The command line: one sentence and the right exit code for whatever is typed."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shipdet import cli
from shipdet.cli.parameters import FLAGS
from shipdet.cli.progress_bar import Lines
from shipdet.imagery import sample
from shipdet.options import group, option_fields
from shipdet.pipeline import enlarging
from shipdet.progress import Progress
from shipdet.report.raster import write_picture
from shipdet.requests import AreaRequest, ImageRequest, Search
from shipdet.settings import get_settings
from tests.helpers import PROJECT
from tests.helpers.painted import paint_ship, sea
from tests.helpers.tile_server import TileServer
from tests.helpers.tiny_models import (  # noqa: F401
    make_classifier,
    make_upscaler,
    needs_upscalers,
    weights,
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, weights: Path, tmp_path: Path) -> None:  # noqa: F811
    """Small random models, and a cache of their own."""
    monkeypatch.setenv("SHIPDET_WEIGHTS_DIR", str(weights))
    monkeypatch.setenv("SHIPDET_CLASSIFIER", "tiny-atto")
    monkeypatch.setenv("SHIPDET_UPSCALER", "tiny-compact")
    monkeypatch.setenv("SHIPDET_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()


def run(*arguments: str) -> int:
    return cli.main(arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["detect"], "--bbox WEST SOUTH EAST NORTH"),
        (["detect", "--bbox", "1", "2", "x", "4"], "not four numbers"),
        (["detect", "--bbox", "1", "2", "3"], "'1 2 3' is not four numbers"),
        (["detect", "--bbox=1,2,3"], "'1 2 3' is not four numbers"),
        (["detect", "--bbox", "1", "2", "3", "--zoom", "15"], "'1 2 3' is not four numbers"),
        (["download", "--bbox", "1", "2", "3", "4", "5"], "'1 2 3 4 5' is not four numbers"),
        (["acquisitions", "--bbox"], "not four numbers"),
        (["detect", "--bbox=4,51,4,52"], "empty"),
        (["detect", "--bbox", "4", "51", "5", "52", "a.png"], "not both"),
        (["detect", "--bbox", "4", "51", "4", "52"], "empty"),
        (["detect", "--bbox", "4", "52", "5", "51"], "swap"),
        (["detect", "--bbox", "-170", "0", "170", "1"], "highest zoom"),
        (["detect", "--bbox", "0", "86", "1", "87"], "latitude"),
        (["detect", "--bbox", "4", "51", "4.1", "51.1", "--zoom", "30"], "no zoom 30"),
        (["detect", "--bbox", "4", "51", "4.1", "51.1", "--zoom", "11"], "ships cannot be"),
        (["detect", "--bbox", "0", "40", "9", "49", "--zoom", "15"], "highest zoom"),
        (["detect", "--bbox", "4", "51", "4.1", "51.1", "--provider", "osm"], "policy"),
        (["detect", "--bbox", "4", "51", "4.1", "51.1", "--provider", "moon"], "no provider"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--threshold", "nan"], "between 0 and 1"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--threshold", "0"], "between 0 and 1"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--zoom", "0"], "ships cannot be"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--stride", "7"], "--stride"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--quality", "99"], "Quality"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--name", "../x"], "file name"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--model", "none"], "no model"),
        (["detect", "--bbox", "4", "51", "4.01", "51.01", "--image", "a.png"], "not both"),
        (["detect", "--image", "missing.png", "--gsd", "3"], "does not exist"),
        (["detect", "--upscale", "x8"], "not one of 'none', 'x4', 'x16'"),
        (["detect", "--tresholds", "0.4"], "--threshold"),
        (["detect", "a.png", "--min-length", "-1"], "Min_length_m"),
        (["detect", "--gsd", "x", "a.png"], "valid number"),
        (
            ["detect", "--bbox", "4", "51", "4.01", "51.01", "--priority", "all"],
            "not one of 'least",
        ),
        (["serve", "--port", "99999"], "SHIPDET_PORT (input should be less"),
        (["detct"], "Did you mean 'detect'?"),
        ([], "Missing command"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    tiny: None, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("command", [["providers"], ["models"], ["serve"]])
def test_wrong_settings_are_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setenv("SHIPDET_PORT", "abc")
    monkeypatch.setenv("SHIPDET_CACHE_DAYS", "1")
    assert run(*command) == 2
    said = capsys.readouterr().err
    assert said.startswith("Correct the settings SHIPDET_CACHE_DAYS (input should be greater ")
    assert "SHIPDET_PORT (input should be a valid integer" in said and said.count("\n") == 1


@pytest.mark.parametrize("command", [["--help"], ["detect", "--help"], ["--version"]])
def test_help_needs_no_right_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setenv("SHIPDET_PORT", "abc")
    assert run(*command) == 0
    assert "shipdet" in capsys.readouterr().out


def test_help_shows_groups_examples_and_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("detect", "--help") == 0
    answer = capsys.readouterr().out
    assert "Examples" in answer and "shipdet detect scene.png --gsd 3" in answer
    for name, field in option_fields(AreaRequest, ImageRequest, Search):
        assert FLAGS.get(name, f"--{name.replace('_', '-')}") in answer
        assert group(field) in answer


def test_numbers_may_be_negative_and_scientific(
    tiny: None, capsys: pytest.CaptureFixture[str]
) -> None:
    box = ["-7e-1", "6.0E-2", "-0.67", "8e-2"]
    assert run("detect", "--bbox", *box, "--provider", "moon") == 2
    assert "no provider" in capsys.readouterr().err


def test_the_entry_point_of_a_space_has_help_of_its_own() -> None:
    command = [sys.executable, "app.py", "--help"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0
    assert "Start the web app" in ran.stdout


def test_the_entry_point_of_a_space_tells_a_wrong_setting_too() -> None:
    environment = {**os.environ, "SHIPDET_MAX_QUEUE": "0"}
    command = [sys.executable, "app.py"]
    ran = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr == "Correct the setting SHIPDET_MAX_QUEUE (input should be greater than 0).\n"


def test_output_that_cannot_show_a_degree_sign_degrades() -> None:
    program = "from shipdet.cli.main import main; main(['--version']); print('30°')"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONIOENCODING": "ascii"},
        cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("30?\n")


def test_a_port_in_use_is_one_sentence(tiny: None, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run("serve", "--port", str(port)) == 2
    said = capsys.readouterr().err
    assert f"port {port}" in said and "choose another one with --port or SHIPDET_PORT" in said
    assert "Traceback" not in said


def test_an_unreachable_provider_is_exit_code_1(
    tiny: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with TileServer() as server:
        west, south, east, north = map(str, server.bbox.as_tuple())
        zoom, url = str(server.zoom), server.url_template
    monkeypatch.setenv("SHIPDET_XYZ_URL", url)  # nobody listens there any more
    monkeypatch.setenv("SHIPDET_RETRIES", "0")
    get_settings.cache_clear()
    asked = ["--bbox", west, south, east, north, "--zoom", zoom]
    assert run("download", *asked, "--provider", "xyz") == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_detecting_in_a_picture_writes_a_run_and_prints_json(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = sea(160, 120)
    paint_ship(picture, 3.0, (240, 180), 90, 24, 20)
    write_picture(tmp_path / "scene.png", picture)
    out = tmp_path / "found"
    asked = ["detect", str(tmp_path / "scene.png"), "--gsd", "3", "--out", str(out)]
    assert run(*asked, "--json") == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert record["folder"] == str(out)
    assert record["raw"] == json.loads((out / "run.json").read_text())["raw"]
    assert record["raw"]["width"] == 160
    assert "Searching for ships" in printed.err
    assert run(*asked) == 2  # a second run does not overwrite the first
    assert "not an empty folder" in capsys.readouterr().err


def test_a_zero_that_is_typed_is_a_value(tiny: None, tmp_path: Path) -> None:
    write_picture(tmp_path / "scene.png", sea(60, 50))
    asked = ["detect", str(tmp_path / "scene.png"), "--out", str(tmp_path / "found")]
    assert run(*asked, "--gsd", "0") == 2
    assert run(*asked, "--gsd", "3", "--min-length", "0") == 0
    record = json.loads((tmp_path / "found" / "run.json").read_text())
    assert record["inputs"]["search"]["min_length_m"] == 0


@needs_upscalers
def test_selective_upscaling_tells_how_many_blocks_it_upscaled(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "scene.png", sea(60, 50))
    monkeypatch.setattr(enlarging, "FOCUS_SHARE", 20.0)  # more than the small model ever scores
    asked = ["detect", "--image", str(tmp_path / "scene.png"), "--gsd", "4", "--quiet"]
    assert run(*asked, "--upscale", "x4", "--out", str(tmp_path / "found")) == 0
    assert "Super-resolution was applied to 0 of 1 blocks" in capsys.readouterr().err
    every = ("--upscale", "x4", "--no-selective", "--out", str(tmp_path / "every"))
    assert run(*asked, *every) == 0
    assert "Super-resolution was applied" not in capsys.readouterr().err


def test_an_error_is_json_too_with_the_json_option(
    tiny: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("detect", "--image", "missing.png", "--gsd", "3", "--json") == 2
    assert json.loads(capsys.readouterr().out)["kind"] == "BadImage"


def test_downloading_the_sample_writes_its_picture(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    west, south, _, _ = sample.bbox().as_tuple()
    corner = map(str, (west + 0.01, south + 0.01, west + 0.02, south + 0.02))
    asked = ["download", "--bbox", *corner, "--provider", "sample", "--zoom", "15"]
    assert run(*asked, "--format", "jpg", "--quiet", "--out", str(tmp_path / "out")) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "tiles" in printed.out
    assert (tmp_path / "out" / "raw.jpg").is_file()
    assert (tmp_path / "out" / "mosaic.tif").is_file()


def test_providers_and_models_are_listed(tiny: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("providers") == 0
    assert "Esri" in capsys.readouterr().out
    assert run("providers", "--json") == 0
    assert {"esri", "eox", "osm", "sample"} <= {
        p["id"] for p in json.loads(capsys.readouterr().out)
    }
    assert run("models") == 0
    listed = capsys.readouterr().out
    assert "tiny-atto" in listed
    assert "torch" in listed


def test_plain_lines_tell_the_beginning_and_the_end_of_a_stage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show = Lines()
    for done in range(101):
        show(Progress("fetch", done, 100, "tiles"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Downloading imagery: 0 of 100 tiles",
        "Downloading imagery: 100 of 100 tiles",
    ]


def test_an_area_across_the_antimeridian_is_said_to_be_two(tiny, tmp_path, capsys):
    box = ("--bbox", "179.99", "0.06", "180.01", "0.08", "--out", str(tmp_path / "out"))
    assert run("download", *box, "--provider", "sample", "--zoom", "14") == 1
    said = capsys.readouterr().err
    assert said.startswith("An area crosses the antimeridian: its two sides are separate runs.")
    assert said.count("no image of this area") == 2
