"""The notebook of the documentation runs from top to bottom."""

import nbformat
from nbclient import NotebookClient

from tests.helpers import PROJECT

NOTEBOOK = PROJECT / "docs" / "quickstart.ipynb"


def test_the_quickstart_notebook_finds_ships_and_saves_them():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute(cwd=str(PROJECT))
    printed = [
        output["text"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output["name"] == "stdout"
    ]
    ships = int(printed[0].split()[0])
    assert ships > 0
    assert len(printed[1].splitlines()) == ships
    assert int(printed[2].split()[0]) <= ships
    assert "length_m" in printed[-1]


def test_the_stored_notebook_has_no_results_of_a_past_run():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
