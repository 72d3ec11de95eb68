"""The imports of this repository as a graph of modules, read from the source."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from tests.helpers import PROJECT

#: The packages of the repository.
PACKAGES = ("shipdet", "training", "export", "deploy", "benchmarks", "tests")


class Import(NamedTuple):
    """One module importing another, both with their full names."""

    file: Path
    line: int
    source: str
    target: str

    def __str__(self) -> str:
        place = self.file.relative_to(PROJECT)
        return f"{place}:{self.line}: {self.source} may not import {self.target}"


def module_of(file: Path) -> str:
    """``shipdet/report/tiff.py`` is ``shipdet.report.tiff``; a package's file is the package."""
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(code: str, file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module of this repository that code imports.

    Imports inside functions count, and names of modules in strings, as in
    ``importlib.import_module("shipdet.models.torch_runtime")``; those for type checkers do not.
    """
    package = module_of(file.parent / "__init__.py")
    for node in _running(ast.parse(code)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            names = [_module(base, alias.name) for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = node.value.replace(".", "").isidentifier() and "." in node.value
            names = [node.value] if dotted and _exists(node.value) else []
        else:
            continue
        for name in dict.fromkeys(names):
            if name.split(".")[0] in PACKAGES:
                yield node.lineno, name


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        test = node.test if isinstance(node, ast.If) else None
        if isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)


def _module(base: str, name: str) -> str:
    """``from base import name`` imports the module base.name, or base that has the name."""
    inner = f"{base}.{name}"
    return inner if _exists(inner) else base


@cache
def _exists(module: str) -> bool:
    place = PROJECT.joinpath(*module.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def all_imports(*packages: str) -> list[Import]:
    """Every import from one module of the repository to another."""
    return [each for package in packages for each in _imports_within(package)]


@cache
def _imports_within(package: str) -> tuple[Import, ...]:
    """Those of the modules of one package; many rules ask for them."""
    found = []
    for file in sorted((PROJECT / package).rglob("*.py")):
        source = module_of(file)
        imported = imports_of(file.read_text(encoding="utf-8"), file)
        found += [Import(file, line, source, target) for line, target in imported]
    return tuple(each for each in found if each.source != each.target)


def circle(edges: list[tuple[str, str]]) -> list[str]:
    """A circle in a graph of (from, to), as its nodes in order; empty without a circle."""
    graph: dict[str, set[str]] = {}
    for source, target in edges:
        if source != target:
            graph.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
