"""What the labels of containers say is true, and the book follows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.model.leases import Labelled, Lease
from tests.leases.conftest import GRACE, START, Book, Books, container, devices, offer


@pytest.fixture
def lease(book: Book) -> Lease:
    """Ada's lease of one of two devices, not confirmed yet."""
    offer(book, *devices(2))
    return book.claim("slice", "ada", "", None)


def test_a_hub_killed_before_the_container_leaves_an_orphan(lease: Lease, books: Books) -> None:
    anew = books()
    for seconds in (0.0, GRACE - 1):
        anew.clock.later(seconds)
        assert anew.reconcile("h1", (), START).released == ()
    anew.clock.later(1)
    found = anew.reconcile("h1", (), START)
    assert [(one.id, one.ended) for one in found.released] == [(lease.id, "orphaned")]
    with pytest.raises(Conflict):  # who comes after that is told, and removes its container
        anew.confirm(lease.id, "c1")


def test_a_hub_killed_before_the_confirmation_finds_the_container(
    lease: Lease, books: Books
) -> None:
    anew = books()
    found = anew.reconcile("h1", [container(lease, "c1")], START)
    assert [one.container for one in found.adopted] == ["c1"]
    anew.clock.later(10 * GRACE)
    assert anew.reconcile("h1", [container(lease, "c1")], START).released == ()
    assert anew.active()[0].container == "c1"


def test_a_start_of_this_hub_may_take_its_time(lease: Lease, book: Book) -> None:
    """An image is pulled for minutes; the lease is not given to another meanwhile."""
    for _ in range(10):
        book.clock.later(GRACE)
        assert book.reconcile("h1", (), START).released == ()
    assert book.confirm(lease.id, "c1").released is None
    # from now on its container has to be there
    book.reconcile("h1", (), START)
    book.clock.later(GRACE)
    found = book.reconcile("h1", (), START)
    assert [(one.id, one.ended) for one in found.released] == [(lease.id, "vanished")]


def test_a_start_that_nobody_makes_any_more_is_no_start(lease: Lease, book: Book) -> None:
    for _ in range(2):
        assert book.reconcile("h1", (), START, starting={("ada", "")}).released == ()
        book.clock.later(GRACE)
    assert book.reconcile("h1", (), START, starting={("bob", "")}).released == ()
    book.clock.later(GRACE)
    assert book.reconcile("h1", (), START, starting=()).released[0].ended == "orphaned"


def test_a_start_is_not_waited_for_forever(lease: Lease, book: Book) -> None:
    book.clock.later(3600)
    book.reconcile("h1", (), START)
    book.clock.later(GRACE)
    assert [one.id for one in book.reconcile("h1", (), START).released] == [lease.id]


def test_a_stopped_container_holds_nothing(lease: Lease, book: Book) -> None:
    book.confirm(lease.id, "c1")
    stopped = container(lease, "c1", running=False)
    assert book.reconcile("h1", [stopped], START).released == ()
    book.clock.later(GRACE)
    assert book.reconcile("h1", [stopped], START).released[0].ended == "exited"


def test_a_restarted_container_keeps_its_lease(lease: Lease, book: Book) -> None:
    book.confirm(lease.id, "c1")
    for _ in range(3):
        book.reconcile("h1", (), START)
        book.clock.later(GRACE - 1)
        book.reconcile("h1", [container(lease, "c1")], START)
        book.clock.later(GRACE - 1)
    assert book.get(lease.id).released is None


def test_a_container_nobody_knows_is_adopted(lease: Lease, book: Book) -> None:
    (other,) = {one.uuid for one in devices(2)} - {lease.device.uuid}
    strange = Labelled(
        container="c9", lease="from-elsewhere", user="eve", devices=(other,), running=True
    )
    found = book.reconcile("h1", [strange], START)
    assert [(one.id, one.user, one.container) for one in found.adopted] == [
        ("from-elsewhere", "eve", "c9")
    ]
    with pytest.raises(NoneFree):
        book.claim("slice", "bob", "", None)


