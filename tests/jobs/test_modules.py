"""Local modules: found by reading, recursively, and never from outside the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import modules
from jupyter_mlinfn.jobs.modules import imported, local_modules
from jupyter_mlinfn.model.errors import InputError


def files(folder: Path, *texts: str) -> list[str]:
    return [str(path) for path in local_modules(texts, folder).files]


def write(folder: Path, **content: str) -> None:
    for name, text in content.items():
        path = folder / name.replace("__slash__", "/").replace("__dot__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import a, b.c as d\nfrom e.f import g\nfrom . import h", {"a", "b", "e"}),
        ("def f():\n    import late\n", {"late"}),
        ("%load_ext x\n!pip install y\nimport a\nfiles = !ls\nhelp?\n", {"a"}),
        ("%%time\nimport a", {"a"}),
        ("%%bash\nimport a", set()),
        ("%%writefile a.py\nimport b", set()),
        ("!cat \\\n  import\nimport a", {"a"}),
        ("import a\nthis is no Python", {"a"}),
        ("from a.b import (\n broken", {"a"}),
        ("x = 5 %y", set()),
        ("import a\0", {"a"}),
        ("s = '''\n%magic\n'''\nimport a", {"a"}),
    ],
)
def test_what_is_imported(text: str, names: set[str]) -> None:
    assert imported(text) == names


def test_files_and_packages_recursively(tmp_path: Path) -> None:
    write(
        tmp_path,
        helper__dot__py="import second",
        second__dot__py="import helper, pack.deep",
        unused__dot__py="",
        pack__slash____init____dot__py="",
        pack__slash__deep__dot__py="from third import x",
        pack__slash__table__dot__json="{}",
        pack__slash____pycache____slash__deep__dot__pyc="",
        third__dot__py="",
        data__slash__values__dot__csv="1",
        data__slash__reader__dot__py="",
    )
    found = local_modules(["import helper, numpy, data"], tmp_path)
    assert [str(path) for path in found.files] == [
        "data/reader.py", "helper.py", "pack/__init__.py", "pack/deep.py", "pack/table.json",
        "second.py", "third.py",
    ]  # fmt: skip
    assert found.names == ["data", "helper", "pack", "second", "third"]
    assert found.notes == []


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "work"
    write(outside, secret__dot__py="key = 1", deep__slash____init____dot__py="")
    write(folder, inside__dot__py="", pack__slash____init____dot__py="")
    (folder / "secret.py").symlink_to(outside / "secret.py")
    (folder / "deep").symlink_to(outside / "deep")
    (folder / "same.py").symlink_to("inside.py")
    (folder / "pack" / "more").symlink_to(outside)
    (folder / "pack" / "loop.py").symlink_to("loop.py")
    os.mkfifo(folder / "pack" / "pipe.py")
    found = local_modules(["import secret, same, deep, pack"], folder)
    assert [str(path) for path in found.files] == ["pack/__init__.py", "same.py"]
    assert found.notes[:2] != []
    assert all("secret" in note or "deep" in note or "loop" in note for note in found.notes)


def test_a_folder_reached_by_a_link_is_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "real", helper__dot__py="")
    (tmp_path / "link").symlink_to("real")
    assert files(tmp_path / "link", "import helper") == ["helper.py"]


def test_names_are_names(tmp_path: Path) -> None:
    write(tmp_path / "work", x__dot__py="")
    write(tmp_path, up__dot__py="")
    assert files(tmp_path / "work", "import up") == []


def test_too_much_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MOST_BYTES", 10)
    write(tmp_path, helper__dot__py="x = 1  # long enough")
    with pytest.raises(InputError) as caught:
        files(tmp_path, "import helper")
    assert caught.value.code == "modules-too-large"


def test_large_data_of_a_package_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "LARGEST_DATA", 10)
    write(tmp_path, pack__slash____init____dot__py="", pack__slash__big__dot__bin="x" * 11)
    found = local_modules(["import pack"], tmp_path)
    assert [str(path) for path in found.files] == ["pack/__init__.py"]
    assert "11 B" in found.notes[0]


def test_a_large_folder_of_data_is_not_gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "MOST_FILES", 3)
    for number in range(5):
        write(tmp_path / "torch" / "deep", **{f"image{number}__dot__png": ""})
    found = local_modules(["import torch"], tmp_path)
    assert found.files == []
    assert "taken for data" in found.notes[0]
