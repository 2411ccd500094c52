"""The key of all pseudonyms of a data directory: one, from the first row on."""

from __future__ import annotations

import hmac

from penstock.errors import UsageError
from penstock.lake.records import put_record, read_records
from penstock.runtime.place import PSEUDONYM_KEY_VARIABLE, DataDirectory
from penstock.world import World

KIND = "pseudonym key"
_CHECKED = b"penstock pseudonym key"


def pseudonym_key(place: DataDirectory, world: World) -> bytes:
    """The key, if it is the one under which the data directory began. The catalogue keeps a proof of it, never the key.

    UsageError when it is another: pseudonyms of new rows would not meet those of old ones, and nobody would notice.
    """
    key = place.pseudonym_key(world.ids)
    proof = hmac.new(key, _CHECKED, "sha256").hexdigest()
    known = read_records(place.root, KIND)
    if not known:
        put_record(place.root, KIND, "proof", {"proof": proof}, at=world.clock.now())
    elif not hmac.compare_digest(str(known[0]["proof"]), proof):
        raise UsageError(
            "The key of the pseudonyms is not the one that the data was made with",
            where=str(place.root),
            remedy=f"Give the key that it had before: in {PSEUDONYM_KEY_VARIABLE}, or in keys/pseudonym.key there.",
        )
    return key
