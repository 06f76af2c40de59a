"""What lies in a bucket, on real stores: pages, amounts, pieces, hostile names, ends."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import InputError, MlinfnError, NotFound, Refused
from jupyter_mlinfn.model.storage import AreaState
from jupyter_mlinfn.storage.bucket import objects
from jupyter_mlinfn.storage.bucket.buckets import Buckets
from jupyter_mlinfn.storage.bucket.objects import Bucket
from tests.storage.bucket.conftest import GivenKeys, Store

pytestmark = pytest.mark.system


def names(bucket: Bucket, folder: str = "", search: str = "") -> list[str]:
    """All names of a folder, page by page; folders with a slash."""
    found: list[str] = []
    more: str | None = None
    while True:
        page = bucket.list(folder, more, search)
        found += [one.path + ("/" if one.size is None else "") for one in page.found]
        more = page.more
        if more is None:
            return found


def test_a_folder_is_listed_with_sizes_and_dates_page_by_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PAGE", 2)
    for key in ("b.txt", "a.txt", "fits/one", "fits/two/deep", "c.txt"):
        store.put(f"listed/{key}", b"12345")
    store.put("listed-not/x")
    bucket = store.bucket("listed")
    assert sorted(names(bucket)) == ["a.txt", "b.txt", "c.txt", "fits/"]
    assert sorted(names(bucket, "fits")) == ["fits/one", "fits/two/"]
    assert names(bucket, search="b") == ["b.txt"]
    (page,) = (one for one in bucket.list().found if one.path == "a.txt")
    assert page.size == 5
    assert page.modified is not None
    assert page.modified.tzinfo is not None


def test_counting_ends_and_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        store.put(f"counted/folder/{number}", b"x" * 10)
    bucket = store.bucket("counted")
    assert bucket.amount() == objects.Amount(50, 5, at_least=False)
    monkeypatch.setattr(objects, "PAGE", 2)
    monkeypatch.setattr(objects, "MOST_COUNTED", 3)
    assert bucket.amount() == objects.Amount(40, 4, at_least=True)
    assert store.bucket("counted/none").amount() == objects.Amount(0, 0, at_least=False)


def test_the_area_tells_its_amount(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAGE", 1)
    monkeypatch.setattr(objects, "MOST_COUNTED", 1)
    for name in ("a", "b"):
        store.put(f"told/{name}", b"123")
    area = store.area("told")
    seen = looked_at(Buckets(GivenKeys(store.keys)), area)
    assert seen.state == "ready", seen.problem
    assert seen.use is not None
    assert (seen.use.used, seen.use.total, seen.use.files) == (3, None, 1)
    assert (seen.use.at_least, seen.use.of) == (True, "unknown")
    gone = area.model_copy(update={"bucket": "s3://not-there", "name": "gone"})
    missing = looked_at(Buckets(GivenKeys(store.keys)), gone)
    assert missing.state == "missing"
    assert "no bucket of s3://not-there" in (missing.problem or "")


def looked_at(buckets: Buckets, area: Area) -> AreaState:
    """What is told of an area once it was counted."""
    until = time.monotonic() + 120
    while (seen := buckets.state(area)).counting and time.monotonic() < until:
        time.sleep(0.02)
    return seen


def test_an_object_comes_in_pieces_from_where_one_likes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("read/data", bytes(range(200)))
    monkeypatch.setattr(objects, "PIECE", 64)
    content = store.bucket("read").read("data")
    pieces = list(content.pieces)
    assert (content.size, content.start, content.length) == (200, 0, 200)
    assert [len(piece) for piece in pieces] == [64, 64, 64, 8]
    assert b"".join(pieces) == bytes(range(200))
    rest = store.bucket("read").read("data", 150)
    assert (rest.size, rest.start, rest.length) == (200, 150, 50)
    assert b"".join(rest.pieces) == bytes(range(150, 200))
    with pytest.raises(NotFound) as caught:
        store.bucket("read").read("none")
    assert caught.value.code == "no-such-object"


def test_an_object_is_removed_and_nothing_where_one_only_reads(store: Store) -> None:
    store.put("removed/a")
    with pytest.raises(Refused):
        store.bucket("removed", writable=False).remove("a")
    assert names(store.bucket("removed")) == ["a"]
    store.bucket("removed").remove("a")
    assert names(store.bucket("removed")) == []


HOSTILE = (
    "../other/x", "..", "a/../../other/x", "/etc/passwd", "a//b", "a/./b", "./a", "a/", "", "a\0b",
    "\0", "x" * 1025, "é" * 510, "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_names_never_leave_the_prefix(store: Store, path: str) -> None:
    store.put("other/x", b"another's")
    bucket = store.bucket("hostile")
    calls: tuple[Any, ...] = (bucket.read, bucket.remove, *((bucket.list,) if path else ()))
    for call in calls:
        with pytest.raises(InputError) as caught:
            call(path)
        assert caught.value.code == "bad-path"
    assert store.bucket("other").read("x").size == 9


@pytest.mark.parametrize(
    "path",
    ["a b", "ü/ñ", "日本/☃", "a+b&c=d?e#f", "100%", "%2e%2e", "<img src=x>", "a'b\"c", "x" * 200],
    ids=ascii,
)  # fmt: skip
def test_odd_names_are_names(store: Store, path: str) -> None:
    store.put(f"odd/{path}", b"odd")
    bucket = store.bucket("odd")
    folder, _, _ = path.rpartition("/")
    assert path in names(bucket, folder)
    assert b"".join(bucket.read(path).pieces) == b"odd"
    bucket.remove(path)
    assert path not in names(bucket, folder)


def test_a_name_with_a_line_break_is_a_name_where_the_store_takes_it(store: Store) -> None:
    try:
        store.put("breaks/a\nb", b"1")
    except Exception as error:
        pytest.skip(f"the store takes no such name: {type(error).__name__}")
    bucket = store.bucket("breaks")
    assert names(bucket) == ["a\nb"]
    bucket.remove("a\nb")
    assert names(bucket) == []


def test_wrong_keys_are_told_as_such(store: Store) -> None:
    for access, code in (("", "keys-ended"), (store.keys.access, "bucket-refused")):
        wrong = type(store.keys)(
            access or "NOBODY", "f4c5e" * 4, "", store.keys.begins, store.keys.ends
        )
        with pytest.raises(MlinfnError) as caught:
            Bucket(store.area(), GivenKeys(wrong)).list()
        assert caught.value.code == code, caught.value.text
        assert "f4c5e" not in caught.value.text
