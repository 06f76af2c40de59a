"""Devices that come, go, and come back; one that vanished is never bound to another."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.leases.refusing import NoneFree
from tests.leases.conftest import GRACE, START, Book, container, device, devices, offer


def states(book: Book) -> dict[str, str]:
    from sqlalchemy import select

    from jupyter_mlinfn.leases.tables import devices as table

    with book.database.read() as connection:
        return {row.uuid: row.state for row in connection.execute(select(table))}


def test_a_vanished_device_drains_and_is_lost_with_its_lease(book: Book) -> None:
    offer(book, *devices(2))
    lease = book.claim("slice", "ada", "", None)
    book.confirm(lease.id, "c1")
    rest = [one for one in devices(2) if one != lease.device]
    book.set_devices(rest, "h1")
    assert book.reconcile("h1", [container(lease, "c1")], START).released == ()
    assert states(book)[lease.device.uuid] == "draining"
    assert book.get(lease.id).released is None
    book.clock.later(GRACE)
    found = book.reconcile("h1", [container(lease, "c1")], book.clock.now)
    assert [(one.id, one.ended) for one in found.released] == [(lease.id, "lost")]
    assert states(book)[lease.device.uuid] == "lost"
    assert book.get(lease.id).device.uuid == lease.device.uuid
    # its container may live on; it is not adopted again, and the device is in no count
    again = book.reconcile("h1", [container(lease, "c1")], book.clock.now)
    assert again.adopted == again.quarantined == ()
    assert book.pools()[0].total == 1


def test_a_new_device_at_the_same_place_is_another_one(book: Book) -> None:
    offer(book, device(0, mig="1g.10gb"))
    lease = book.claim("slice", "ada", "", None)
    book.confirm(lease.id, "c1")
    book.set_devices([device(100, mig="1g.10gb")], "h1")
    book.reconcile("h1", [container(lease, "c1")], START)
    book.clock.later(GRACE)
    book.reconcile("h1", [container(lease, "c1")], START)
    assert book.get(lease.id).ended == "lost"
    assert book.held_by("ada", "") == ()
    book.reconcile("h1", [container(lease, "c1")], START)
    assert book.claim("slice", "bob", "", None).device.uuid == "MIG-h1-100"


def test_a_draining_device_is_not_handed_out(book: Book) -> None:
    offer(book, *devices(1))
    book.set_devices((), "h1")
    with pytest.raises(NoneFree):
        book.claim("slice", "ada", "", None)


def test_a_hiccup_ends_no_lease(book: Book) -> None:
    offer(book, *devices(1))
    lease = book.claim("slice", "ada", "", None)
    book.confirm(lease.id, "c1")
    for _ in range(3):
        for there in ((), devices(1)):
            book.set_devices(there, "h1")
            book.reconcile("h1", [container(lease, "c1")], START)
            book.clock.later(GRACE - 1)
    assert book.get(lease.id).released is None
    assert states(book) == {lease.device.uuid: "ready"}


def test_what_comes_back_is_first_looked_at(book: Book) -> None:
    """Its container may have held on to it: then the lease is open again."""
    offer(book, *devices(1))
    lease = book.claim("slice", "ada", "", None)
    book.confirm(lease.id, "c1")
    book.set_devices((), "h1")
    for _ in range(2):
        book.reconcile("h1", [container(lease, "c1")], START)
        book.clock.later(GRACE)
    assert book.active() == ()
    book.set_devices(devices(1), "h1")
    with pytest.raises(NoneFree):
        book.claim("slice", "bob", "", None)
    found = book.reconcile("h1", [container(lease, "c1")], START)
    assert [one.id for one in found.adopted] == [lease.id]
    assert book.get(lease.id).ended is None
    with pytest.raises(NoneFree):
        book.claim("slice", "bob", "", None)


def test_hosts_do_not_speak_for_each_other(book: Book) -> None:
    offer(book, *devices(1))
    offer(book, *devices(1, "h2"), host="h2")
    lease = book.claim("slice", "ada", "", None)
    other = "h2" if lease.device.host == "h1" else "h1"
    book.set_devices((), other)
    book.clock.later(GRACE)
    book.reconcile(other, (), START)
    book.clock.later(GRACE)
    book.reconcile(other, (), START)
    assert book.get(lease.id).released is None
