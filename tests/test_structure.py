"""The rules of the repository: which module may import which, and what importing costs."""

import re
import socket
import subprocess
import sys
from collections import Counter

import pytest

from shipdet.settings import get_settings
from tests.helpers import PROJECT
from tests.helpers.imports import PACKAGES, all_imports, circle, imports_of

PACKAGE = PROJECT / "shipdet"
BASE = {
    *("errors", "extras", "settings", "gdal", "geometry", "progress", "mosaic", "detections"),
    *("requests", "options", "pace", "archives", "areas", "area_files", "geopackage_reader"),
    *("computing", "words", "_version"),
}
# From the top down. A room may import what stands below it, never what stands beside it.
FLOORS = (
    {"__main__"},
    {"cli"},  # `serve` opens the app, so the command line stands above it
    {"ui"},
    {"cluster", "viewer"},  # the app shows jobs and runs, so it stands above
    {"pipeline"},
    {"imagery", "upscale", "detect", "report", "places"},
    {"models", "ais"},
    BASE,
)
HEIGHT = {room: -floor for floor, rooms in enumerate(FLOORS) for room in rooms}
#: What the packages beside shipdet may import, apart from themselves.
NEIGHBORS = {
    "shipdet": set(),
    "deploy": {"shipdet"},
    "export": {"shipdet"},
    "training": {"shipdet", "export"},
    "benchmarks": {"shipdet", "deploy", "export", "training", "tests"},
    "tests": set(PACKAGES),
}
#: Packages whose folders are rooms: these must not import each other in a circle.
ROOMED = ("shipdet", "shipdet.cluster", "training")


def room(module: str, package: str = "shipdet") -> str:
    """The folder or single file of a package in which a module stands."""
    return module.removeprefix(f"{package}.").split(".")[0]


def inner_imports(package: str):
    """The imports between rooms of a package; its ``__init__`` names what is loaded lazily."""
    return [
        each
        for each in all_imports(package.split(".")[0])
        if each.source.startswith(f"{package}.") and each.target.startswith(f"{package}.")
    ]


def test_every_room_has_its_floor():
    rooms = {
        file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in PACKAGE.rglob("*.py")
    }
    assert rooms - {"__init__"} <= set(HEIGHT), f"add to FLOORS: {rooms - set(HEIGHT)}"


def test_imports_go_downward_only():
    imports = inner_imports("shipdet")
    assert len(imports) > 100, "the rule must see the imports that it judges"
    wrong = [
        str(each)
        for each in imports
        for source, target in [(room(each.source), room(each.target))]
        if source != target
        and not (HEIGHT[target] < HEIGHT[source] or (source in BASE and target in BASE))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_the_packages_below(package):
    allowed = {package, *NEIGHBORS[package]}
    wrong = [str(each) for each in all_imports(package) if room(each.target, "") not in allowed]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ROOMED)
def test_rooms_do_not_import_each_other_in_a_circle(package):
    imports = inner_imports(package)
    assert imports
    found = circle([(room(e.source, package), room(e.target, package)) for e in imports])
    assert not found, " -> ".join(found)


def test_no_module_imports_itself_by_way_of_others():
    imports = [(each.source, each.target) for each in all_imports(*PACKAGES)]
    found = circle([(a, b) for a, b in imports if a != "shipdet"])  # it names what is lazy
    assert not found, " -> ".join(found)


