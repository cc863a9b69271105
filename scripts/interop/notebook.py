"""What scripts/interop/notebook.sh runs: see there."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def texts(notebook):
    """What the cells print; pictures are looked at by people."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            yield number, output.get("text") or output.get("data", {}).get("text/plain")


path = Path("examples/results.ipynb")
committed = nbformat.read(path, as_version=4)
notebook = nbformat.read(path, as_version=4)
NotebookClient(notebook, timeout=120, resources={"metadata": {"path": path.parent}}).execute()
for cell in notebook.cells:
    cell.metadata.clear()  # Times of execution.
notebook.metadata["language_info"] = {"name": "python"}
nbformat.validate(notebook)
pictures = sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
if "--write" in sys.argv:
    nbformat.write(notebook, path)
elif list(texts(notebook)) != list(texts(committed)):
    sys.exit(f"notebook: error: {path} prints other things than are committed; help: scripts/interop/notebook.sh --write")
if pictures != 3:
    sys.exit(f"notebook: error: {pictures} pictures, expected 3")
print(f"notebook: {path} ran, {pictures} pictures, {path.stat().st_size // 1000} kB")
