"""The manifest of a prefix: what counts as the same, and what does not."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.environments.own.manifest import FileDifference

SITE = "lib/python3.11/site-packages"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A small prefix with a package, a program, a link and a compiled module."""
    prefix = tmp_path / "prefix"
    for name, text in (
        (f"{SITE}/tiny/__init__.py", "answer = 42\n"),
        (f"{SITE}/tiny/more.py", "more = 1\n"),
        (f"{SITE}/tiny/__pycache__/more.cpython-311.pyc", "compiled"),
        ("bin/tiny", "#!/bin/sh\n"),
        ("conda-meta/tiny-1.0-0.json", "{}"),
    ):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(text)
    (prefix / "bin/tiny").chmod(0o755)
    (prefix / "lib/libtiny.so").symlink_to("libtiny.so.1")
    return prefix


@pytest.fixture
def listed(prefix: Path, tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    manifest.write(prefix, path)
    return path


def kinds(prefix: Path, listed: Path) -> list[tuple[str, str]]:
    found = manifest.verify(prefix, manifest.read(listed))
    return [(difference.path, difference.kind) for difference in found]


def test_an_untouched_prefix_has_no_differences(prefix: Path, listed: Path) -> None:
    written = manifest.read(listed)
    assert written.files == 6
    assert written.size == sum(p.lstat().st_size for p in prefix.rglob("*") if not p.is_dir())
    assert kinds(prefix, listed) == []


def test_hashes_are_those_of_the_files(prefix: Path, listed: Path) -> None:
    path = f"{SITE}/tiny/more.py"
    assert (
        manifest.read(listed).entries[path][3] == sha256((prefix / path).read_bytes()).hexdigest()
    )


def edited_keeping_size_and_name(prefix: Path) -> None:
    (prefix / SITE / "tiny/__init__.py").write_text("answer = 43\n")


def shortened(prefix: Path) -> None:
    (prefix / SITE / "tiny/__init__.py").write_text("")


def made_a_link(prefix: Path) -> None:
    path = prefix / SITE / "tiny/__init__.py"
    path.unlink()
    path.symlink_to("more.py")


def made_a_folder(prefix: Path) -> None:
    path = prefix / SITE / "tiny/__init__.py"
    path.unlink()
    path.mkdir()


def made_a_pipe(prefix: Path) -> None:
    path = prefix / SITE / "tiny/__init__.py"
    path.unlink()
    os.mkfifo(path)


def closed_to_us(prefix: Path) -> None:
    path = prefix / SITE / "tiny/__init__.py"
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    "harm",
    [edited_keeping_size_and_name, shortened, made_a_link, made_a_pipe, closed_to_us],
)
def test_a_changed_file_is_found(prefix: Path, listed: Path, harm: Callable[[Path], None]) -> None:
    harm(prefix)
    assert kinds(prefix, listed) == [(f"{SITE}/tiny/__init__.py", "changed")]


def test_a_folder_in_the_place_of_a_file_is_a_missing_file(prefix: Path, listed: Path) -> None:
    made_a_folder(prefix)
    assert kinds(prefix, listed) == [(f"{SITE}/tiny/__init__.py", "missing")]


def test_links_files_and_notes_count(prefix: Path, listed: Path) -> None:
    (prefix / "lib/libtiny.so").unlink()
    (prefix / "lib/libtiny.so").symlink_to("libother.so.1")
    (prefix / "bin/tiny").unlink()
    (prefix / SITE / "added.py").write_text("")
    (prefix / "conda-meta/added-2.0-0.json").write_text("{}")
    assert kinds(prefix, listed) == [
        ("bin/tiny", "missing"),
        ("conda-meta/added-2.0-0.json", "new"),
        ("lib/libtiny.so", "changed"),
        (f"{SITE}/added.py", "new"),
    ]


def test_what_python_and_programs_write_by_themselves_does_not_count(
    prefix: Path, listed: Path
) -> None:
    (prefix / SITE / "tiny/__pycache__/more.cpython-311.pyc").write_text("compiled anew")
    (prefix / SITE / "tiny/__pycache__/__init__.cpython-311.pyc").write_text("compiled")
    (prefix / "var/cache/fontconfig").mkdir(parents=True)
    (prefix / "var/cache/fontconfig/fonts").write_text("")
    (prefix / SITE / "tiny/more.py").touch()
    os.chmod(prefix / SITE / "tiny/more.py", 0o444)
    assert kinds(prefix, listed) == []


def test_a_compiled_module_that_python_would_import_alone_is_new(
    prefix: Path, listed: Path
) -> None:
    (prefix / SITE / "tiny/sneaky.pyc").write_text("no source")
    assert kinds(prefix, listed) == [(f"{SITE}/tiny/sneaky.pyc", "new")]


