"""The notebook of client/python/examples, run in a real kernel against a real server. Run by run.py."""

import os
import pathlib
import unittest

import nbclient
import nbformat

FOLDER = pathlib.Path(os.environ["ESPALIER_ROOT"]) / "client/python/examples"


def run(name):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=None, startup_timeout=600, kernel_name="python3",
                                     resources={"metadata": {"path": str(FOLDER)}})
    return client.execute()


def outputs(notebook):
    """What each code cell shows: its results by kind of data, and what it prints."""
    shown = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            results = [output.data for output in cell.outputs if output.output_type == "execute_result"]
            shown.append((results[0] if results else {}, "".join(o.text for o in cell.outputs if o.output_type == "stream")))
    return shown


class Notebook(unittest.TestCase):
    def test_every_cell_runs_and_shows_what_it_should(self):
        notebook = run("verify.ipynb")
        cells = outputs(notebook)
        self.assertIn("<b style='color:#1a7f37'>unsat</b>", cells[1][0]["text/html"])
        self.assertIn("sat</b>", cells[2][0]["text/html"])
        self.assertIn("witness X", cells[2][0]["text/html"])
        self.assertIn("Accepted(queue_position=0)", cells[4][1])
        self.assertEqual(cells[4][0]["text/plain"], "'sat'")
        self.assertEqual(cells[5][0]["text/plain"], "8170")
        self.assertEqual(cells[6][0]["text/plain"], "True")
        self.assertIn("line 1", cells[7][1])


if __name__ == "__main__":
    unittest.main()