def test_a_circle_is_found():
    assert circle([("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")]) in (
        ["a", "c", "b", "a"],
        ["a", "b", "c", "a"],
        ["b", "a", "c", "b"],
        ["b", "c", "a", "b"],
        ["c", "a", "b", "c"],
        ["c", "b", "a", "c"],
    )
    assert circle([("a", "b"), ("a", "c"), ("b", "c"), ("a", "a")]) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import shipdet.report.folder", ["shipdet.report.folder"]),
        ("from shipdet import pace", ["shipdet.pace"]),
        (
            "from shipdet.report import folder, read_run",
            ["shipdet.report.folder", "shipdet.report"],
        ),
        ("def f():\n    from shipdet.ui import serve", ["shipdet.ui"]),
        ("from ..report import drawing", ["shipdet.report.drawing"]),
        ("from . import view", ["shipdet.detect.view"]),
        ("from .view import View", ["shipdet.detect.view"]),
        ("M = 'shipdet.models.torch_runtime'", ["shipdet.models.torch_runtime"]),
        ("from training.paths import data_root", ["training.paths"]),
        ("if TYPE_CHECKING:\n    import shipdet.ui", []),
        ("import numpy\nx = 'shipdet'", []),
    ],
)
def test_the_rule_sees_every_way_to_import(code, expected):
    assert [name for _, name in imports_of(code, PACKAGE / "detect" / "new.py")] == expected


def test_no_two_modules_have_the_same_name():
    names = Counter(file.name for package in PACKAGES for file in (PROJECT / package).rglob("*.py"))
    shared = {"__init__.py", "__main__.py", "conftest.py"}
    assert names.keys() >= shared, "the rule must see the files that it judges"
    assert not {name for name, count in names.items() if count > 1} - shared


def test_names_of_tests_have_at_most_60_characters():
    text = "".join(file.read_text() for file in (PROJECT / "tests").rglob("test_*.py"))
    names = re.findall(r"^ *(?:async )?def (test_\w+)", text, re.MULTILINE)
    assert len(names) > 500
    assert not [name for name in names if len(name) > 60]


def loaded_by(statement: str, *modules: str) -> list[str]:
    code = f"import sys; {statement}; print(*[m for m in {modules!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    return run.stdout.split()


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "gradio", "pyspark", "cv2", "rasterio", "onnxruntime", "openvino", "timm",
             "numpy", "psycopg", "minio", "confluent_kafka")  # fmt: skip
    assert loaded_by("import shipdet", *heavy) == []
    assert loaded_by("import numpy", *heavy) == ["numpy"], "the check must see what is loaded"


def test_the_pipeline_is_imported_without_a_framework():
    assert loaded_by("import shipdet.pipeline", "torch", "gradio", "pyspark", "timm") == []


def test_public_names_are_found_and_others_are_not():
    import shipdet

    for name in shipdet.__all__:
        assert getattr(shipdet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        shipdet.nothing  # noqa: B018


def test_a_test_cannot_leave_this_machine(network_attempts):
    with socket.socket() as client, pytest.raises(OSError, match="may not connect"):
        client.connect(("192.0.2.1", 80))
    with pytest.raises(socket.gaierror):
        socket.create_connection(("tiles.example.org", 443), timeout=1)
    with socket.socket() as client, pytest.raises(OSError, match="may not connect"):
        client.connect_ex(("192.0.2.1", 80))
    assert len(network_attempts) == 3
    network_attempts.clear()  # or this test would fail as it should


def test_a_test_has_folders_of_its_own(isolated_settings):
    settings = get_settings()
    assert settings.runs_dir == isolated_settings / "runs"
    assert settings.cache_dir == isolated_settings / "cache"


def test_the_page_is_built_without_pytorch_if_there_is_no_driver():
    build = "devices.has_gpu_driver = lambda: False; build_blocks(get_settings())"
    names = "from shipdet.models import devices; from shipdet.ui import build_blocks"
    assert loaded_by(f"{names}; from shipdet.settings import get_settings; {build}", "torch") == []


@pytest.mark.parametrize(
    ("backend", "modules"),
    [("openvino", ["openvino"]), ("onnx", ["onnxruntime"]), ("no such backend", [])],
)
def test_a_server_imports_only_what_will_run(backend, modules):
    pytest.importorskip("openvino")
    names = "from shipdet.models import devices; devices.has_gpu_driver = lambda: False"
    ready = f"{names}; devices.import_backend({backend!r}, 'cpu')"
    assert loaded_by(ready, "torch", "openvino", "onnxruntime") == modules