def test_a_container_with_two_devices_holds_both(book: Book) -> None:
    offer(book, *devices(2))
    both = tuple(one.uuid for one in devices(2))
    strange = Labelled(container="c9", lease="old", user="eve", devices=both, running=True)
    assert len(book.reconcile("h1", [strange], START).adopted) == 2
    assert book.reconcile("h1", [strange], START).adopted == ()
    assert {one.device.uuid for one in book.held_by("eve", "")} == set(both)


def test_two_containers_on_one_device_are_told_and_nobody_else_gets_it(
    lease: Lease, book: Book
) -> None:
    book.confirm(lease.id, "c1")
    second = Labelled(
        container="c2", lease="x", user="eve", devices=(lease.device.uuid,), running=True
    )
    found = book.reconcile("h1", [container(lease, "c1"), second], START)
    (told,) = found.quarantined
    assert (told.containers, told.users) == (("c1", "c2"), ("ada", "eve"))
    assert book.get(lease.id).released is None
    assert book.reconcile("h1", [container(lease, "c1"), second], START).quarantined == ()
    book.release(lease.id, "stopped")
    assert book.claim("slice", "bob", "", None).device != lease.device
    with pytest.raises(NoneFree):
        book.claim("slice", "fay", "", None)


def test_a_quarantine_ends_with_its_cause(lease: Lease, book: Book) -> None:
    twice = [container(lease, "c1"), container(lease, "c2")]
    assert len(book.reconcile("h1", twice, START).quarantined) == 1
    found = book.reconcile("h1", [container(lease, "c1")], START)
    assert [one.uuid for one in found.cleared] == [lease.device.uuid]
    assert found.cleared[0].state == "ready"
    book.release(lease.id, "stopped")
    assert book.pools()[0].free == 2


def test_a_hiccup_does_not_end_a_quarantine(lease: Lease, book: Book) -> None:
    twice = [container(lease, "c1"), container(lease, "c2")]
    book.reconcile("h1", twice, START)
    book.release(lease.id, "stopped")
    rest = [one for one in devices(2) if one != lease.device]
    for there in (rest, devices(2)):
        book.set_devices(there, "h1")
    assert book.claim("slice", "bob", "", None).device != lease.device
    with pytest.raises(NoneFree):
        book.claim("slice", "eve", "", None)
    # one of the two holders is still there: it is seen before anybody gets the device
    assert len(book.reconcile("h1", [twice[1]], START).adopted) == 1
    with pytest.raises(NoneFree):
        book.claim("slice", "eve", "", None)


def test_a_container_on_a_device_leased_to_another(lease: Lease, book: Book) -> None:
    """It runs there, so the device is held twice; a list without a mark is believed only when it
    says so again."""
    old = Labelled(
        container="c9", lease="old", user="eve", devices=(lease.device.uuid,), running=True
    )
    assert book.reconcile("h1", [old], START).quarantined == ()
    book.clock.later(1)
    (told,) = book.reconcile("h1", [old], START).quarantined
    assert told.users == ("ada", "eve")


def test_a_list_says_nothing_of_what_changed_after_it(book: Book) -> None:
    offer(book, *devices(1))
    first = book.claim("slice", "ada", "", None)
    book.confirm(first.id, "c1")
    mark, listed = book.mark(), [container(first, "c1")]
    book.release(first.id, "stopped")
    # it is not adopted again …
    assert book.reconcile("h1", listed, START, mark).adopted == ()
    second = book.claim("slice", "bob", "", None)
    # … nor does the next holder share it, nor is he missed
    found = book.reconcile("h1", listed, START, mark)
    assert found.quarantined == found.adopted == ()
    book.confirm(second.id, "c2")
    book.clock.later(2 * GRACE)
    assert book.reconcile("h1", (), START, mark).released == ()
    book.clock.later(2 * GRACE)
    assert book.reconcile("h1", (), START, mark).released == ()
    assert book.get(second.id).released is None


def test_the_time_of_day_may_jump(lease: Lease, books: Books) -> None:
    anew = books()
    for hours in (0, 1, -2, 24 * 365):
        anew.clock.now += timedelta(hours=hours)
        assert anew.reconcile("h1", (), anew.clock.now).released == ()
    assert anew.get(lease.id).released is None
    anew.clock.later(GRACE)
    assert len(anew.reconcile("h1", (), anew.clock.now).released) == 1
