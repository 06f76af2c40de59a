"""Whether packages built for CUDA run with a driver."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.environments.own.cuda import Version, cuda_need, judge, stated_need
from jupyter_mlinfn.model.environments import Package


def package(name: str, version: str, build: str | None = None) -> Package:
    return Package(name=name, version=version, build=build)


@pytest.mark.parametrize(
    ("packages", "need"),
    [
        ([package("numpy", "2.0", "py311h123_0")], None),
        ([package("cuda-version", "12.6", "h7480c83_3")], (12, 6)),
        ([package("cudatoolkit", "11.8.0", "h4ba93d1_13")], (11, 8)),
        ([package("pytorch", "2.5.1", "cuda126_py311h1_301")], (12, 6)),
        ([package("pytorch", "2.5.1", "py3.11_cuda12.4_cudnn9.1.0_0")], (12, 4)),
        ([package("pytorch", "2.5.1", "cpu_generic_py311_0")], None),
        ([package("torch", "2.5.1+cu124")], (12, 4)),
        ([package("nvidia-cuda-runtime-cu12", "12.8.90")], (12, 8)),
        ([package("torch", "2.5.1+cu118"), package("cuda-version", "12.1")], (12, 1)),
        ([package("barracuda", "1.0", "py311_0")], None),
        ([package("barracuda", "1.0", "barracuda12_0")], None),
    ],
)
def test_what_packages_need(packages: list[Package], need: Version | None) -> None:
    assert cuda_need(packages) == need


@pytest.mark.parametrize(
    ("dependencies", "need"),
    [
        ([{"python": ">=3"}], None),
        ([{"__cuda": ">=12"}, {"__cuda": ">=11.8"}], (12, 0)),
        ([{"__cuda": "*"}], (0, 0)),
    ],
)
def test_what_packages_say(dependencies: list[dict[str, str]], need: Version | None) -> None:
    assert stated_need(dependencies) == need


@pytest.mark.parametrize(
    ("need", "driver", "state"),
    [
        ((12, 4), "12.4", "compatible"),
        ((12, 4), "13.0", "compatible"),
        ((11, 8), "12.2", "compatible"),
        ((12, 10), "12.9", "unknown"),
        ((12, 4), "12.2", "unknown"),
        ((12, 4), "11.8", "not-compatible"),
        ((12, 4), None, "unknown"),
    ],
)
def test_the_verdict(need: Version, driver: str | None, state: str) -> None:
    fit = judge(need, driver)
    assert fit is not None
    assert fit.state == state
    assert f"CUDA {need[0]}.{need[1]}" in fit.text
    assert driver is None or driver in fit.text


def test_no_verdict_without_need_and_none_from_silence() -> None:
    assert judge(None, "12.4") is None
    fit = judge((12, 4), None, silent=True)
    assert fit is not None
    assert fit.state == "unknown"
    assert "does not answer" in fit.text
