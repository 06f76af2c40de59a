"""A second file with what differs: small, and together with its base the whole environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.image import launcher, shelf
from jupyter_mlinfn.environments.image.below import look_below
from jupyter_mlinfn.environments.image.contents import CONTENTS, Contents
from jupyter_mlinfn.environments.image.upper import difference, joined
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import read_lock
from jupyter_mlinfn.environments.own.policy import this_platform
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.model.errors import InputError, Refused
from tests import parts
from tests.environments.image.conftest import events, locked, packed, packing
from tests.environments.image.tools import need

PROGRAM = ("-I", "-m", "jupyter_mlinfn.environments.image")
SHOW = """
import importlib, importlib.metadata as m, json, sys, os
def version(name):
    try:
        importlib.import_module(name)
        return m.version(name)
    except ImportError:
        return None
print(json.dumps([sys.prefix, version("humanize"), version("comm"), version("ipykernel")]))
"""


def contents(python: str = "p", **entries: str) -> Contents:
    """Files by name (``__`` for ``/``) and content."""
    named = {name.replace("__", "/"): (0, len(text), text) for name, text in entries.items()}
    return Contents(lock="sha256:0", python=python, entries=named)


def test_what_differs_and_what_is_gone() -> None:
    below = contents(a__x="1", a__y="1", b__c__x="1", b__c__y="1", d__x="1", e="1", same="1")
    above = contents(a__x="2", b__n="1", d="1", e__x="1", same="1")
    changed, gone = difference(below, above)
    assert changed == ["a/x", "b/n", "d", "e/x"]
    assert gone == ["a/y", "b/c", "e"]


def test_the_folder_of_the_papers_is_never_gone() -> None:
    assert difference(contents(share__man__x="1", a="1"), contents(a="1"))[1] == ["share/man"]


def test_a_compiled_file_follows_its_source_and_its_python() -> None:
    def one(source: str, python: str = "p") -> Contents:
        entries = {"m/s.py": (0, 1, source), "m/__pycache__/s.cpython-311.pyc": (0, 9, "")}
        return Contents(lock="sha256:0", python=python, entries=entries)

    assert difference(one("a"), one("a")) == ([], [])
    assert difference(one("a"), one("b"))[0] == ["m/__pycache__/s.cpython-311.pyc", "m/s.py"]
    assert difference(one("a"), one("a", "q"))[0] == ["m/__pycache__/s.cpython-311.pyc"]


def test_what_came_is_joined_with_what_stays() -> None:
    below = contents(python="1", kept="1", a__old="1", a__same="1")
    whole = joined(below, {"a/old"}, contents(python="1", a__new="2"), "sha256:new")
    assert whole is not None
    assert list(whole.entries) == ["a/new", "a/same", "kept"]
    assert (whole.lock, whole.python) == ("sha256:new", "1")
    assert difference(below, whole) == (["a/new"], ["a/old"])


@pytest.mark.parametrize(
    ("went", "part"),
    [
        ((), {"kept": "2"}),
        ((), {"a": "1"}),
        ((), {"kept__x": "1"}),
        (("not/there",), {"new": "1"}),
        ((), {"new": "1", "python": "2"}),
    ],
    ids=["a file of two packages", "a file in a folder's place", "a folder in a file's place",
         "a list that does not fit the image", "another Python"],
)  # fmt: skip
def test_what_is_not_certain_is_found_by_installing_all(
    went: tuple[str, ...], part: dict[str, str]
) -> None:
    below = contents(kept="1", a__x="1")
    assert joined(below, set(went), contents(**part), "sha256:new") is None


@pytest.fixture(scope="session")
def base(small_channel: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> PackedImage:
    """ipykernel and an old humanize."""
    need("mksquashfs", "unsquashfs")
    folder = tmp_path_factory.mktemp("base")
    lock = locked(small_channel, folder / "lock.yml", "python", "ipykernel", "humanize=4.9.0")
    return packed(lock, data)


@pytest.fixture(scope="session")
def new_lock(small_channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newer humanize, pip and comm; ipykernel is gone."""
    folder = tmp_path_factory.mktemp("new")
    return locked(small_channel, folder / "lock.yml", "python", "comm", "pip", "humanize=4.11.0")


@pytest.fixture(scope="session")
def layer(new_lock: Path, base: PackedImage, data: Path) -> PackedImage:
    """``new_lock`` over ``base``."""
    return packed(new_lock, data, "--over", base.path)


@pytest.mark.system
@pytest.mark.parametrize("way", ["kernel", "squashfuse", "unpacked"])
def test_a_layer_over_its_base_is_the_whole(
    way: str, base: PackedImage, layer: PackedImage, tmp_path: Path
) -> None:
    need("unsquashfs", "squashfuse_ll")
    finding = next(found for found in launcher.probe() if found.way == way)
    if not finding.works:
        parts.missed(f"layer by {way}", finding.why)
        pytest.skip(finding.why)
    options = ["--way", way, "--scratch", str(tmp_path), "--over", base.path]
    argv = [sys.executable, *PROGRAM, *options, layer.path, "--", "python", "-v", "-c", SHOW]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == ["/env", "4.11.0", "0.2.3", None]
    assert "# wrote" not in done.stderr
    assert "bytecode is stale" not in done.stderr
    parts.took_part(f"layer by {way}", "ran a program out of two images")


@pytest.mark.system
def test_a_layer_is_small_reproducible_and_found_again(
    base: PackedImage, layer: PackedImage, new_lock: Path, data: Path, tmp_path: Path
) -> None:
    whole = packed(new_lock, data)
    assert layer.size < whole.size / 4
    assert packed(new_lock, data, "--over", base.path) == layer
    assert packed(new_lock, tmp_path / "data", "--over", base.path).digest == layer.digest


