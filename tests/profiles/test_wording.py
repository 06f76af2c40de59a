"""What another file would change, in words and for whom."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.profiles.wording import Difference, compare
from tests.profiles.files import TEXT, book

BACKUP = (
    "source /srv/backups/groups/{{group}}, target /backups/{{group}}, every {} h, "
    "keep all=2d,daily=14,weekly=8"
)
MEMBERS = "members of users/ai-infn, admins/ai-infn"


def told(*changes: tuple[str, str]) -> tuple[Difference, ...]:
    text = TEXT
    for right, other in changes:
        assert right in text
        text = text.replace(right, other, 1)
    return compare(book(), book(text))


def test_the_same_offer_in_other_words_changes_nothing() -> None:
    assert told(("schema = 1", "# a word\nschema = 1"), ('"12h"', '"720min"')) == ()


@pytest.mark.parametrize(
    ("right", "other", "text"),
    [
        ("cpu = [2, 4]", "cpu = [4, 8]",
         {"CPUs: new 8.", "CPUs: no longer 2.", "CPUs: the default is 4 instead of 2."}),
        ('"1536MiB", "16GiB"]', '"1536MiB"]', {"Memory: no longer 16GiB."}),
        ('max = "12h"', 'max = "6h"', {"Longest session 6 h instead of 12 h."}),
        ('on_full = "wait"\n', "", {"When all is taken: refuse instead of wait."}),
        ("fpga = 2", "fpga = 1",
         {"Countable resources: new 1 × fpga.", "Countable resources: no longer 2 × fpga."}),
        ('title = "A100 slice of 10 GB"', 'title = "Small"',
         {"Accelerator 'mig-small': title Small instead of A100 slice of 10 GB."}),
        ('quota = "100GiB"', 'quota = "50GiB"',
         {"Volume 'home': quota 50GiB instead of 100GiB."}),
        ('target = "/backups/{group}"', 'target = "/backups/{group}"\nevery = "12h"',
         {f"Volume 'collab': backup {BACKUP.format(12)} instead of {BACKUP.format(24)}."}),
        ('privileges = ["fuse"]', 'privileges = ["fuse", "userns"]', {"Privileges: new userns."}),
    ],
)  # fmt: skip
def test_what_changes_in_a_profile_is_told_to_its_members(
    right: str, other: str, text: set[str]
) -> None:
    found = told((right, other))
    assert {one.text for one in found} == text
    assert {(one.profile, one.who) for one in found} == {("gpu-small", MEMBERS)}


def test_an_image_is_told_with_every_profile_that_offers_it() -> None:
    found = told(("lab:1.2", "lab:1.3"))
    sentence = (
        "Image 'lab': reference harbor.example.org/ok/lab:1.3 instead of "
        "harbor.example.org/ok/lab:1.2."
    )
    assert [(one.profile, one.who, one.text) for one in found] == [
        ("cpu", "everybody", sentence),
        ("gpu-small", MEMBERS, sentence),
    ]


def test_who_gains_and_who_loses_a_profile_is_told_apart() -> None:
    found = told(
        ('groups = ["users/ai-infn", "admins/ai-infn"]', 'groups = ["admins/ai-infn", "x"]')
    )
    assert {(one.who, one.text) for one in found} == {
        ("members of x", "The profile 'gpu-small' is offered."),
        ("members of users/ai-infn", "The profile 'gpu-small' is no longer offered."),
    }


def test_a_profile_that_goes_and_one_that_comes() -> None:
    found = told(('name = "staff"\ntitle = "Staff"', 'name = "lead"\ntitle = "Lead"'))
    assert [one.text for one in found] == [
        "The profile 'staff' goes away. Who chose it last time gets the default.",
        "The profile 'lead' (Lead) is new.",
    ]
    assert {one.who for one in found} == {"members of admins/ai-infn"}


def test_another_first_profile_is_told_though_nothing_else_changes() -> None:
    first, rest = TEXT.split('[[profile]]\nname = "gpu-small"')
    head, cpu = first.split("[[profile]]\n")
    text = head + '[[profile]]\nname = "gpu-small"' + rest + "\n[[profile]]\n" + cpu
    found = compare(book(), book(text))
    assert {(one.who, one.text) for one in found} == {
        ("members of users/ai-infn", "The default profile is 'gpu-small' instead of 'cpu'."),
        ("members of admins/ai-infn", "The default profile is 'gpu-small' instead of 'cpu'."),
    }


def test_a_ceiling_is_told_with_the_profiles_that_it_ends() -> None:
    found = told(('time = "24h"', 'time = "12h"'))
    assert {(one.profile, one.text) for one in found} == {
        ("cpu", "Longest session 12 h instead of 24 h."),
        ("staff", "Longest session 12 h instead of 24 h."),
        (None, "Ceiling: time 12 h instead of 24 h."),
    }
