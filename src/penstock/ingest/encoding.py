"""From the bytes of a text file to bytes in which line ends, delimiters and quotes are single ASCII bytes.

UTF-8 and the single-byte encodings have that property; UTF-16 is carried over to UTF-8 and back. So
one splitter into lines and fields serves all, and the original bytes of a line can always be given.
"""

from __future__ import annotations

import codecs
from typing import Protocol

from penstock.errors import SourceError

_UTF8_BOM = codecs.BOM_UTF8
_ASCII = bytes(range(128))
# A byte that UTF-8 never holds: stands for the odd last byte of a UTF-16 file.
_ODD = b"\xff"


class Encoding(Protocol):
    """Carries one file's bytes, in order. `to_text` raises UnicodeDecodeError; offsets are within its argument."""

    @property
    def name(self) -> str:
        """What the encoding is called, for people."""

    def feed(self, chunk: bytes, final: bool) -> bytes:
        """The next bytes, in the inner form; a byte order mark at the start is dropped."""

    def to_text(self, inner: bytes) -> str:
        """The text of inner bytes."""

    def to_inner(self, text: str) -> bytes:
        """Text as inner bytes (for delimiters and quotes)."""

    def to_utf8(self, inner: bytes) -> bytes:
        """Inner bytes as UTF-8, which is checked only where the inner form is not meant to be UTF-8."""

    def original(self, inner: bytes) -> bytes:
        """The bytes of the file that inner bytes were made from."""


def open_encoding(name: str, where: str) -> Encoding:
    """The encoding of that name, fresh for one file: utf-8, utf-16 (-le, -be), cp1252, latin-1 or another single-byte one."""
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        codec = ""
    if codec in ("utf-8", "utf-8-sig"):
        return _Utf8()
    if codec in ("utf-16", "utf-16-le", "utf-16-be"):
        return _Utf16(None if codec == "utf-16" else codec)
    if codec and _is_ascii_based(codec):
        return _SingleByte(codec)
    raise SourceError(
        "The encoding is not known",
        where=where,
        expected="utf-8, utf-16, cp1252, latin-1 or another encoding of one byte per character",
        found=name,
        remedy="Correct `csv.encoding`.",
    )


def _is_ascii_based(codec: str) -> bool:
    try:
        one_byte = all(len(bytes([byte, byte]).decode(codec, errors="replace")) == 2 for byte in range(256))
        return one_byte and _ASCII.decode(codec) == _ASCII.decode("ascii")
    except (UnicodeError, LookupError):
        return False


class _InnerUtf8:
    """What is parsed is UTF-8 already."""

    def to_text(self, inner: bytes) -> str:
        return inner.decode("utf-8")

    def to_inner(self, text: str) -> bytes:
        return text.encode()

    def to_utf8(self, inner: bytes) -> bytes:
        return inner


class _Utf8(_InnerUtf8):
    name = "utf-8"

    def __init__(self) -> None:
        self._start = b""
        self._started = False

    def feed(self, chunk: bytes, final: bool) -> bytes:
        if self._started:
            return chunk
        self._start += chunk
        if len(self._start) < len(_UTF8_BOM) and not final:
            return b""
        self._started = True
        return self._start.removeprefix(_UTF8_BOM)

    def original(self, inner: bytes) -> bytes:
        return inner


class _SingleByte:
    def __init__(self, codec: str) -> None:
        self.name = self._codec = codec

    def feed(self, chunk: bytes, final: bool) -> bytes:
        return chunk

    def to_text(self, inner: bytes) -> str:
        return inner.decode(self._codec)

    def to_inner(self, text: str) -> bytes:
        return text.encode(self._codec)

    def to_utf8(self, inner: bytes) -> bytes:
        return inner if inner.isascii() else inner.decode(self._codec).encode()

    def original(self, inner: bytes) -> bytes:
        return inner


class _Utf16(_InnerUtf8):
    """Surrogates that stand alone pass through as they are and fail in `to_text`.

    Without a byte order mark and a declared order it is little-endian. The original bytes of a line of
    a file that was big-endian by its mark begin with the mark, so that they can be read alone.
    """

    name = "utf-16"

    def __init__(self, codec: str | None) -> None:
        self._codec = codec
        self._mark = b""
        self._rest = b""
        self._started = False

    def feed(self, chunk: bytes, final: bool) -> bytes:
        data = self._rest + chunk
        if not self._started:
            if len(data) < 2 and not final:
                self._rest = data
                return b""
            data = self._start(data)
        whole = len(data) - len(data) % 2
        if whole and not final and self._is_high_surrogate(data[whole - 2 : whole]):
            whole -= 2
        text = data[:whole].decode(self._codec or "utf-16-le", "surrogatepass")
        self._rest = data[whole:]
        return text.encode("utf-8", "surrogatepass") + (_ODD if final and self._rest else b"")

    def original(self, inner: bytes) -> bytes:
        odd = self._rest if inner.endswith(_ODD) else b""
        body = inner.removesuffix(_ODD)
        text = codecs.getincrementaldecoder("utf-8")("surrogatepass").decode(body)
        return self._mark + text.encode(self._codec or "utf-16-le", "surrogatepass") + odd

    def _start(self, data: bytes) -> bytes:
        self._started = True
        if self._codec is None:
            big = data.startswith(codecs.BOM_UTF16_BE)
            self._codec = "utf-16-be" if big else "utf-16-le"
            self._mark = codecs.BOM_UTF16_BE if big else b""
        return data.removeprefix(codecs.BOM_UTF16_BE if self._codec == "utf-16-be" else codecs.BOM_UTF16_LE)

    def _is_high_surrogate(self, unit: bytes) -> bool:
        return unit[1 if self._codec == "utf-16-le" else 0] & 0xFC == 0xD8
