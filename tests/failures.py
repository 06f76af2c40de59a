"""What failed, in one screen: the last thing that a red ``make test`` prints.

Several stages run side by side and print between each other's lines, and who keeps only the end of
a log would not learn why it is red. pytest and Playwright write JUnit's XML into ``FOLDER``;
``python -m tests.failures`` prints the message of each failure, shortened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

FOLDER = Path(__file__).parent.parent / ".build" / "results"
SECOND = "second.xml"
"""What ``tests.second_try`` writes."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ROOM = 1500
"""Characters for all messages together."""
_TOLD = 8


def found(folder: Path = FOLDER) -> Iterator[tuple[str, str]]:
    """Name and message of each test that failed and did not pass its second try."""
    told: dict[str, str] = {}
    passed_alone: set[str] = set()
    for file in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(file).iter("testcase"):
            name = f"{case.get('classname')}: {case.get('name')}"
            faults = [*case.findall("failure"), *case.findall("error")]
            for fault in faults:
                text = _COLOURS.sub("", fault.text or fault.get("message", ""))
                told[name] = text.strip()
            if file.name == SECOND and not faults and case.find("skipped") is None:
                passed_alone.add(name)
    return ((name, text) for name, text in told.items() if name not in passed_alone)


def page(failures: list[tuple[str, str]]) -> str:
    """For people; a sentence when no test failed."""
    if not failures:
        return "No test failed: what is red is said above (lint, types, jest or a stage's start)."
    told = failures[:_TOLD]
    lines = [f"FAILED {name}\n{_essence(text, _ROOM // len(told))}" for name, text in told]
    if len(failures) > len(told):
        lines.append(f"{len(failures) - len(told)} more failed; they are told above.")
    return "\n".join(lines)


def _essence(text: str, room: int) -> str:
    """The lines that say what was wrong: pytest's are marked with E, Playwright's come first."""
    marked = [line for line in text.splitlines() if line.startswith("E  ")]
    kept = "\n".join(marked) or "\n".join(line for line in text.splitlines() if line.strip())
    return kept if len(kept) <= room else f"{kept[:room]}…"


if __name__ == "__main__":
    print(page(list(found())))
