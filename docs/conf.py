"""Sphinx: MyST pages with the PyData theme, as the Jupyter projects do."""

project = "jupyter_mlinfn"
author = "the jupyter_mlinfn developers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = "jupyter_mlinfn"
myst_heading_anchors = 3
