"""`shipdet jobs` without engines: one sentence, and nothing heavy is imported."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shipdet import cli
from shipdet.settings import Settings, get_settings
from tests.test_structure import PACKAGE, loaded_by

HERE = ["jobs", "submit", "--name", "abc", "--bbox", "4", "51.9", "4.01", "51.91"]


def run(*arguments: str) -> int:
    get_settings.cache_clear()
    return cli.main(arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["jobs", "submit", "--name", "abc"], "one of --bbox"),
        ([*HERE, "--polygon", "POLYGON ((0 0, 1 0, 1 1))"], "one of --bbox"),
        ([*HERE[:3], "x", *HERE[4:]], "name"),
        ([*HERE, "--zoom", "99"], "zoom"),
        ([*HERE, "--upscale", "x8"], "not one of"),
        ([*HERE, "--threshold", "2"], "between 0 and 1"),
        ([*HERE, "--date-from", "1.5.2024"], "YYYY-MM-DD"),
        ([*HERE, "--max-cloud", "101"], "max_cloud"),
        (["jobs", "submit", "--file", "no-such.csv"], "cannot be read"),
        (["jobs", "submit", "--name", "abc", "--polygon", "CIRCLE"], "WKT"),
        (["jobs", "clean", "--older-than", "-1"], "between 0"),
        (["jobs", "clean", "--older-than", "nan"], "between 0"),
        (["jobs", "sail"], "no such command"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, says, capsys):
    assert run(*arguments) == 2
    answer = capsys.readouterr().err
    assert says in answer.lower() or says in answer
    assert answer.count("\n") == 1


@pytest.mark.parametrize("arguments", [["jobs", "list"], ["jobs", "show", "x"], ["jobs", "metrics"],
                                       ["jobs", "cancel", "x"], ["jobs", "prepare"],
                                       ["jobs", "clean"]])  # fmt: skip
def test_without_a_cluster_the_setting_that_is_missing_is_named(arguments, capsys):
    pytest.importorskip("psycopg")
    assert run(*arguments) == 1
    assert "SHIPDET_POSTGRES" in capsys.readouterr().err


@pytest.mark.parametrize("box", ["179.9 -17 -179.9 -16.9", "179.9 -17 180.1 -16.9"])
def test_a_box_across_the_antimeridian_is_two_jobs(box, capsys, monkeypatch):
    pytest.importorskip("psycopg")
    sent = []
    monkeypatch.setattr("shipdet.cluster.submit.submit", lambda messages, _: sent.extend(messages))
    assert run("jobs", "submit", "--name", "taveuni", "--bbox", *box.split()) == 0
    assert [job.name for job in sent] == [
        "taveuni-eastern-hemisphere",
        "taveuni-western-hemisphere",
    ]
    assert np.allclose(
        [job.area for job in sent], [(179.9, -17, 180, -16.9), (-180, -17, -179.9, -16.9)]
    )


@pytest.mark.parametrize("given", ["--polygon", "--file"])
@pytest.mark.parametrize("east", ["180.1", "-179.9"])
def test_a_polygon_across_the_antimeridian_is_two_jobs(given, east, monkeypatch, tmp_path):
    pytest.importorskip("psycopg")
    sent = []
    monkeypatch.setattr("shipdet.cluster.submit.submit", lambda messages, _: sent.extend(messages))
    wkt = f"POLYGON ((179.9 -17, {east} -17, {east} -16.9, 179.9 -16.9, 179.9 -17))"
    (tmp_path / "areas.csv").write_text(f'name,wkt\ntaveuni,"{wkt}"\n')
    value = {"--polygon": [wkt, "--name", "taveuni"], "--file": [str(tmp_path / "areas.csv")]}
    assert run("jobs", "submit", given, *value[given]) == 0
    assert [job.name for job in sent] == [
        "taveuni-eastern-hemisphere",
        "taveuni-western-hemisphere",
    ]
    boxes = [job.parsed_area.box.as_tuple() for job in sent]
    assert np.allclose(boxes, [(179.9, -17, 180, -16.9), (-180, -17, -179.9, -16.9)])


def test_a_polygon_of_one_job_is_sent_as_it_was_given(monkeypatch):
    pytest.importorskip("psycopg")
    sent = []
    monkeypatch.setattr("shipdet.cluster.submit.submit", lambda messages, _: sent.extend(messages))
    wkt = "polygon((4 51, 4.1 51, 4.1 51.1))"
    assert run("jobs", "submit", "--name", "abc", "--polygon", wkt) == 0
    assert [job.area for job in sent] == [wkt], "the id of a job depends on it"


@pytest.mark.parametrize("address", ["abc", "postgresql://u:s3cret@[::1/db", "host=a bogus=s3cret"])
def test_a_malformed_address_is_not_repeated(address, capsys, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("SHIPDET_POSTGRES", address)
    assert run("jobs", "list") == 1
    answer = capsys.readouterr().err
    assert "SHIPDET_POSTGRES is not an address" in answer and answer.count("\n") == 1
    assert address not in answer


def test_all_that_is_set_reaches_the_message(monkeypatch):
    pytest.importorskip("psycopg")
    sent = []
    monkeypatch.setattr("shipdet.cluster.submit.submit", lambda m, _: sent.extend(m) or ["id"])
    assert run(*HERE, "--upscale", "x4", "--threshold", "0.7", "--date-from", "2024-05-01",
               "--date-to", "2024-05-31", "--max-cloud", "5", "--min-length", "40",
               "--priority", "mostRecent") == 0  # fmt: skip
    [message] = sent
    assert (message.passes, message.threshold, message.max_cloud) == (1, 0.7, 5)
    assert (message.min_length_m, message.priority) == (40.0, "mostRecent")
    assert (message.date_from, message.date_to) == ("2024-05-01", "2024-05-31")


@pytest.mark.parametrize("command", [["jobs", "wait", "abc"], [*HERE, "--wait"]])
def test_a_failed_job_is_one_document_too(command, capsys, monkeypatch):
    pytest.importorskip("psycopg")
    row = dict(id="7", name="abc", status="failed", ships=None, error="No tiles.", blocks_done=0,
               blocks_total=1)  # fmt: skip
    given = {"open_store": None, "submit": ["7"], "find_ids": ["7"], "wait": [{"7": row}]}
    for name, answer in given.items():
        monkeypatch.setattr(f"shipdet.cluster.submit.{name}", lambda *_, answer=answer: answer)
    assert run(*command, "--json") == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out) == [row]
    assert printed.err.endswith("Job abc is failed: No tiles.\n")


def test_an_engine_that_is_away_is_one_document_too(capsys):
    pytest.importorskip("psycopg")
    assert run("jobs", "health", "--json") == 1
    printed = capsys.readouterr()
    engines = json.loads(printed.out)
    assert engines and engines[0]["name"] in printed.err


def test_a_message_longer_than_what_is_read_is_not_sent(tmp_path, capsys):
    pytest.importorskip("psycopg")
    ring = [[i / 7e5, i % 7 / 13] for i in range(9_000)]
    file = tmp_path / "long.geojson"
    file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    assert run("jobs", "submit", "--name", "long", "--file", str(file)) == 2
    assert "bytes: simplify its area" in capsys.readouterr().err


def test_sentences_name_the_installed_command():
    texts = {file.name: file.read_text() for file in PACKAGE.rglob("*.py")}
    assert [name for name, text in texts.items() if "`python -m shipdet " in text] == []


def test_the_schema_is_printed(capsys):
    assert run("jobs", "schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "JobMessage"


def test_the_command_line_imports_no_engine():
    heavy = ("pyspark", "psycopg", "minio", "confluent_kafka", "torch", "gradio")
    assert loaded_by("import shipdet.cli", *heavy) == []
    assert (
        loaded_by("import shipdet.cluster.jobs.message, shipdet.cluster.jobs.job_plan", *heavy)
        == []
    )


def test_the_cluster_is_off_until_it_is_configured():
    assert not Settings().cluster
    assert Settings(kafka="a:1", postgres="postgresql://a", s3="http://a").cluster


def test_deploying_reports_errors_without_any_package(tmp_path: Path):
    call = [sys.executable, "-m", "deploy.local", "down", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "nothing runs there, so nothing is to be stopped"
