"""The ``mlinfn`` program: verbs that call the workbench and say what came of it."""
