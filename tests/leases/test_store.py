"""Claim, confirm, release: one device, one lease, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound
from jupyter_mlinfn.model.leases import PoolState
from tests.leases.conftest import START, Book, Books, container, device, devices, offer


def test_a_lease_from_claim_to_end(book: Book, books: Books) -> None:
    offer(book, *devices(1))
    until = START + timedelta(hours=8)
    lease = book.claim("slice", "ada", "", until)
    assert (lease.user, lease.device.uuid, lease.until) == ("ada", "MIG-h1-0", until)
    assert lease.container is None
    confirmed = book.confirm(lease.id, "c1")
    assert confirmed.container == "c1"
    assert books().active() == (confirmed,) == book.held_by("ada", "")
    assert book.held_by("ada", "second") == ()
    ended = book.release(lease.id, "stopped")
    assert ended is not None
    assert (ended.ended, ended.released) == ("stopped", START)
    assert book.active() == ()
    assert book.claim("slice", "bob", "", None).device.uuid == "MIG-h1-0"


def test_what_is_refused_says_how_many_and_when(book: Book) -> None:
    offer(book, *devices(2))
    book.claim("slice", "ada", "", START + timedelta(hours=2))
    book.claim("slice", "bob", "", START + timedelta(hours=1))
    with pytest.raises(NoneFree) as caught:
        book.claim("slice", "eve", "", None)
    soon = START + timedelta(hours=1)
    full = PoolState(pool="slice", total=2, free=0, next_free=soon, refused=1)
    assert caught.value.pool == full
    assert caught.value.status == 429
    assert caught.value.retry_after == 600
    assert f"{soon.astimezone():%H:%M}" in caught.value.text
    with pytest.raises(NoneFree, match="There is no t4"):
        book.claim("t4", "eve", "", None)


def test_the_first_end_is_the_end(book: Book) -> None:
    offer(book, *devices(1))
    lease = book.claim("slice", "ada", "", None)
    book.release(lease.id, "culled")
    other = book.claim("slice", "bob", "", None)
    again = book.release(lease.id, "stopped")
    assert again is not None
    assert again.ended == "culled"
    assert book.active() == (other,)
    assert book.release("no-such-lease", "stopped") is None


def test_a_lease_that_ended_is_not_confirmed(book: Book) -> None:
    offer(book, *devices(1))
    lease = book.claim("slice", "ada", "", None)
    book.release(lease.id, "failed")
    with pytest.raises(Conflict) as caught:
        book.confirm(lease.id, "c1")
    assert caught.value.code == "lease-ended"
    assert book.active() == ()
    with pytest.raises(NotFound):
        book.confirm("no-such-lease", "c1")


def test_a_planned_end_can_move(book: Book) -> None:
    offer(book, *devices(1))
    lease = book.claim("slice", "ada", "", None)
    assert book.pools()[0].next_free is None
    later = START + timedelta(hours=3)
    assert book.extend(lease.id, later).until == later
    assert book.pools()[0].next_free == later
    book.release(lease.id, "stopped")
    with pytest.raises(Conflict):
        book.extend(lease.id, None)


def test_the_device_unused_for_longest_is_next(book: Book) -> None:
    offer(book, *devices(3))
    first = book.claim("slice", "ada", "", None)
    book.release(first.id, "stopped")
    assert book.claim("slice", "ada", "", None).device != first.device


def test_a_gpu_and_its_slices_are_never_both_taken(book: Book) -> None:
    whole = device(0, "whole")
    slices = [device(n, "slice", parent=whole.uuid) for n in (1, 2)]
    offer(book, whole, *slices)
    lease = book.claim("slice", "ada", "", None)
    with pytest.raises(NoneFree):
        book.claim("whole", "bob", "", None)
    book.release(lease.id, "stopped")
    book.claim("whole", "bob", "", None)
    with pytest.raises(NoneFree):
        book.claim("slice", "ada", "", None)
    assert {state.pool: state.free for state in book.pools()} == {"slice": 0, "whole": 0}


def test_devices_of_another_host_or_named_twice_are_refused(book: Book) -> None:
    with pytest.raises(InputError):
        book.set_devices((device(1), device(1)), "h1")
    with pytest.raises(InputError):
        book.set_devices((device(1),), "h2")
    assert book.pools() == ()


def test_nothing_is_handed_out_before_the_containers_were_seen(book: Book, books: Books) -> None:
    """A book that was lost knows no lease; what runs is told by the labels."""
    offer(book, *devices(2))
    lease = book.claim("slice", "ada", "", None)
    book.confirm(lease.id, "c1")
    lost = books()
    with lost.database.write() as connection:
        for table in ("leases", "lease_devices"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    lost.set_devices(devices(2), "h1")
    with pytest.raises(NoneFree):
        lost.claim("slice", "bob", "", None)
    found = lost.reconcile("h1", [container(lease, "c1")], START)
    assert [one.id for one in found.adopted] == [lease.id]
    assert lost.claim("slice", "bob", "", None).device != lease.device
    with pytest.raises(NoneFree):
        lost.claim("slice", "eve", "", None)