def test_hashes_come_from_the_installers_notes_where_nothing_was_patched(
    prefix: Path, tmp_path: Path
) -> None:
    size = (prefix / SITE / "tiny/more.py").stat().st_size
    noted = {"sha256": "a" * 64, "size_in_bytes": size}
    paths = [
        {"_path": f"{SITE}/tiny/more.py", **noted},
        {"_path": "bin/tiny", **noted, "prefix_placeholder": "/opt/x", "size_in_bytes": 10},
        {"_path": f"{SITE}/tiny/__init__.py", **noted, "size_in_bytes": 1},
    ]
    record = {"paths_data": {"paths": paths}}
    (prefix / "conda-meta/tiny-1.0-0.json").write_text(json.dumps(record))
    entries = manifest.write(prefix, tmp_path / "m.json").entries
    assert entries[f"{SITE}/tiny/more.py"][3] == "a" * 64
    for path in ("bin/tiny", f"{SITE}/tiny/__init__.py"):
        assert entries[path][3] == sha256((prefix / path).read_bytes()).hexdigest()


def test_the_digest_is_of_contents_not_of_times_or_the_installers_notes(
    prefix: Path, tmp_path: Path
) -> None:
    first = manifest.write(prefix, tmp_path / "m.json").digest
    (prefix / SITE / "tiny/more.py").touch()
    (prefix / "conda-meta/tiny-1.0-0.json").write_text('{"link": null}')
    assert manifest.write(prefix, tmp_path / "m.json").digest == first
    (prefix / SITE / "tiny/more.py").write_text("more = 2\n")
    assert manifest.write(prefix, tmp_path / "m.json").digest != first


def test_a_link_to_a_file_that_is_known_is_not_looked_at_again(
    prefix: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_text("more = 2\n")
    linked, other = prefix / SITE / "tiny/linked.py", prefix / SITE / "tiny/more.py"
    os.link(source, linked)
    seen = {source.stat().st_ino: (0o444, 9, 1, "b" * 64)}
    entries = manifest.write(prefix, tmp_path / "manifest.json", seen).entries
    assert entries[f"{SITE}/tiny/linked.py"] == (0o444, 9, 1, "b" * 64)
    assert entries[f"{SITE}/tiny/more.py"][3] == sha256(other.read_bytes()).hexdigest()
    found = manifest.verify(prefix, manifest.read(tmp_path / "manifest.json"), seen)
    assert found == ()
    linked.unlink()
    linked.write_text("more = 3\n")
    found = manifest.verify(prefix, manifest.read(tmp_path / "manifest.json"), seen)
    assert [difference.path for difference in found] == [f"{SITE}/tiny/linked.py"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-10],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace("tiny/more.py", "tiny/less.py"),
        lambda text: '{"entries": {"a": []}, "digest": "", "size": 0, "files": 0}',
    ],
)
def test_a_manifest_that_was_edited_is_no_manifest(
    listed: Path, damage: Callable[[str], str]
) -> None:
    listed.write_text(damage(listed.read_text()))
    with pytest.raises(ValueError):
        manifest.read(listed)


def test_names_that_are_no_utf8(prefix: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (prefix / name).write_text("latin")
    manifest.write(prefix, tmp_path / "m.json")
    assert kinds(prefix, tmp_path / "m.json") == []
    (prefix / name).unlink()
    assert kinds(prefix, tmp_path / "m.json") == [(name, "missing")]


def test_differences_are_told_by_package() -> None:
    found = [FileDifference(f"{SITE}/six/a{n}.py", "new") for n in range(3)]
    found += [FileDifference("bin/six", "missing")]
    found += [FileDifference(f"lib/libx{n}.so", "changed") for n in range(2)]
    assert manifest.describe(found) == (
        f"3 files in {SITE}/six are new; bin/six is missing; 2 files in lib were changed"
    )
    assert manifest.describe(found, most=1) == f"3 files in {SITE}/six are new; and 2 more"


def test_modules_compiled_meanwhile_are_no_difference(prefix: Path, listed: Path) -> None:
    """A kernel that starts renames compiled modules under the feet of who looks."""
    compiled = prefix / SITE / "tiny" / "__pycache__"
    compiled.mkdir(exist_ok=True)
    over = threading.Event()

    def compile_on() -> None:
        while not over.is_set():
            for number in range(50):
                draft = compiled / f"m{number}.pyc.140213"
                draft.touch()
                draft.replace(compiled / f"m{number}.pyc")
                (compiled / f"m{number}.pyc").unlink()

    thread = threading.Thread(target=compile_on)
    thread.start()
    try:
        for _ in range(300):
            assert kinds(prefix, listed) == []
    finally:
        over.set()
        thread.join()
