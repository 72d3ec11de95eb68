"""The sample's AIS file and what is known of it."""

import numpy as np

from shipdet import ais
from shipdet.detections import Detection, Detections
from shipdet.geometry import distance_m
from shipdet.imagery import sample
from training.sample_ais import FIRST_MMSI, SILENT, WRONG, file_text

GHOST = FIRST_MMSI + 90


def true_ships() -> Detections:
    """The sample's ships as a perfect search would find them."""
    box = np.zeros((4, 2))
    return Detections(
        tuple(
            Detection(n, 0.9, 0, 0, box, s.length_m, s.width_m, 0.0, lon=s.lon, lat=s.lat)
            for n, s in enumerate(sample.truth())
        )
    )


def test_the_file_is_what_its_script_writes():
    assert sample.AIS_FILE.read_text(encoding="utf-8") == file_text()


def test_every_ship_but_the_silent_and_misplaced_one_is_known():
    matches = ais.match(true_ships(), sample.AIS_FILE, sample.ACQUIRED, sample.bbox())
    assert [ship.id for ship in matches.dark] == [SILENT, WRONG]
    for ship in matches.detections:
        if not ship.dark:
            assert ship.mmsi == FIRST_MMSI + ship.id
            assert ship.ais_distance_m < 30


def test_unmatched_reports_are_the_ghost_and_the_misplaced_one():
    matches = ais.match(true_ships(), sample.AIS_FILE, sample.ACQUIRED, sample.bbox())
    assert [contact.mmsi for contact in matches.unseen] == [FIRST_MMSI + WRONG, GHOST]


def test_the_ghost_is_far_from_every_ship():
    matches = ais.match(true_ships(), sample.AIS_FILE, sample.ACQUIRED, sample.bbox())
    for contact in matches.unseen:
        away = [distance_m([contact.lon, contact.lat], [s.lon, s.lat]) for s in sample.truth()]
        assert min(map(float, away)) > 400
