"""What lies in a channel of each size.

========  =========================================================================================
small     python, ipykernel, pip, setuptools, ``humanize`` in two versions, and the packages made
          by hand (``handmade``): enough for a running kernel, and for what goes wrong
demo      for ``make lab``: the above (without what goes wrong), and what people plot with
science   what a physicist's environment holds: ≥ 60 packages, ≥ 18,000 files installed
large     science, and pyarrow, jaxlib and xgboost with its ≥ 300 MB of one package
========  =========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

KERNEL = ("ipykernel", "pip", "setuptools", "tzdata", "humanize==4.11.0")
EVERYDAY = ("numpy", "pandas", "matplotlib", "scipy", "tqdm", "requests", "pyyaml", "rich")
SCIENCE = (
    "scikit-learn", "jupyterlab", "notebook", "ipywidgets", "sympy", "networkx", "h5py", "xarray",
    "dask", "numba", "astropy", "sqlalchemy", "uproot", "awkward", "iminuit", "bokeh", "plotly",
    "seaborn", "statsmodels", "nbconvert",
)  # fmt: skip
LARGE = ("pyarrow", "jax", "xgboost")


@dataclass(frozen=True)
class Recipe:
    """One size: what is asked of the index together, and what is fetched by itself."""

    size: str
    wishes: tuple[str, ...]
    beside: tuple[str, ...] = ()
    """Further versions, each fetched without its dependencies."""
    handmade: bool = False
    """Whether the packages made by hand and the dummies of other platforms are added."""


RECIPES = {
    recipe.size: recipe
    for recipe in (
        Recipe("small", KERNEL, ("humanize==4.9.0",), handmade=True),
        Recipe("demo", (*KERNEL, *EVERYDAY), ("humanize==4.9.0",)),
        Recipe("science", (*KERNEL, *EVERYDAY, *SCIENCE)),
        Recipe("large", (*KERNEL, *EVERYDAY, *SCIENCE, *LARGE)),
    )
}
