"""Our extensions of the standard: `customProperties` whose names begin with `penstock.`, a closed vocabulary."""

from __future__ import annotations

from penstock.spec import contract_keys as keys
from penstock.spec.document import Entries, Node, Place
from penstock.spec.problems import Problems, did_you_mean, listed
from penstock.spec.shape import Fields, Key, Section

_HOMES = {key.name: section for section in (keys.OBJECT_EXTENSIONS, keys.COLUMN_EXTENSIONS) for key in section.keys}


def read_extensions(
    fields: Fields, custom: Key[tuple[Fields, ...]], allowed: Section | None, problems: Problems
) -> Fields | None:
    """The extensions of a contract, dataset or column as one section; properties of other vendors are not touched."""
    entries: dict[str, Node] = {}
    places: dict[str, Place] = {}
    for entry in fields.get(custom) or ():
        name, value = entry.get(keys.PROPERTY), entry.get(keys.PROPERTY_VALUE)
        if name is None or value is None or not _is_ours(name):
            continue
        place = entry.place(keys.PROPERTY)
        if _refuse(name, place, allowed, entries, problems):
            continue
        entries[name] = value
        places[name] = place
    section = allowed if allowed is not None else Section("the contract", ())
    return section.read(Entries(fields.place(custom), entries, places), custom.name, problems)


def _is_ours(name: str) -> bool:
    return name.lower().startswith("penstock") or (did_you_mean(name, _HOMES) is not None and "." in name)


def _refuse(name: str, place: Place, allowed: Section | None, known: dict[str, Node], problems: Problems) -> bool:
    home = _HOMES.get(name)
    if home is None:
        problems.add(
            place,
            f"`{name}` is not an extension of Penstock",
            expected=f"one of {listed(_HOMES)}",
            remedy=did_you_mean(name, _HOMES) or "Remove it.",
        )
    elif home is not allowed:
        problems.add(
            place,
            f"`{name}` stands in the wrong place",
            expected=f"it under the `customProperties` of {home.title}",
            remedy="Move it there.",
        )
    elif name in known:
        problems.add(place, f"`{name}` is given twice", remedy="Keep one of them.")
    else:
        return False
    return True
