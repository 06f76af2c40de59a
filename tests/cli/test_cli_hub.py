"""``mlinfn hub``: what is printed where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.cli.main import main
from tests.profiles.files import TEXT

SMALL = """
schema = 1
[ceiling]
cpu = 4
memory = "8GiB"
registries = ["harbor.example.org/"]
[image.lab]
title = "JupyterLab"
reference = "harbor.example.org/lab:1"
[[profile]]
name = "cpu"
title = "Without a GPU"
groups = ["users/physics"]
images = ["lab"]
cpu = [2]
memory = ["4GiB"]
"""


@pytest.fixture
def offer(tmp_path: Path) -> Path:
    file = tmp_path / "profiles.toml"
    file.write_text(TEXT)
    return file


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["hub", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code, out, _ = printed(capsys, *arguments)
    return code, json.loads(out)


def test_check_says_that_a_file_is_right_and_for_whom(
    offer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = printed(capsys, "check", offer)
    assert code == 0
    assert "is right." in out
    assert "  cpu: CPU only, for everybody" in out.splitlines()
    assert err == ""
    code, document = as_json(capsys, "check", offer, "--json")
    assert (code, document["right"], document["problems"]) == (0, True, [])


def test_check_prints_each_mistake_on_a_line_that_editors_read(
    offer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer.write_text(TEXT.replace('"2GiB"', '"2 apples"').replace("mode =", "mood ="))
    code, out, err = printed(capsys, "check", offer)
    assert code == 1
    lines = out.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("profiles.toml:") for line in lines)
    assert "Did you mean 'mode'?" in lines[0]
    assert "4 mistakes" in err
    code, document = as_json(capsys, "check", offer, "--json")
    assert (code, document["right"], len(document["problems"])) == (1, False, 4)
    assert document["problems"][3]["field"] == "profile.cpu.memory"


def test_check_of_no_file_is_a_mistake_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = printed(capsys, "check", tmp_path / "gone.toml")
    assert code == 1
    assert out.startswith("gone.toml:1: The file cannot be read")


def test_check_for_a_spawner_tells_what_it_cannot_do(
    offer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = printed(capsys, "check", offer, "--spawner", "docker")
    assert code == 1
    line = TEXT.splitlines().index("resources = { fpga = 2 }") + 1
    assert out.startswith(f"profiles.toml:{line}: profile.gpu-small.resources: Docker")
    offer.write_text(TEXT.replace('on_full = "wait"', 'on_full = "wait"\nadvisory = true'))
    code, out, err = printed(capsys, "check", offer, "--spawner", "docker")
    assert code == 0
    assert "Note: profiles.toml:" in err
    nothing_to_start = offer.read_text().replace('images = ["lab", "staff"]\n', "")
    assert nothing_to_start != offer.read_text()
    offer.write_text(nothing_to_start)
    code, out, _ = printed(capsys, "check", offer, "--spawner", "docker")
    assert code == 1
    assert "starts nothing without an image" in out
    offer.write_text('spawner = "docker"\n' + TEXT)
    assert printed(capsys, "check", offer)[0] == 1


def test_render_prints_the_traits_of_somebody_s_session(
    offer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = as_json(
        capsys, "render", offer, "--spawner", "docker", "--user", "anna",
        "--group", "users/ai-infn", "--profile", "gpu-small", "--accelerator", "mig-small",
        "--cpu", "4", "--area", "scratch",
    )  # fmt: skip
    assert (code, document["profile"]) == (0, "gpu-small")
    traits = document["traits"]
    assert traits["image"] == "harbor.example.org/ok/lab:1.2"
    assert traits["cpu_limit"] == 4.0
    assert traits["mem_limit"] == 8 * 2**30


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--spawner", "docker", "--user", "o", "--profile", "staff"), 4, "not for any of your"),
        (("--spawner", "docker", "--user", "o", "--image", "x"), 2, "has no image 'x'"),
        (("--spawner", "kube", "--user", "o", "--resource", "fpga=1"), 2, "no resource 'fpga'"),
        (("--user", "o"), 2, "--spawner docker, kube or local"),
    ],
)
def test_render_refuses_as_the_hub_would(
    offer: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    ended, out, err = printed(capsys, "render", offer, *arguments)
    assert (ended, out) == (code, "")
    assert words in err


def test_render_for_somebody_without_a_profile_tells_the_admin_whom_there_is_one_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text(SMALL)
    wish = ("render", file, "--spawner", "docker", "--user", "ada")
    ended, out, err = printed(capsys, *wish)
    assert (ended, out) == (4, "")
    assert f"{file} offers nothing to ada, who is in no group here." in err
    assert "--group. There are profiles for members of users/physics." in err
    assert "who is in users/maths here" in printed(capsys, *wish, "--group", "users/maths")[2]
    assert printed(capsys, *wish, "--group", "users/physics")[0] == 0


def test_diff_says_what_changes_for_whom(offer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = offer.with_name("new.toml")
    new.write_text(TEXT.replace('max = "12h"', 'max = "6h"'))
    code, out, _ = printed(capsys, "diff", offer, new)
    assert code == 1
    assert out.splitlines() == [
        "gpu-small, for members of users/ai-infn, admins/ai-infn:",
        "  Longest session 6 h instead of 12 h.",
    ]
    code, document = as_json(capsys, "diff", offer, new, "--json")
    assert (code, len(document["differences"])) == (1, 1)
    assert printed(capsys, "diff", offer, offer)[:2] == (0, "Nothing changes for anybody.\n")


def test_schema_prints_the_published_one(capsys: pytest.CaptureFixture[str]) -> None:
    published = Path(__file__).parents[2] / "docs" / "profiles.schema.json"
    code, out, _ = printed(capsys, "schema")
    assert (code, out) == (0, published.read_text(encoding="utf-8"))
