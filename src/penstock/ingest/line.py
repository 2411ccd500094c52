"""Physical lines of a stream, by number, none longer in memory than the limit."""

from __future__ import annotations

from penstock.ingest.malformed import KEPT_OF_OVERLONG


class Lines:
    """Cuts chunks into lines at LF, CRLF and lone CR. Of a line too long the first bytes are given, the rest is dropped."""

    def __init__(self) -> None:
        self._data = b""
        self._next = 1
        self._skipping = False

    def feed(self, chunk: bytes, *, final: bool) -> list[tuple[int, bytes]]:
        """The lines that are complete now, numbered from 1, without their ends; empty ones are left out."""
        data = self._data + chunk
        end = len(data) if final else _after_last_end(data)
        lines = data[:end].splitlines()
        self._data = data[end:]
        numbered = list(enumerate(lines, self._next))
        self._next += len(lines)
        if self._skipping and numbered:
            numbered, self._skipping = numbered[1:], False
        if self._skipping:
            self._data = self._data[-1:] if self._data.endswith(b"\r") else b""
        elif len(self._data) > KEPT_OF_OVERLONG + 1:
            numbered.append((self._next, self._data))
            self._data = self._data[-1:] if self._data.endswith(b"\r") else b""
            self._skipping = True
        return [(number, line[:KEPT_OF_OVERLONG]) for number, line in numbered if line]


def _after_last_end(data: bytes) -> int:
    """Behind the last line end that is surely whole (a CR at the very end may be half of a CRLF)."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
