"""Running a notebook: kernel first, then everything that takes long to import, then the cells."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.credentials import Redactor
from jupyter_mlinfn.jobs.runner.kernel import StartedKernel, start_kernel
from jupyter_mlinfn.jobs.runner.logfile import LogFile
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome
from jupyter_mlinfn.jobs.runner.rebuilding import bring_back_environment
from jupyter_mlinfn.jobs.runner.stopping import Stopping


def run_notebook(folder: AttemptFolder, spec: Mapping[str, Any], stopping: Stopping) -> Outcome:
    """Run the bundled notebook to its end. Raises :class:`Ended` when it cannot begin."""
    log = LogFile(folder.log, redact=Redactor(folder.job_folder))
    stopping.check()
    bring_back_environment(folder, log, stopping)
    kernel = start_kernel(folder, spec, log)
    try:
        return _run(folder, spec, kernel, log, stopping)
    finally:
        if kernel.process.poll() is None:
            kernel.process.kill()
            kernel.process.wait()
        log.flush()


def _run(
    folder: AttemptFolder,
    spec: Mapping[str, Any],
    kernel: StartedKernel,
    log: LogFile,
    stopping: Stopping,
) -> Outcome:
    # nbformat imports jsonschema's formats and with them a grammar that takes 0.9 s to build;
    # a module that is None in sys.modules counts as missing, and jsonschema does without it
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from jupyter_mlinfn.jobs.runner.cells import NotebookRun
    from jupyter_mlinfn.jobs.runner.verify import verify_environment

    verify_environment(folder)
    notebook = _bundled(folder, spec)
    run = NotebookRun(folder, notebook, kernel, log, stopping)
    return asyncio.run(run.run())


def _bundled(folder: AttemptFolder, spec: Mapping[str, Any]) -> Any:
    """The captured notebook, in the format of now, with the parameters in it."""
    import nbformat

    try:
        notebook = nbformat.read(folder.bundle / "notebook.ipynb", as_version=4)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        text = f"The captured notebook cannot be read ({type(error).__name__}). Submit it again."
        raise Ended(Outcome.failed("bundle-damaged", text)) from error
    if spec.get("parameters") and spec.get("injection") in ("cell", "new-cell"):
        from jupyter_mlinfn.jobs.parameters import inject

        language = json.loads((folder.bundle / "kernel.json").read_bytes())["language"]
        notebook = inject(notebook, spec["parameters"], language)
    return notebook
