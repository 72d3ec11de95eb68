"""Where settings come from, and what is said when they cannot be read."""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from shipdet.errors import BadOption
from shipdet.settings import Settings, read_settings, user_folder

LINE = "SHIPDET_XYZ_TITLE=Häfen"


@pytest.fixture
def env_file(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")  # which other tests do without
    monkeypatch.delenv("SHIPDET_XYZ_TITLE", raising=False)
    return tmp_path / ".env"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_of_settings_is_read(env_file, encoding):
    env_file.write_text(LINE, encoding=encoding)
    assert read_settings().xyz_title == "Häfen"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_file_in_another_encoding_is_named(env_file, encoding):
    env_file.write_text(LINE, encoding=encoding)
    with pytest.raises(BadOption, match=r"\.env is not UTF-8 text: save it again"):
        read_settings()


def test_a_file_that_may_not_be_read_is_named(env_file, monkeypatch):
    env_file.write_text(LINE)
    real = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self.name == ".env":
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadOption, match="cannot be read \\(Permission denied\\)"):
        read_settings()


def test_a_folder_of_that_name_is_no_file_of_settings(env_file):
    env_file.mkdir()
    read_settings()


def test_an_empty_folder_is_not_the_working_folder(monkeypatch):
    monkeypatch.delenv("SHIPDET_RUNS_DIR")
    monkeypatch.delenv("SHIPDET_CACHE_DIR")
    usual = Settings()
    monkeypatch.setenv("SHIPDET_RUNS_DIR", "")
    monkeypatch.setenv("SHIPDET_CACHE_DIR", "")
    assert (Settings().runs_dir, Settings().cache_dir) == (usual.runs_dir, usual.cache_dir)


def test_all_wrong_settings_are_named(monkeypatch):
    monkeypatch.setenv("SHIPDET_RETRIES", "many")
    monkeypatch.setenv("SHIPDET_PRECISION", "int4")
    with pytest.raises(BadOption, match="SHIPDET_RETRIES.*SHIPDET_PRECISION|PRECISION.*RETRIES"):
        read_settings()


def test_folders_are_the_users_own(monkeypatch):
    for name in ("SHIPDET_CACHE_DIR", "SHIPDET_RUNS_DIR"):
        monkeypatch.delenv(name, raising=False)
    settings = read_settings(_env_file=None)
    assert settings.cache_dir == platformdirs.user_cache_path("shipdet", appauthor=False)
    assert settings.runs_dir == platformdirs.user_data_path("shipdet", appauthor=False) / "runs"


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan"])
def test_amounts_are_positive_and_finite(monkeypatch, value):
    for name in ("RUNS_MAX_GB", "RUNS_MAX_AGE_DAYS", "CACHE_MAX_GB", "TIMEOUT_S"):
        with monkeypatch.context() as patch:
            patch.setenv(f"SHIPDET_{name}", value)
            with pytest.raises(BadOption, match=f"SHIPDET_{name}"):
                read_settings()


@pytest.mark.parametrize(
    "find", [lambda *_, **__: Path("~/.cache/shipdet"), lambda *_, **__: Path.home() / "shipdet"]
)
def test_a_user_without_a_home_gets_a_temporary_folder(monkeypatch, tmp_path, find):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    folder = user_folder(find)
    assert folder.parent == tmp_path


HOMELESS = """
import os, pwd, sys
os.environ.pop("HOME", None)
def unknown(user):
    raise KeyError(user)
pwd.getpwuid = unknown
from shipdet.cli import main
sys.exit(main(["providers"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="has no passwd file")
def test_commands_work_without_a_home_and_a_passwd_entry(tmp_path):
    hidden = {"HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "SHIPDET_CACHE_DIR", "SHIPDET_RUNS_DIR"}
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    ran = subprocess.run(
        [sys.executable, "-c", HOMELESS], env=environment, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "esri" in ran.stdout
    assert "no home folder: files are kept in" in ran.stderr
