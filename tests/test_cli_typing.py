"""What people and programs type: numbers as programs print them, slips, help beside a bad file."""

import pytest

from shipdet.cli import main
from shipdet.settings import Settings, get_settings


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code, and all that was written."""
    try:
        code = main(arguments)
    except SystemExit as leave:
        code = int(leave.code or 0)
    written = capsys.readouterr()
    return code, written.out + written.err


@pytest.mark.parametrize("west", ["-7e-1", "-7.0E-01", "-.7", "-0.70"])
def test_corners_may_be_written_as_programs_do(capsys, tmp_path, west):
    corners = [west, "6e-2", "-0.67", "8.E-2"]
    place = ["--provider", "sample", "--zoom", "14", "--out", str(tmp_path / "out")]
    code, text = answer(capsys, "download", "--bbox", *corners, *place)
    assert code == 0, text


@pytest.mark.parametrize(
    ("typed", "meant"), [(["download", "--zom", "14"], "--zoom"), (["detekt"], "detect")]
)
def test_a_slip_gets_a_suggestion(capsys, typed, meant):
    code, text = answer(capsys, *typed)
    assert code == 2
    assert meant in text


def test_help_is_shown_beside_a_file_that_cannot_be_read(capsys, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("SHIPDET_ZOOM=1", encoding="utf-16")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    get_settings.cache_clear()
    for arguments in (["--help"], ["detect", "--help"]):
        code, text = answer(capsys, *arguments)
        assert code == 0
        assert "Usage" in text
    get_settings.cache_clear()
