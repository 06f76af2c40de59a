"""The line: first come, first served; nobody overtakes, nobody who left holds others up."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.model.errors import NotFound
from tests.leases.conftest import GRACE, Book, Books, device, devices, offer


def test_first_come_first_served(book: Book) -> None:
    offer(book, *devices(1))
    held = book.claim("slice", "ada", "", None)
    bob = book.wait("slice", "bob", "")
    eve = book.wait("slice", "eve", "lab")
    assert (bob.place, eve.place, eve.waiting) == (1, 2, 2)
    assert book.pools()[0].waiting == 2
    book.release(held.id, "stopped")
    for who in ("eve", "fay"):  # a place behind, and none at all
        with pytest.raises(NoneFree, match="kept for those who wait"):
            book.claim("slice", who, "lab", None)
    assert book.place(bob.ticket).free == 1
    assert book.claim("slice", "bob", "", None).user == "bob"
    assert book.place(eve.ticket).place == 1
    with pytest.raises(NotFound) as caught:
        book.place(bob.ticket)
    assert caught.value.code == "place-gone"


def test_devices_beyond_the_line_are_for_everybody(book: Book) -> None:
    offer(book, *devices(3))
    book.wait("slice", "bob", "")
    book.wait("slice", "eve", "")
    assert book.claim("slice", "fay", "", None).user == "fay"
    with pytest.raises(NoneFree):
        book.claim("slice", "gil", "", None)
    assert book.claim("slice", "eve", "", None).user == "eve"  # the second of two, with two free
    assert book.claim("slice", "bob", "", None).user == "bob"


def test_each_pool_has_its_own_line(book: Book) -> None:
    offer(book, device(0, "slice"), device(1, "t4"))
    book.wait("slice", "bob", "")
    assert book.claim("t4", "eve", "", None).device.pool == "t4"


def test_the_same_session_keeps_its_place(book: Book) -> None:
    offer(book)
    first = book.wait("slice", "bob", "")
    book.wait("slice", "eve", "")
    again = book.wait("slice", "bob", "")
    assert (again.ticket, again.place, again.waiting) == (first.ticket, 1, 2)
    assert book.wait("slice", "bob", "second").place == 3


def test_who_leaves_frees_his_place(book: Book) -> None:
    offer(book, *devices(1))
    bob = book.wait("slice", "bob", "")
    eve = book.wait("slice", "eve", "")
    book.leave(bob.ticket)
    book.leave(bob.ticket)
    assert book.place(eve.ticket).place == 1
    assert book.claim("slice", "eve", "", None).user == "eve"


def test_who_is_not_heard_of_has_left(book: Book) -> None:
    offer(book, *devices(1))
    bob = book.wait("slice", "bob", "")
    eve = book.wait("slice", "eve", "")
    for _ in range(3):
        book.clock.later(GRACE / 2)
        assert book.place(eve.ticket).waiting >= 1
    assert book.place(eve.ticket).place == 1
    with pytest.raises(NotFound):
        book.place(bob.ticket)


def test_asking_for_a_device_is_being_heard(book: Book) -> None:
    offer(book, *devices(1))
    book.claim("slice", "ada", "", None)
    bob = book.wait("slice", "bob", "")
    for _ in range(4):
        book.clock.later(GRACE / 2)
        with pytest.raises(NoneFree):
            book.claim("slice", "bob", "", None)
        book.wait("slice", "eve", "")
    assert book.place(bob.ticket).place == 1


def test_the_line_outlives_the_hub(book: Book, books: Books) -> None:
    offer(book)
    bob = book.wait("slice", "bob", "")
    eve = book.wait("slice", "eve", "")
    anew = books()
    anew.clock.later(10 * GRACE)  # however long it was away
    assert anew.wait("slice", "bob", "").ticket == bob.ticket
    assert anew.place(eve.ticket).place == 2
    anew.clock.later(GRACE)
    assert anew.place(eve.ticket).place == 1  # bob did not come back
    with pytest.raises(NotFound):
        anew.place(bob.ticket)


def test_the_time_of_day_may_jump(book: Book) -> None:
    offer(book)
    bob = book.wait("slice", "bob", "")
    for hours in (48, -72):
        book.clock.now = book.clock.now.replace(day=22 + hours // 24 % 7)
        assert book.place(bob.ticket).place == 1
        assert book.wait("slice", "eve", "").place == 2


def test_who_gets_none_is_counted_for_all_who_look(book: Book, books: Books) -> None:
    offer(book, device(0, "slice"), device(1, "t4"))
    held = book.claim("slice", "ada", "", None)
    for who in ("bob", "eve"):
        with pytest.raises(NoneFree):
            book.claim("slice", who, "", None)
    other = books()
    assert {one.pool: one.refused for one in other.pools()} == {"slice": 2, "t4": 0}
    book.wait("slice", "bob", "")
    with pytest.raises(NoneFree) as refused:
        other.claim("slice", "eve", "", None)
    assert refused.value.pool.refused == 3
    book.release(held.id, "stopped")
    book.claim("slice", "bob", "", None)
    assert book.pools()[0].refused == 3
