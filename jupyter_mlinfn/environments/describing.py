"""One environment by any name people use for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.model.environment_answers import EnvironmentDetails
from jupyter_mlinfn.model.environments import Environment
from jupyter_mlinfn.model.errors import InputError, NotFound

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.catalogue import Catalogue
    from jupyter_mlinfn.environments.own.store import OwnEnvironments
    from jupyter_mlinfn.model.environments import EnvironmentRef, EnvironmentResolver, Package


def describe(
    own: OwnEnvironments, catalogue: Catalogue, kernels: EnvironmentResolver, name: str
) -> EnvironmentDetails:
    """An own or managed environment (also ``NAME@DIGEST``), else what kernel ``name`` runs in.

    Raises :class:`NotFound` for a state that is not there, and :class:`PartMissing`
    (``environment-missing``) when there is neither such an environment nor such a kernel.
    """
    try:
        details = own.details(name)
        row = catalogue.sized(details.environment)
        return details.model_copy(update={"environment": row})
    except (NotFound, InputError):
        if "@" in name:
            raise
    ref = kernels.resolve(name)
    packages = kernels.packages(ref)
    rows = catalogue.list(measure=False).environments
    found = next((row for row in rows if ref.name in row.kernels), None)
    return EnvironmentDetails(
        environment=found or _row(ref, packages),
        packages=packages,
        digest=ref.digest,
        locked=ref.locked,
        command=ref.kernel,
        kernel=ref.name,
    )


def _row(ref: EnvironmentRef, packages: tuple[Package, ...]) -> Environment:
    return Environment(
        name=ref.name,
        source="kernel",
        language=ref.kernel.language,
        prefix=ref.prefix,
        kernels=(ref.name,),
        packages=len(packages),
    )
