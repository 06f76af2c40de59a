"""Which files a package explains, and which somebody edited."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.locks.document import LockedPackage
from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.environments.own.handwork import HandWork, look

SITE = "lib/python3.11/site-packages"


class Prefix:
    """An installation of the conda package ``tool`` and the pip package ``leaf``, both locked."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "prefix"
        self.locked = [
            LockedPackage(
                name=name, version="1.0", manager=manager, platform="linux-64",
                url=f"https://example.org/{name}-1.0-0.conda", sha256=None,
                build="0" if manager == "conda" else "",
            )
            for name, manager in (("tool", "conda"), ("leaf", "pip"))
        ]  # fmt: skip
        self.conda("tool", "1.0", {"bin/tool": "tool\n", f"{SITE}/tool.py": "1\n"})
        self.pip("leaf", "1.0", {"leaf.py": "1\n", "old.py": "1\n"})
        self.listed = folder / "manifest.json"
        manifest.write(self.path, self.listed)

    def write(self, path: str, text: str) -> None:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def conda(self, name: str, version: str, files: dict[str, str]) -> None:
        for path, text in files.items():
            self.write(path, text)
        paths = [{"_path": p, "sha256": sha256(t).hex()} for p, t in files.items()]
        note = {"name": name, "version": version, "build": "0", "files": list(files)}
        text = json.dumps({**note, "paths_data": {"paths": paths}})
        self.write(f"conda-meta/{name}-{version}-0.json", text)

    def pip(self, name: str, version: str, files: dict[str, str]) -> None:
        info = f"{name}-{version}.dist-info"
        lines = []
        for path, text in files.items():
            self.write(f"{SITE}/{path}", text)
            digest = base64.urlsafe_b64encode(sha256(text)).decode().rstrip("=")
            lines.append(f"{path},sha256={digest},{len(text)}\n")
        self.write(f"{SITE}/{info}/METADATA", f"Name: {name}\n")
        self.write(f"{SITE}/{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")

    def forget_leaf(self) -> None:
        for path in sorted((self.path / SITE).glob("leaf-1.0.dist-info/*")):
            path.unlink()
        for name in ("leaf.py", "old.py"):
            (self.path / SITE / name).unlink()

    def look(self) -> HandWork:
        return look(self.path, manifest.read(self.listed), self.locked)


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    return Prefix(tmp_path)


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def names(work: HandWork) -> list[tuple[str, str]]:
    return sorted((one.name, one.version) for one in work.fresh)


def test_nothing_was_done(prefix: Prefix) -> None:
    work = prefix.look()
    assert not work.packages
    assert work.edited == ()


def test_a_package_explains_its_files(prefix: Prefix) -> None:
    prefix.pip("twig", "0.5", {"twig.py": "x\n", "../../../bin/twig": "#!\n"})
    work = prefix.look()
    assert names(work) == [("twig", "0.5")]
    assert work.edited == ()


def test_another_version_explains_what_the_old_one_had(prefix: Prefix) -> None:
    prefix.forget_leaf()
    prefix.pip("leaf", "2.0", {"leaf.py": "two\n"})
    work = prefix.look()
    assert names(work) == [("leaf", "2.0")]
    assert work.edited == ()


def test_a_package_that_went_explains_what_is_missing(prefix: Prefix) -> None:
    prefix.forget_leaf()
    work = prefix.look()
    assert work.gone == (("pip", "leaf"),)
    assert work.edited == ()


def test_a_file_that_was_edited_after_pip_wrote_it(prefix: Prefix) -> None:
    prefix.pip("twig", "0.5", {"twig.py": "x\n"})
    prefix.write(f"{SITE}/twig.py", "mine\n")
    work = prefix.look()
    assert names(work) == [("twig", "0.5")]
    assert work.edited == (f"{SITE}/twig.py",)


@pytest.mark.parametrize("path", ["bin/tool", f"{SITE}/tool.py", f"{SITE}/leaf.py"])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_locked_file_is_edited_or_deleted(prefix: Prefix, path: str, deleted: bool) -> None:
    prefix.pip("twig", "0.5", {"twig.py": "x\n"})  # a package that came explains nothing of others
    if deleted:
        (prefix.path / path).unlink()
    else:
        prefix.write(path, "mine, and longer\n")
    assert prefix.look().edited == (path,)


def test_a_file_of_nobody(prefix: Prefix) -> None:
    prefix.write("etc/mine.txt", "x")
    work = prefix.look()
    assert not work.packages
    assert work.edited == ("etc/mine.txt",)


def test_another_build_of_conda_is_another_package(prefix: Prefix) -> None:
    (prefix.path / "conda-meta" / "tool-1.0-0.json").unlink()
    prefix.conda("tool", "1.1", {"bin/tool": "newer\n", f"{SITE}/tool.py": "2\n"})
    work = prefix.look()
    assert names(work) == [("tool", "1.1")]
    assert work.edited == ()


def test_a_path_that_leads_out_is_no_file_of_the_prefix(prefix: Prefix) -> None:
    info = f"{SITE}/evil-1.0.dist-info"
    prefix.write(f"{info}/METADATA", "Name: evil\n")
    prefix.write(f"{info}/RECORD", "../../../../../etc/passwd,,\n/etc/shadow,,\nevil.py,,\n")
    prefix.write(f"{SITE}/evil.py", "x")
    (one,) = prefix.look().fresh
    assert not any(path.startswith(("/", "..")) or "passwd" in path for path in one.files)
