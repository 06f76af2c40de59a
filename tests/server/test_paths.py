"""What clients may name, and what they are shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.server.paths import Root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (root / "a.ipynb").write_text("{}")
    (root / "sub" / "b.ipynb").write_text("{}")
    (root / ".ssh").mkdir()
    (root / ".ssh" / "id").write_text("secret")
    (tmp_path / "data-secret").mkdir()
    (tmp_path / "data-secret" / "x").write_text("secret")
    return root


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("../x", "outside-root"),
        ("/etc/passwd", "outside-root"),
        ("../data-secret/x", "outside-root"),
        ("sub/../../data-secret/x", "outside-root"),
        ("RTC:../x", "outside-root"),
        (".ssh/id", "hidden-path"),
        ("sub/../.ssh/id", "hidden-path"),
        ("a\0.ipynb", "bad-path"),
        ("a\n.ipynb", "bad-path"),
        ("a\udcff.ipynb", "bad-path"),
        ("sub", "not-a-file"),
        ("nothing.ipynb", "source-missing"),
        ("n" * 4096, "source-missing"),
        ("%2e%2e%2fx", "source-missing"),
    ],
)
def test_refused_paths(folder: Path, text: str, code: str) -> None:
    with pytest.raises(MlinfnError) as caught:
        Root(str(folder)).file(text, "source")
    assert caught.value.code == code
    assert caught.value.field == "source"


def test_a_link_that_leaves_the_root_is_refused(folder: Path) -> None:
    (folder / "way").symlink_to(folder.parent / "data-secret")
    with pytest.raises(MlinfnError) as caught:
        Root(str(folder)).file("way/x", "source")
    assert caught.value.code == "outside-root"


def test_a_pipe_is_refused_without_waiting_for_a_writer(folder: Path) -> None:
    os.mkfifo(folder / "pipe.ipynb")
    with pytest.raises(MlinfnError) as caught:
        Root(str(folder)).file("pipe.ipynb", "source")
    assert caught.value.code == "not-a-file"


@pytest.mark.parametrize("text", ["sub/b.ipynb", "RTC:sub/b.ipynb", "sub/../sub/b.ipynb"])
def test_accepted_paths(folder: Path, text: str) -> None:
    assert Root(str(folder)).file(text, "source") == folder / "sub" / "b.ipynb"


def test_an_absolute_path_inside_is_accepted(folder: Path) -> None:
    assert Root(str(folder)).file(str(folder / "a.ipynb"), "source") == folder / "a.ipynb"


def test_a_file_whose_name_looks_like_a_drive_is_that_file(folder: Path) -> None:
    (folder / "RTC:a.ipynb").write_text("{}")
    assert Root(str(folder)).file("RTC:a.ipynb", "source").name == "RTC:a.ipynb"


def test_hidden_files_are_accepted_where_the_server_shows_them(folder: Path) -> None:
    assert Root(str(folder), allow_hidden=True).file(".ssh/id", "source").name == "id"


def test_paths_are_shown_relative_to_the_root_also_through_a_link(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    for root in (Root(str(folder)), Root(str(link)), Root(f"{folder}/")):
        assert root.show(str(folder / "sub" / "b.ipynb")) == "sub/b.ipynb"
    assert Root(str(link)).show(str(link / "a.ipynb")) == "a.ipynb"
    assert Root(str(link)).file("a.ipynb", "source") == folder / "a.ipynb"
    assert Root(str(folder)).show("/elsewhere/b.ipynb") == "/elsewhere/b.ipynb"
    assert Root(str(folder)).show(f"{folder}-secret/x") == f"{folder}-secret/x"
