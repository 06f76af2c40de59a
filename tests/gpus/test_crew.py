"""Tasks that hang, hurry, fail and come late."""

from __future__ import annotations

import threading

from jupyter_mlinfn.gpus.crew import Crew


class Gate:
    """A task that comes back when it is let; ``threads``: who did it."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.event = threading.Event()
        self.threads: set[int] = set()
        if is_open:
            self.event.set()

    def __call__(self) -> int:
        self.threads.add(threading.get_ident())
        assert self.event.wait(30)
        return len(self.threads)


def test_quick_tasks_share_one_thread() -> None:
    order: list[str] = []
    threads: set[int] = set()

    def note(name: str) -> None:
        order.append(name)
        threads.add(threading.get_ident())

    crew = Crew({name: (lambda name=name: note(name)) for name in "abc"})  # type: ignore[misc]
    for _ in range(3):
        assert crew.round(30) == dict.fromkeys("abc")
    assert order == list("abcabcabc")
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_task_that_hangs_holds_up_nobody_and_is_not_asked_again() -> None:
    hanging, fine = Gate(is_open=False), Gate()
    crew = Crew({"hanging": hanging, "fine": fine, "also": fine})
    assert crew.round(0.3).keys() == {"fine", "also"}
    assert crew.hung().keys() == {"hanging"}
    assert crew.hung()["hanging"] >= 0.3
    for _ in range(3):
        assert crew.round(30).keys() == {"fine", "also"}, "it waits for who can come"
    assert len(hanging.threads) == 1
    hanging.event.set()
    late: set[str] = set()
    while "hanging" not in late:
        late |= crew.round(30).keys()
    assert crew.hung() == {}
    assert crew.round(30).keys() == {"hanging", "fine", "also"}


def test_when_all_hang_the_round_ends_in_time_and_all_come_late() -> None:
    gates = {name: Gate(is_open=False) for name in "abcd"}
    crew = Crew(gates)
    assert crew.round(0.2) == {}
    assert crew.round(0.2) == {}
    assert crew.hung().keys() == set("abcd")
    for gate in gates.values():
        gate.event.set()
    late: set[str] = set()
    while late != set("abcd"):
        late |= crew.round(0.2).keys()


def test_an_error_is_delivered_and_harms_no_other() -> None:
    def fail() -> int:
        raise ValueError("no")

    crew = Crew({"bad": fail, "good": Gate()})
    for _ in range(2):
        results = crew.round(30)
        assert isinstance(results["bad"], ValueError)
        assert results["good"] == 1
