"""What the Jobs tab says."""

from datetime import UTC, datetime, timedelta

from shipdet.ui import jobs_html

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = {
    "id": "ab" * 16, "name": "harbor-1", "status": "running", "blocks_done": 3, "blocks_total": 12,
    "ships": None, "error": "", "created_at": NOW - timedelta(minutes=5), "finished_at": None,
    "notes": [],
}  # fmt: skip


def test_no_jobs_says_what_to_do():
    assert "Submit" in jobs_html.jobs_table([])


def test_a_job_has_a_bar_of_its_progress_and_its_age():
    table = jobs_html.jobs_table([JOB], NOW)
    assert '<progress value="3" max="12" aria-label="Blocks done">' in table
    assert 'scope="col">Error<' in table and "3 of 12" in table and "5 min" in table


def test_what_a_submitter_wrote_is_shown_and_never_run():
    evil = {**JOB, "name": "<script>x</script>", "error": "<b>no</b>", "notes": ["<i>"]}
    table = jobs_html.jobs_table([evil], NOW)
    card = jobs_html.job_card(evil, {"overlay": 'http://s3/a?"onload=x'})
    for text in (table, card):
        assert "<script>" not in text and "<b>no" not in text and '?"onload' not in text


def test_a_finished_job_stops_ageing():
    done = {**JOB, "status": "completed", "ships": 1, "finished_at": NOW - timedelta(minutes=4)}
    assert "<td>60 s</td>" in jobs_html.jobs_table([done], NOW + timedelta(days=3))
    assert "1 ship in 12 blocks" in jobs_html.job_card(done, {})


def test_ships_are_closed_outlines_on_the_map():
    outline = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    job = {"detections": [{"properties": {"id": 1, "score": 0.9}, "outline": outline}]}
    [feature] = jobs_html.ships_geojson(job)["features"]
    ring = feature["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1] and len(ring) == 5
