"""What the admin allows."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.environments.own.policy import Policy, channel_address, channel_of
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.settings import Mlinfn
from jupyter_mlinfn.workbench import Workbench

HOME = "https://conda.anaconda.org"


def policy(**given: object) -> Policy:
    return Policy.model_validate({"user": "me", "channels": ("conda-forge",), **given})


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("conda-forge", f"{HOME}/conda-forge"),
        ("conda-forge/", f"{HOME}/conda-forge"),
        ("/shared/channel/", "file:///shared/channel"),
        ("file:///shared/my%20channel", "file:///shared/my channel"),
        ("HTTPS://Example.Org/a/", "https://example.org/a"),
        ("https://user:word@example.org/a", "https://example.org/a"),
    ],
)
def test_one_form_for_all_names_of_a_channel(channel: str, address: str) -> None:
    assert channel_address(channel) == address


def test_every_channel_is_allowed_without_a_list() -> None:
    policy().check_channels(["anything", "https://example.org/x"])


@pytest.mark.parametrize(
    "channel",
    ["conda-forge", f"{HOME}/conda-forge", "bioconda", f"{HOME}/bioconda/"],
)
def test_channels_of_the_list_and_the_usual_ones(channel: str) -> None:
    policy(allowed_channels=("bioconda",)).check_channels([channel])


@pytest.mark.parametrize(
    "channel",
    [
        "other",
        "https://evil.example/bioconda",
        "https://bioconda@evil.example/conda-forge",
        f"{HOME}/bioconda/../other",
        "file:///bioconda",
        "/",
    ],
)
def test_another_channel_is_refused_by_name(channel: str) -> None:
    with pytest.raises(Refused) as refused:
        policy(allowed_channels=("bioconda",)).check_channels(["conda-forge", channel])
    assert channel in refused.value.text
    assert refused.value.code == "channel-refused"


def test_the_channel_of_a_package() -> None:
    url = f"{HOME}/conda-forge/linux-64/numpy-2.0-py311_0.conda#abc"
    assert channel_of(url) == f"{HOME}/conda-forge"
    policy(allowed_channels=("x",)).check_channels([channel_of(url)])


def test_denied_packages_by_pattern_and_spelling() -> None:
    denied = policy(denied_packages=("evil", "Some_Thing*"))
    denied.check_packages(["evil-twin", "some"])
    with pytest.raises(Refused) as refused:
        denied.check_packages(["numpy", "EVIL", "some.thing.else"])
    assert refused.value.text == "These packages may not be installed here: EVIL, some.thing.else."


def test_sizes_and_files() -> None:
    limited = policy(max_size=2 * 2**30, max_files=1000)
    limited.check_size(2 * 2**30, 1000)
    limited.check_size(None, None)
    with pytest.raises(Refused, match=r"3\.0 GiB; 2\.0 GiB are allowed"):
        limited.check_size(3 * 2**30, 1)
    with pytest.raises(Refused, match="1001 files; 1000 files are allowed"):
        limited.check_size(1, 1001)


def test_pip() -> None:
    policy().check_pip()
    with pytest.raises(Refused):
        policy(pip_allowed=False).check_pip()


def test_the_settings_become_the_policy(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("MLINFN_CHANNELS", "one, /two,")
    monkeypatch.setenv("MLINFN_MANAGED_ENVIRONMENTS", "/m:/n")
    settings = Mlinfn(data_dir=str(tmp_path), environment_max_size="2GiB", cuda_version="12.8")
    found = Workbench(settings).policy()
    assert found.channels == ("one", "/two")
    assert found.managed == ("/m", "/n")
    assert (found.max_size, found.max_files, found.cuda) == (2 * 2**30, None, "12.8")
    settings.denied_packages = ["evil"]
    assert Workbench(settings).policy().denied_packages == ("evil",)


def test_without_settings_the_channel_is_conda_forge(tmp_path: object) -> None:
    assert Workbench(Mlinfn(data_dir=str(tmp_path))).policy().channels == ("conda-forge",)
