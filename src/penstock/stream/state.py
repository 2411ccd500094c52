"""The state of all nodes as bytes: a header that names the parts and says how they were made, then the parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from penstock.errors import PenstockError
from penstock.spec.stream import Join, Step
from penstock.spec.stream_file import step_meaning
from penstock.stream.graph import Graph, Intake

_MARK = b"PSS1"


class StateMismatch(PenstockError):
    """The state was made by another declaration of the topology; nothing was read and nothing was reset."""


def pack(parts: Mapping[str, bytes], about: Mapping[str, object] | None = None) -> bytes:
    """Parts by name, and facts about them.

    >>> unpack(pack({"fees": b"abc"}))
    {'fees': b'abc'}
    """
    listed = [[name, len(part)] for name, part in parts.items()]
    header = json.dumps({"parts": listed, "about": dict(about or {})}).encode()
    return b"".join([_MARK, len(header).to_bytes(4, "little"), header, *parts.values()])


def unpack(data: bytes) -> dict[str, bytes]:
    """The parts by name."""
    header, at = _header(data)
    parts = {}
    for name, length in header["parts"]:
        parts[str(name)] = data[at : at + length]
        at += length
    return parts


def about(data: bytes) -> dict[str, Any]:
    """What `pack` was told about the parts."""
    return dict(_header(data)[0]["about"])


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    if data[:4] != _MARK:
        raise StateMismatch("The state of the stream is none that this version reads", found=repr(data[:4]))
    end = 8 + int.from_bytes(data[4:8], "little")
    header: dict[str, Any] = json.loads(data[8:end])
    return header, end


def fingerprints(graph: Graph) -> dict[str, str]:
    """What decides the state of each node: what it does, and all that comes before it. Joins remember rows as a whole,
    so of them all columns count."""
    columns = {node.name: [[one.name, str(one.type)] for one in node.schema] for node in graph.nodes}
    return _fingerprints(
        graph,
        lambda intake: intake.received,
        lambda step: [columns[name] for name in step.reads] if isinstance(step.operation, Join) else None,
    )


def _of_whole_contracts(graph: Graph) -> dict[str, str]:
    """As states were made by before it was told apart what of a contract decides them."""
    return _fingerprints(
        graph, lambda intake: intake.topic if intake.declared is None else intake.declared.fingerprint, lambda _: None
    )


def _fingerprints(graph: Graph, came: Callable[[Intake], str], remembered: Callable[[Step], object]) -> dict[str, str]:
    found: dict[str, str] = {}
    steps = {step.name: step for step in graph.topology.steps}
    for node in graph.nodes:
        if isinstance(node.does, Intake):
            meaning: object = came(node.does)
        else:
            step = steps[node.name]
            before, kept = [found[name] for name in step.reads], remembered(step)
            meaning = [step_meaning(step), before, *([] if kept is None else [kept])]
        found[node.name] = sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return found


def check_same(graph: Graph, made_by: Mapping[str, str], *, adopt: bool) -> tuple[str, ...]:
    """The nodes whose state may be taken over; StateMismatch names those that changed, unless they are to begin anew."""
    now, whole = fingerprints(graph), _of_whole_contracts(graph)
    steps = {step.name for step in graph.topology.steps}
    other = {name for name in now if made_by.get(name) not in (now[name], whole[name])}
    changed, gone = sorted(other & steps), sorted(name for name in made_by if name not in now)
    otherwise = sorted(name for name in other - steps if name in made_by)
    if (changed or gone) and not adopt:
        raise StateMismatch(
            f"The topology `{graph.topology.name}` is not the one that its state was made by",
            where=str(graph.topology.path),
            expected="the steps as they were",
            found=", ".join(
                [
                    *(f"topic `{name}` or its contract changed" for name in otherwise),
                    *(f"`{name}` changed" for name in changed),
                    *(f"`{name}` is gone" for name in gone),
                ]
            ),
            remedy="Declare it as before, give the new one another name, or go on with `--adopt`: steps that did not"
            " change keep their state, the others begin anew from the present position.",
        )
    return tuple(name for name in now if name not in changed)
