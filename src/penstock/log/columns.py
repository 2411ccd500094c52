"""How a topic may change: what lies there stays readable."""

from __future__ import annotations

from penstock.log.protocol import LogError, TopicSpec


def check_change(old: TopicSpec, new: TopicSpec) -> None:
    """LogError unless only optional columns were added, or retention or size changed."""
    if old.partitions != new.partitions:
        raise another_shape(new.name, f"{old.partitions} partitions", str(new.partitions))
    for one in old.schema:
        if one.name not in new.schema.names or new.schema.field(one.name).type != one.type:
            found = str(new.schema.field(one.name).type) if one.name in new.schema.names else "no such column"
            raise another_shape(new.name, f"column {one.name} {one.type}", found)
    for one in new.schema:
        if one.name not in old.schema.names and not one.nullable:
            raise another_shape(new.name, f"a new column {one.name} that may be null", "one that may not")


def another_shape(topic: str, expected: str, found: str) -> LogError:
    return LogError(
        "The topic exists in another shape",
        where=topic,
        expected=expected,
        found=found,
        remedy="Declare it as it is, or give the new shape a new name.",
    )
