"""The rules of the house: who may import whom, and what importing costs."""

import ast
import socket
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from shipdet.settings import get_settings

PACKAGE = Path(__file__).resolve().parent.parent / "shipdet"
BASE = {
    *("errors", "settings", "gdal", "geometry", "progress", "mosaic", "detections", "requests"),
    *("pace", "areas", "area_files"),
}
# From the top down. A room may import what stands below it, never what stands beside it.
FLOORS = (
    {"__main__"},
    {"cli"},  # `serve` opens the app, so the command line stands above it
    {"ui"},
    {"cluster"},  # the app shows jobs, so it stands above
    {"pipeline"},
    {"imagery", "upscale", "detect", "report", "places"},
    {"models", "ais"},
    BASE,
)
HEIGHT = {room: -floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports from the package."""
    package = ["shipdet", *file.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                start = package[: len(package) - node.level + 1]
                base = ".".join([*start, *([base] if base else [])])
            # `from shipdet import pace` imports a module, not a name in one.
            names = [f"{base}.{a.name}" for a in node.names] if base == "shipdet" else [base]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # importlib.import_module("shipdet.models.torch_runtime")
            names = [node.value] if node.value.replace(".", "").isidentifier() else []
        else:
            continue
        for name in names:
            if name.startswith("shipdet."):
                yield node.lineno, name


def room_imports() -> list[tuple[Path, int, str, str]]:
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        if file == PACKAGE / "__init__.py":
            continue  # names of the public API, imported when first used
        for line, name in imported_modules(file):
            target = name.split(".")[1]
            if target != "__version__":
                found.append((file, line, room_of(file), target))
    return found


def test_every_room_has_its_floor():
    rooms = {room_of(file) for file in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms <= set(HEIGHT), f"tell FLOORS where these stand: {rooms - set(HEIGHT)}"


def test_imports_go_downward_only():
    imports = room_imports()
    assert len(imports) > 100, "the rule must see the imports that it judges"
    wrong = [
        f"{file.relative_to(PACKAGE)}:{line}: {source} may not import {target}"
        for file, line, source, target in imports
        if source != target
        and not (HEIGHT[target] < HEIGHT[source] or (source in BASE and target in BASE))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_base_modules_do_not_go_round_in_a_circle():
    graph: dict[str, set[str]] = {room: set() for room in BASE}
    for _, _, source, target in room_imports():
        if source in BASE and source != target:
            graph[source].add(target)
    assert len(list(TopologicalSorter(graph).static_order())) == len(BASE)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import shipdet.report.folder", ["shipdet.report.folder"]),
        ("from shipdet import pace", ["shipdet.pace"]),
        ("def f():\n    from shipdet.ui import serve", ["shipdet.ui"]),
        ("from ..report import run", ["shipdet.report"]),
        ("from . import view", ["shipdet.detect"]),
        ("M = 'shipdet.models.torch_runtime'", ["shipdet.models.torch_runtime"]),
        ("import numpy\nx = 'shipdet'", []),
    ],
)
def test_the_rule_sees_every_way_to_import(code, expected, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self: code)
    found = [name for _, name in imported_modules(PACKAGE / "detect" / "new.py")]
    assert found == expected


def loaded_by(statement: str, *modules: str) -> list[str]:
    code = f"import sys; {statement}; print(*[m for m in {modules!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    return run.stdout.split()


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "gradio", "pyspark", "cv2", "rasterio", "onnxruntime", "timm", "numpy",
             "psycopg", "minio", "confluent_kafka")  # fmt: skip
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


def test_the_page_is_built_without_pytorch_where_there_is_no_driver():
    build = "devices._driver = lambda: False; build_blocks(get_settings())"
    names = "from shipdet.models import devices; from shipdet.ui import build_blocks"
    assert loaded_by(f"{names}; from shipdet.settings import get_settings; {build}", "torch") == []
