"""Compiled modules: compiled once, the same everywhere, valid where they lie."""

from __future__ import annotations

import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.image import bytecode, compile_modules
from jupyter_mlinfn.model.errors import Conflict, Unavailable
from tests.environments.image.prefix import SITE, TAG, add_package, make_prefix

pytestmark = pytest.mark.slow

MANY = {
    f"many/m{n}.py": f"NAMES = ('x{n}', 'shared', 'width')\ndef f{n}(width): return width + {n}\n"
    for n in range(240)
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Two packages; one holds a template that no Python can compile."""
    made = make_prefix(tmp_path / "a" / "prefix")
    add_package(
        made, "tiny", "1.0", {"tiny/__init__.py": "ONE = 1\n", "tiny/two.py": "TWO = {'a'}\n"}
    )
    add_package(made, "many", "1.0", {"many/__init__.py": "", **MANY, "many/t.py": "print 'py2'\n"})
    return made


def compiled(prefix: Path) -> dict[str, bytes]:
    """All compiled files of a prefix."""
    return {str(p.relative_to(prefix)): p.read_bytes() for p in sorted(prefix.rglob("*.pyc"))}


def imported(prefix: Path, *modules: str) -> str:
    """What ``python -v`` says while it imports ``modules`` from a prefix."""
    program = f"import sys; sys.path.insert(0, {str(prefix / SITE)!r}); import {', '.join(modules)}"
    argv = [sys.executable, "-I", "-S", "-v", "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stderr


def test_a_second_prefix_compiles_nothing(prefix: Path, tmp_path: Path) -> None:
    first = bytecode.apply(prefix, tmp_path / "cache", "checked")
    assert (first.modules, first.compiled, first.failed) == (244, 244, 1)
    other = make_prefix(tmp_path / "elsewhere", program="/nonexistent/python")
    add_package(
        other, "many", "1.0", {"many/__init__.py": "", **MANY, "many/t.py": "print 'py2'\n"}
    )
    second = bytecode.apply(other, tmp_path / "cache", "unchecked")
    assert (second.modules, second.compiled, second.failed) == (242, 0, 1)
    assert len(compiled(other)) == 241


def test_python_takes_every_compiled_file(prefix: Path, tmp_path: Path) -> None:
    for variant in ("checked", "unchecked"):
        bytecode.apply(prefix, tmp_path / "cache", variant)
        said = imported(prefix, "tiny.two", "many.m7")
        for name in (f"tiny/__pycache__/two.{TAG}.pyc", f"many/__pycache__/m7.{TAG}.pyc"):
            assert f"code object from '{prefix / SITE / name}'" in said
        assert "# wrote" not in said


def test_an_edited_source_counts_in_a_prefix_and_not_in_an_image(
    prefix: Path, tmp_path: Path
) -> None:
    source = prefix / SITE / "tiny" / "__init__.py"
    show = f"import sys; sys.path.insert(0, {str(prefix / SITE)!r}); import tiny; print(tiny.ONE)"
    argv = [sys.executable, "-I", "-S", "-B", "-c", show]
    answers = {}
    for variant in ("checked", "unchecked"):
        source.write_text("ONE = 1\n")
        bytecode.apply(prefix, tmp_path / "cache", variant)
        source.write_text("ONE = 'edited'\n")
        answers[variant] = subprocess.run(argv, capture_output=True, text=True).stdout.strip()
    assert answers == {"checked": "edited", "unchecked": "1"}


def test_only_the_flags_differ(prefix: Path, tmp_path: Path) -> None:
    bytecode.apply(prefix, tmp_path / "cache", "checked")
    checked = compiled(prefix)
    bytecode.apply(prefix, tmp_path / "cache", "unchecked")
    unchecked = compiled(prefix)
    assert checked.keys() == unchecked.keys()
    for name, content in checked.items():
        assert (content[4:8], unchecked[name][4:8]) == (b"\3\0\0\0", b"\1\0\0\0")
        assert content[:4] + content[8:] == unchecked[name][:4] + unchecked[name][8:]


def test_tracebacks_name_the_place_in_the_image(prefix: Path, tmp_path: Path) -> None:
    bytecode.apply(prefix, tmp_path / "cache", "unchecked")
    code = marshal.loads((prefix / SITE / f"tiny/__pycache__/two.{TAG}.pyc").read_bytes()[16:])
    assert code.co_filename == f"/env/{SITE}/tiny/two.py"


def test_the_same_bytes_for_every_number_of_processors(prefix: Path, tmp_path: Path) -> None:
    found = []
    for cpus in (1, 2, 4):
        bytecode.apply(prefix, tmp_path / f"cache-{cpus}", "unchecked", cpus=cpus)
        found.append(compiled(prefix))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 243


def test_the_same_bytes_whatever_was_compiled_before(prefix: Path, tmp_path: Path) -> None:
    bytecode.apply(prefix, tmp_path / "together", "unchecked", cpus=1)
    together = compiled(prefix)
    for record in (prefix / "conda-meta").glob("many-*.json"):
        record.unlink()
    shutil.rmtree(prefix / SITE / "many")
    bytecode.apply(prefix, tmp_path / "alone", "unchecked", cpus=1)
    alone = compiled(prefix)
    assert len(alone) == 2
    assert all(together[name] == content for name, content in alone.items())


MEMORY = """
import importlib.util, marshal, sys
spec = importlib.util.spec_from_file_location("compile_modules", sys.argv[1])
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)
source = ("x." + "_".join(["a", "name", "of", "nobody", "else"])).encode()
def both():
    code = compile(source, "/env/x.py", "exec", dont_inherit=True)
    return marshal.dumps(code), program.compiled(source, "/env/x.py")
