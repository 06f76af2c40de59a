"""The fields of the spawn page as the options that a REST call would carry.

Every card of the page has fields of its own, ``FIELD--PROFILE``; those of the chosen profile
count. Nothing is judged here: what nobody knows is handed on under its name, so that the one place
that sees form and REST alike refuses it by that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyter_mlinfn.profiles.choice import KEYS

MARK = "--"
RESOURCE = "resources."
_LISTS = frozenset({"areas"})


def from_form(form: Mapping[str, Sequence[object]]) -> dict[str, object]:
    """The options of a posted form, as ``options_from_form`` of JupyterHub.

    A field that comes more than once stays a list, and is refused for it unless it is one.
    """
    profile = _value("profile", form["profile"]) if "profile" in form else None
    options: dict[str, object] = {} if profile is None else {"profile": profile}
    resources: dict[str, object] = {}
    for key, values in form.items():
        field, mark, card = key.partition(MARK)
        if key == "profile" or (mark and _known(field) and card != profile):
            continue
        if not mark or not _known(field):
            options[key] = _value(key, values)
        elif field.startswith(RESOURCE):
            resources[field.removeprefix(RESOURCE)] = _value(field, values)
        else:
            options[field] = _value(field, values)
    if resources and "resources" not in options:
        options["resources"] = resources
    return options


def _known(field: str) -> bool:
    return field in KEYS or field.startswith(RESOURCE)


def _value(field: str, values: Sequence[object]) -> object:
    if field in _LISTS:
        # an empty value stands for "none of them": a box that is not ticked posts nothing
        return [value for value in values if value != ""]
    return values[0] if len(values) == 1 else list(values)
