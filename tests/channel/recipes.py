"""What lies in a channel of each size.

========  =========================================================================================
small     python, ipykernel, pip, setuptools, ``humanize`` in two versions, and the packages made
          by hand (``handmade``): enough for a running kernel, and for what goes wrong
demo      for ``make lab``: the above (without what goes wrong), and what people plot with
science   what a physicist's environment holds: ≥ 60 packages, ≥ 18,000 files installed
large     science, and JupyterLab, pyarrow, jaxlib and xgboost with a package of ≥ 300 MB installed
========  =========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.requirements import Requirement

from tests.channel.requirements import conda_name, conda_spec

KERNEL = ("ipykernel", "pip", "setuptools", "tzdata", "humanize==4.11.0")
EVERYDAY = ("numpy", "pandas", "matplotlib", "scipy", "tqdm", "requests", "pyyaml", "rich")
SCIENCE = (
    "scikit-learn", "ipywidgets", "sympy", "networkx", "h5py", "astropy", "uproot", "awkward",
    "iminuit", "nbconvert", "jupyter_server",
)  # fmt: skip
LARGE = (
    "jupyterlab", "notebook", "bokeh", "plotly", "seaborn", "statsmodels", "dask", "numba",
    "sqlalchemy", "xarray", "pyarrow", "jax", "xgboost",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """One size: what is asked of the index together, and what is fetched by itself."""

    size: str
    wishes: tuple[str, ...]
    beside: tuple[str, ...] = ()
    """Further versions, each fetched without its dependencies."""
    handmade: bool = False
    """Whether the packages made by hand and the dummies of other platforms are added."""

    @property
    def specs(self) -> list[str]:
        """What to ask a solver for to have everything of this size in one environment."""
        asked = [Requirement(wish) for wish in self.wishes]
        named = [f"{conda_name(one.name)} {conda_spec(one.specifier)}".strip() for one in asked]
        return ["python", *named]


RECIPES = {
    recipe.size: recipe
    for recipe in (
        Recipe("small", KERNEL, ("humanize==4.9.0",), handmade=True),
        Recipe("demo", (*KERNEL, *EVERYDAY), ("humanize==4.9.0",)),
        Recipe("science", (*KERNEL, *EVERYDAY, *SCIENCE)),
        Recipe("large", (*KERNEL, *EVERYDAY, *SCIENCE, *LARGE)),
    )
}
