"""Runs that people share: a read-only copy in a group's area (:mod:`.giving`), and reading what
others put there, as if it came from an enemy (:mod:`.taking`).

::

    AREA/<job>/shared.json            what is told of the run, with the hash of every other file
               bundle/                notebook.ipynb | script.py, modules/, environment.json,
                                      conda-lock.yml
               points.jsonl, results.jsonl, points/<k>/attempts/<n>/log.txt      (a sweep's)
               attempts/<n>/          the files of :data:`~.giving.OF_ATTEMPTS`
               outputs/               what the job published
"""