before = both()
held = sys.intern(source.decode()[2:])
after = both()
print(before[0] == after[0], before[1] == after[1])
"""


@pytest.mark.parametrize("minor", range(7, 15))
def test_the_same_bytes_whatever_else_is_in_memory(minor: int) -> None:
    """Until 3.10 a name counts as shared when another module uses it, too; every Python that
    is on this machine beside ours is asked.
    """
    beside = sorted(Path(sys.base_prefix).parent.glob(f"3.{minor}.*/bin/python3.{minor}"))
    python = str(beside[0]) if beside else shutil.which(f"python3.{minor}")
    if minor == sys.version_info[1]:
        python = sys.executable
    if python is None:
        pytest.skip(f"no Python 3.{minor} here")
    argv = [python, "-I", "-c", MEMORY, compile_modules.__file__]
    done = subprocess.run(argv, capture_output=True, text=True)
    if "ModuleNotFoundError" in done.stderr or done.returncode == 127:
        pytest.skip(f"Python 3.{minor} is not whole here")
    assert done.returncode == 0, done.stderr
    plain, ours = done.stdout.split()
    assert ours == "True"
    assert plain == str(minor > 10), "the guard is not needed, or needed longer"


def test_what_pip_installed_is_compiled_too(prefix: Path, tmp_path: Path) -> None:
    own = prefix / SITE / "from_pip"
    own.mkdir()
    (own / "__init__.py").write_text("X = 1\n")
    assert bytecode.apply(prefix, tmp_path / "cache", "checked").compiled == 245
    assert "from_pip.cpython" not in imported(prefix, "tiny.two")
    said = imported(prefix, "from_pip")
    assert f"code object from '{own}/__pycache__/__init__.{TAG}.pyc'" in said
    (own / "__init__.py").write_text("X = 2\n")
    assert bytecode.apply(prefix, tmp_path / "cache", "checked").compiled == 1


def test_the_compiled_file_of_another_environment_stays(prefix: Path, tmp_path: Path) -> None:
    """Linked files are replaced, never written to; Python's own writes go beside them, too."""
    bytecode.apply(prefix, tmp_path / "cache", "checked")
    other = prefix.parent / "other"
    shutil.copytree(prefix, other, copy_function=os.link)
    before = compiled(other)
    bytecode.apply(prefix, tmp_path / "cache", "unchecked")
    assert compiled(other) == before


def test_valid_compiled_files_of_a_package_stay_in_a_prefix(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "prefix")
    record = add_package(prefix, "tiny", "1.0", {"tiny/__init__.py": "ONE = 1\n"})
    folder = prefix / SITE / "tiny"
    program = f"import py_compile; py_compile.compile({str(folder / '__init__.py')!r})"
    subprocess.run([sys.executable, "-I", "-c", program], check=True)
    name = f"{SITE}/tiny/__pycache__/__init__.{TAG}.pyc"
    record.write_text(record.read_text().replace('"files": [', f'"files": ["{name}", '))
    before = compiled(prefix)
    assert bytecode.apply(prefix, tmp_path / "cache", "checked").modules == 0
    assert compiled(prefix) == before
    assert bytecode.apply(prefix, tmp_path / "cache", "unchecked").modules == 1
    assert compiled(prefix) != before
    os.utime(folder / "__init__.py", (1, 1))
    (prefix / name).write_bytes(before[name])
    assert bytecode.apply(prefix, tmp_path / "cache", "checked").modules == 1


def test_a_python_that_does_not_run_is_said(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "prefix", program="/nonexistent/python")
    add_package(prefix, "tiny", "1.0", {"tiny/__init__.py": "ONE = 1\n"})
    with pytest.raises(Unavailable, match="cannot compile") as caught:
        bytecode.apply(prefix, tmp_path / "cache", "checked")
    assert caught.value.code == "python-broken"
    assert compiled(prefix) == {}
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_cancelling_leaves_only_whole_packages(prefix: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(Conflict, match="Cancelled"):
        bytecode.apply(
            prefix,
            tmp_path / "cache",
            "checked",
            report=lambda done, total: seen.append(total),
            cancelled=lambda: bool(seen),
        )
    left = [p for p in (tmp_path / "cache").rglob("*") if p.name.startswith(".")]
    assert not left
    again = bytecode.apply(prefix, tmp_path / "cache", "checked")
    assert again.modules == 244
    assert len(compiled(prefix)) == 243


def test_a_prefix_without_python_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    assert bytecode.apply(tmp_path, tmp_path / "cache", "checked").modules == 0
    assert not (tmp_path / "cache").exists()
