"""What differs between two locks, and the sentence about it."""

from __future__ import annotations

from jupyter_mlinfn.environments.locks.difference import describe, difference
from jupyter_mlinfn.model.environment_tasks import Change, PackageChange
from tests.environments.locks.making import MD5, conda, lock, pip


def test_added_removed_changed() -> None:
    before = lock(conda("a"), conda("b"), conda("c"), conda("d"), pip("p"))
    after = lock(conda("a"), conda("b", "2.0"), conda("c", build="py_1"), conda("e"), pip("p", "2"))
    change = difference(before, after, "linux-64")
    assert change.added == (PackageChange(name="e", before=None, after="1.0 py_0"),)
    assert change.removed == (PackageChange(name="d", before="1.0 py_0", after=None),)
    assert change.changed == (
        PackageChange(name="b", before="1.0 py_0", after="2.0 py_0"),
        PackageChange(name="c", before="1.0 py_0", after="1.0 py_1"),
        PackageChange(name="p", before="1.0", after="2", manager="pip"),
    )
    assert change.digest == after.digest("linux-64")


def test_from_conda_to_pip_is_another_package() -> None:
    change = difference(lock(conda("a")), lock(pip("a")), "linux-64")
    assert [(c.name, c.manager) for c in change.added] == [("a", "pip")]
    assert [(c.name, c.manager) for c in change.removed] == [("a", "conda")]


def test_a_new_environment_and_another_platform() -> None:
    there = lock(conda("a"), conda("b", platform="osx-arm64"))
    assert [c.name for c in difference(None, there, "linux-64").added] == ["a"]
    assert difference(there, there, "osx-arm64").added == ()


def test_a_mirror_is_no_change_but_another_content_is() -> None:
    mirror = conda("a", url="https://mirror.example/x/linux-64/a-1.0-py_0.conda")
    assert difference(lock(conda("a")), lock(mirror), "linux-64").changed == ()
    other = difference(lock(conda("a")), lock(conda("a", sha256="c" * 64)), "linux-64")
    assert other.changed[0].after == "1.0 py_0 (another file)"
    only_md5 = difference(lock(conda("a")), lock(conda("a", sha256=None)), "linux-64")
    assert only_md5.changed == ()
    wrong_md5 = conda("a", sha256=None, md5=MD5[::-1].replace("b", "c"))
    assert len(difference(lock(conda("a")), lock(wrong_md5), "linux-64").changed) == 1


def test_the_sentence() -> None:
    before = lock(conda("six"), conda("a"), conda("b"))
    after = lock(conda("numpy", "2.3.5"), conda("a", "2.0"), conda("b", build="py_1"))
    assert describe(difference(before, after, "linux-64")) == (
        "Added numpy 2.3.5, removed six and changed a from 1.0 to 2.0 and b 1.0 (another build)."
    )
    many = lock(*(conda(f"p{number}") for number in range(9)))
    assert describe(difference(None, many, "linux-64")) == "Added 9 packages."
    assert describe(Change()) == "No package is different."
