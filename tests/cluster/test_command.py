"""`shipdet jobs` without engines: one sentence, and nothing heavy is imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shipdet import cli
from shipdet.settings import Settings, get_settings
from tests.test_structure import loaded_by

HERE = ["jobs", "submit", "--name", "abc", "--bbox", "4", "51.9", "4.01", "51.91"]


def run(*arguments: str) -> int:
    get_settings.cache_clear()
    try:
        return cli.main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["jobs", "submit", "--name", "abc"], "one of --bbox"),
        ([*HERE, "--polygon", "POLYGON ((0 0, 1 0, 1 1))"], "one of --bbox"),
        ([*HERE[:3], "x", *HERE[4:]], "name"),
        ([*HERE, "--zoom", "99"], "zoom"),
        ([*HERE, "--stride", "5"], "stride"),
        ([*HERE, "--selective"], "needs x4 or x16"),
        (["jobs", "submit", "--file", "no-such.csv"], "cannot be read"),
        (["jobs", "submit", "--name", "abc", "--polygon", "CIRCLE"], "WKT"),
        (["jobs", "clean", "--older-than", "-1"], "between 0"),
        (["jobs", "clean", "--older-than", "nan"], "between 0"),
        (["jobs", "sail"], "invalid choice"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, says, capsys):
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert says in told.lower() or says in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("arguments", [["jobs", "list"], ["jobs", "show", "x"], ["jobs", "metrics"],
                                       ["jobs", "cancel", "x"], ["jobs", "prepare"],
                                       ["jobs", "clean"]])  # fmt: skip
def test_without_a_cluster_the_setting_that_is_missing_is_named(arguments, capsys):
    pytest.importorskip("psycopg")
    assert run(*arguments) == 1
    assert "SHIPDET_POSTGRES" in capsys.readouterr().err


def test_the_schema_is_printed(capsys):
    assert run("jobs", "schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "JobMessage"


def test_the_command_line_imports_no_engine():
    heavy = ("pyspark", "psycopg", "minio", "confluent_kafka", "torch", "gradio")
    assert loaded_by("import shipdet.cli", *heavy) == []
    assert loaded_by("import shipdet.cluster.messages, shipdet.cluster.planning", *heavy) == []


def test_the_cluster_is_off_until_it_is_configured():
    assert not Settings().cluster
    assert Settings(kafka="a:1", postgres="postgresql://a", s3="http://a").cluster


def test_deploying_needs_nothing_but_the_standard_library_to_say_what_is_wrong(tmp_path: Path):
    call = [sys.executable, "-m", "deploy.local", "down", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "nothing runs there, so nothing is to be stopped"
