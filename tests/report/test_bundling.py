"""The ZIP of a run holds what its folder holds at one moment."""

import json
import shutil
import zipfile

import pytest

from shipdet import cli, pipeline
from shipdet.errors import BadOption
from shipdet.report import bundling
from tests.helpers.written_runs import write_run

SMALL = {"overlay.png", "detections.geojson", "detections.csv", "run.json", "preview.jpg"}


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "bay")


def test_it_holds_all_files_but_the_full_size_images(run, tmp_path):
    path = pipeline.write_bundle(run, tmp_path / "new" / "bay.zip")
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        assert set(bundle.namelist()) == SMALL | {"chips/ship_0001.png", "chips/ship_0002.png"}
        assert json.loads(bundle.read("run.json")) == run.record
        assert bundle.read("overlay.png") == run.files["overlay"].read_bytes()


def test_it_follows_the_filter(run, tmp_path):
    path = pipeline.write_bundle(run.filtered(min_length_m=100), tmp_path / "long.zip")
    with zipfile.ZipFile(path) as bundle:
        assert set(bundle.namelist()) == SMALL | {"chips/ship_0001.png"}
        assert json.loads(bundle.read("run.json"))["ships"] == 1


def test_a_run_that_changes_meanwhile_is_packed_as_it_is_then(run, tmp_path, monkeypatch):
    write, changes = zipfile.ZipFile.write, [0.9, 0.6]

    def changing(bundle, file, name):
        write(bundle, file, name)
        if changes:  # by somebody else
            pipeline.refilter(run, changes.pop())

    monkeypatch.setattr(bundling.zipfile.ZipFile, "write", changing)
    path = pipeline.write_bundle(run, tmp_path / "bay.zip")
    with zipfile.ZipFile(path) as bundle:
        record = json.loads(bundle.read("run.json"))
        assert (record["threshold"], record["ships"]) == (0.9, 1)
        assert len([name for name in bundle.namelist() if name.startswith("chips/")]) == 1


def test_a_run_that_was_deleted_is_reported(run, tmp_path):
    shutil.rmtree(run.folder)
    with pytest.raises(BadOption, match="no longer on disk"):
        pipeline.write_bundle(run, tmp_path / "bay.zip")


def test_the_command_packs_into_the_run_folder_or_elsewhere(run, tmp_path, capsys):
    assert cli.main(["runs", "bundle", str(run.folder)]) == 0
    assert capsys.readouterr().out.strip() == str(run.folder / "run.zip")
    assert cli.main(["runs", "bundle", str(run.folder), "--out", str(tmp_path / "b.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
        assert "run.zip" not in bundle.namelist()


def test_no_bundle_of_a_deleted_run_makes_its_folder_again(run):
    shutil.rmtree(run.folder)
    for chosen in (run, run.filtered(min_length_m=100)):
        with pytest.raises(BadOption, match="no longer on disk"):
            pipeline.write_bundle(chosen)
    assert not run.folder.exists()


def test_a_filtered_bundle_has_a_name_of_its_own(run):
    assert pipeline.write_bundle(run.filtered(min_length_m=100)).name == "run-filtered.zip"
