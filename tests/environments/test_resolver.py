"""The environments behind kernels, as jobs ask for them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.inventory import digest
from jupyter_mlinfn.environments.kernels import SpecFinder, default_finder
from jupyter_mlinfn.environments.resolver import KernelEnvironments, present_packages
from jupyter_mlinfn.model.environments import EnvironmentResolver
from jupyter_mlinfn.model.errors import PartMissing
from tests.environments.making import add_distribution, program, site_of

Make = Callable[..., Path]
LAUNCHER = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.fixture
def resolver(finder: SpecFinder) -> EnvironmentResolver:
    return KernelEnvironments(finder)


def test_a_kernel_resolves_to_command_prefix_and_digest(
    tmp_path: Path, resolver: EnvironmentResolver, make_venv: Make, add_kernel: Make
) -> None:
    prefix = make_venv(tmp_path / "v", numpy="2.0.0")
    folder = add_kernel("ml", [f"{prefix}/bin/python", *LAUNCHER], env={"A": "1"})
    ref = resolver.resolve("ML")
    assert (ref.name, ref.prefix, ref.locked) == ("ml", str(prefix), False)
    assert ref.kernel.argv == (f"{prefix}/bin/python", *LAUNCHER)
    assert (ref.kernel.env, ref.kernel.resource_dir) == ({"A": "1"}, str(folder))
    packages = resolver.packages(ref)
    assert [package.name for package in packages] == ["numpy", "python"]
    assert ref.digest == digest(packages)


def test_a_change_after_submit_is_seen(
    tmp_path: Path, resolver: EnvironmentResolver, make_venv: Make, add_kernel: Make
) -> None:
    prefix = make_venv(tmp_path / "v", numpy="2.0.0")
    add_kernel("ml", [f"{prefix}/bin/python", *LAUNCHER])
    ref = resolver.resolve("ml")
    assert digest(present_packages(ref)) == ref.digest
    add_distribution(site_of(prefix), "scipy", "1.0")
    assert digest(present_packages(ref)) != ref.digest
    (prefix / "bin" / "python3.11").unlink()
    with pytest.raises(PartMissing) as missing:
        present_packages(ref)
    assert missing.value.code == "environment-missing"
    assert missing.value.exit_code == 3


def test_what_is_told_of_a_reference_is_what_its_digest_names(
    tmp_path: Path, resolver: EnvironmentResolver, make_venv: Make, add_kernel: Make
) -> None:
    prefix = make_venv(tmp_path / "v", numpy="2.0.0")
    add_kernel("ml", [f"{prefix}/bin/python", *LAUNCHER])
    ref = resolver.resolve("ml")
    add_distribution(site_of(prefix), "scipy", "1.0")
    assert digest(resolver.packages(ref)) == ref.digest
    later = resolver.resolve("ml")
    assert digest(resolver.packages(later)) == later.digest != ref.digest


def test_a_kernel_of_another_language_has_no_digest(
    tmp_path: Path, resolver: EnvironmentResolver, add_kernel: Make
) -> None:
    add_kernel("ir", [str(program(tmp_path / "bin" / "R")), "{connection_file}"], language="R")
    ref = resolver.resolve("ir")
    assert (ref.digest, ref.prefix, ref.kernel.language) == (None, None, "r")
    assert resolver.packages(ref) == ()


def test_a_missing_kernel_is_refused_with_what_is_there(
    tmp_path: Path, resolver: EnvironmentResolver, make_venv: Make, add_kernel: Make
) -> None:
    prefix = make_venv(tmp_path / "v")
    for name in ("ml-gpu", "stats"):
        add_kernel(name, [f"{prefix}/bin/python", *LAUNCHER])
    with pytest.raises(PartMissing) as missing:
        resolver.resolve("mlgpu")
    assert missing.value.code == "environment-missing"
    assert missing.value.hint == "Did you mean 'ml-gpu'? Kernels found: ml-gpu, stats."
    with pytest.raises(PartMissing) as missing:
        resolver.resolve("zzz")
    assert missing.value.hint == "Kernels found: ml-gpu, stats."


def test_a_kernel_whose_program_is_gone_is_refused(
    resolver: EnvironmentResolver, add_kernel: Make
) -> None:
    add_kernel("old", ["/gone/bin/python", *LAUNCHER])
    with pytest.raises(PartMissing, match="Its program /gone/bin/python is not there"):
        resolver.resolve("old")
    assert [ref.name for ref in resolver.choices()] == ["old"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"argv": "python"}', '{"argv": [1]}', '{"argv": ["a"], "env": {"A": 1}}', "\0"],
)
def test_a_broken_kernel_json_is_told_and_harms_no_other(
    tmp_path: Path,
    resolver: EnvironmentResolver,
    make_venv: Make,
    add_kernel: Callable[..., Path],
    text: str,
) -> None:
    add_kernel("good", [f"{make_venv(tmp_path / 'v')}/bin/python", *LAUNCHER])
    add_kernel("broken", text=text)
    assert [ref.name for ref in resolver.choices()] == ["good"]
    with pytest.raises(PartMissing, match=r"broken/kernel\.json cannot be used"):
        resolver.resolve("broken")


def test_no_kernel_at_all_says_what_to_install(resolver: EnvironmentResolver) -> None:
    assert resolver.choices() == ()
    with pytest.raises(PartMissing) as missing:
        resolver.resolve("python3")
    assert "pip install ipykernel" in str(missing.value.hint)


def test_jupyters_own_kernel_is_found_by_default() -> None:
    ref = KernelEnvironments(default_finder()).resolve("python3")
    assert ref.prefix == sys.prefix
    assert ref.digest


def test_looking_does_not_make_jupyters_provisioner_factory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is a singleton that takes its configuration from the first who makes it: the server."""
    from jupyter_client.provisioning import KernelProvisionerFactory

    monkeypatch.setattr(KernelProvisionerFactory, "_instance", None)
    KernelEnvironments().resolve("python3")
    assert not KernelProvisionerFactory.initialized()