@pytest.mark.system
def test_it_is_the_same_whether_all_is_installed_or_what_differs(
    base: PackedImage, layer: PackedImage, new_lock: Path, data: Path, tmp_path: Path
) -> None:
    """A package went, one was changed (its programs too), one came with its programs."""
    plainly = packed(new_lock, tmp_path / "data", "--over", base.path, "--plainly")
    assert plainly.digest == layer.digest
    installed = [event for event in events(tmp_path / "data") if event["phase"] == "linking"]
    before = packed(new_lock, tmp_path / "other", "--over", base.path)
    assert before.digest == layer.digest
    fewer = [event for event in events(tmp_path / "other") if event["phase"] == "linking"]
    assert fewer[0]["total"] < installed[0]["total"]


@pytest.mark.system
def test_a_layer_says_of_itself_that_it_is_one(
    base: PackedImage, layer: PackedImage, data: Path, tmp_path: Path
) -> None:
    assert layer.base is not None
    assert (layer.base.path, layer.base.digest) == (base.path, base.digest)
    paper = shelf.Paper.model_validate_json(Path(layer.path).with_suffix(".json").read_text())
    assert paper.image == layer
    alone = [sys.executable, *PROGRAM, "--scratch", str(tmp_path), layer.path, "--", "true"]
    done = subprocess.run(alone, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is a layer" in done.stderr
    assert base.digest[7:19] in done.stderr


@pytest.mark.system
def test_a_base_that_is_gone_or_was_changed_is_named(
    base: PackedImage, layer: PackedImage, tmp_path: Path
) -> None:
    copy = tmp_path / "base.sqfs"
    shutil.copy(base.path, copy)
    copy.chmod(0o644)
    argv = [sys.executable, *PROGRAM, "--scratch", str(tmp_path / "s"), "--over", str(copy)]
    argv += ["--digest", layer.digest, layer.path, "--", "true"]
    with copy.open("r+b") as file:
        file.seek(base.size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    (tmp_path / "s").mkdir()
    changed = subprocess.run(argv, capture_output=True, text=True)
    assert changed.returncode == 4
    assert "not the image that it was made over" in changed.stderr
    copy.unlink()
    gone = subprocess.run(argv, capture_output=True, text=True)
    assert gone.returncode == 2, gone.stderr
    assert f"is a layer over {copy}, which is not there" in gone.stderr


@pytest.mark.system
def test_nothing_is_laid_over_a_layer_another_python_or_another_machine(
    base: PackedImage, layer: PackedImage, new_lock: Path
) -> None:
    here = this_platform()
    lock = read_lock(new_lock.read_text())
    with pytest.raises(InputError) as refused:
        look_below(Path(layer.path), lock, here)
    assert refused.value.code == "image-layer"
    newer = [
        one.model_copy(update={"version": "3.14.0"}) if one.name == "python" else one
        for one in lock.packages
    ]
    with pytest.raises(InputError) as refused:
        look_below(Path(base.path), Lock.made_of(lock.channels, lock.platforms, newer), here)
    assert refused.value.code == "image-python"
    assert "it has Python 3.11, the environment Python 3.14" in refused.value.text
    with pytest.raises(InputError) as refused:
        look_below(Path(base.path), lock, "osx-arm64")
    assert refused.value.code == "image-platform"


@pytest.mark.system
@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "x\nrun f 644 0 0 touch /tmp/x"])
def test_a_base_that_was_made_to_do_harm_is_refused(
    path: str, new_lock: Path, tmp_path: Path
) -> None:
    """Names of files that are gone become orders to mksquashfs, and folders."""
    need("mksquashfs", "unsquashfs")
    tree = tmp_path / "tree"
    (tree / CONTENTS).parent.mkdir(parents=True)
    (tree / CONTENTS).write_text(
        Contents(lock="sha256:0", python="p", entries={path: (0, 1, "0")}).model_dump_json()
    )
    image = tmp_path / "hostile.sqfs"
    argv = ["mksquashfs", str(tree), str(image), "-quiet", "-no-progress"]
    subprocess.run(argv, check=True, capture_output=True)
    with pytest.raises(Refused) as refused:
        look_below(image, read_lock(new_lock.read_text()), this_platform())
    assert refused.value.code == "image-hostile"


@pytest.mark.system
def test_a_layer_runs_over_no_other_base(
    layer: PackedImage, kernel_image: PackedImage, base: PackedImage, tmp_path: Path
) -> None:
    for words, code, said in (
        (("--over", kernel_image.path, layer.path), 4, "not the image that it was made over"),
        (("--over", kernel_image.path, base.path), 2, "is no layer"),
    ):
        argv = [sys.executable, *PROGRAM, "--scratch", str(tmp_path), *words, "--", "true"]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert said in done.stderr


@pytest.mark.system
def test_a_base_that_says_nothing_of_itself_is_refused(new_lock: Path, tmp_path: Path) -> None:
    need("mksquashfs", "unsquashfs")
    (tmp_path / "tree").mkdir()
    image = tmp_path / "foreign.sqfs"
    argv = ["mksquashfs", str(tmp_path / "tree"), str(image), "-quiet", "-no-progress"]
    subprocess.run(argv, check=True, capture_output=True)
    done = packing("pack", new_lock, tmp_path / "data", "--over", image)
    assert done.returncode == 2
    assert "does not say what it contains" in done.stderr
