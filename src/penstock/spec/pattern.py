"""Whether a pattern is RE2, the regular expressions of linear time that rows are held against.

A reader of the grammar, not of the meaning. Syntax: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re

_REPEAT_LIMIT = 1000
_CLASSES = "dDsSwW"
_ASSERTIONS = "AzbB"
_CONTROLS = "afnrtvC"
_POSIX = {
    *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower"),
    *("print", "punct", "space", "upper", "word", "xdigit"),
}


class _Refused(Exception):
    """Why the pattern is not RE2."""


def refusal(pattern: str) -> str | None:
    """Why RE2 refuses the pattern, or None when it accepts it.

    >>> refusal("^[A-Z]{2}[0-9]+$") is None
    True
    >>> refusal("(?=a)b")
    'look-around `(?=` is not part of RE2'
    """
    reader = _Reader(pattern)
    try:
        reader.alternation(0)
        if reader.at < len(pattern):
            return "a `)` has no `(`"
    except _Refused as reason:
        return str(reason)
    return None


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.names: set[str] = set()

    def rest(self) -> str:
        return self.pattern[self.at :]

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise _Refused("the pattern ends too early")
        self.at += 1
        return char

    def alternation(self, depth: int) -> None:
        if depth > 100:
            raise _Refused("groups are nested too deeply")
        self._refuse_leading_repeat()
        while self.peek() not in ("", ")"):
            self.repeated(depth)

    def _refuse_leading_repeat(self) -> None:
        if self.peek() in ("*", "+", "?") or self._bounds() is not None:
            raise _Refused("a repetition repeats nothing")

    def repeated(self, depth: int) -> None:
        char = self.take()
        if char == "(":
            self.group(depth)
        elif char == "[":
            self.bracket()
        elif char == "\\":
            self.escape()
        if char == "|":
            self._refuse_leading_repeat()
            return
        self.repetition()

    def repetition(self) -> None:
        """One repeat at most: RE2 reads `a**` as an error."""
        if not self._repeat():
            return
        if self.peek() == "?":
            self.at += 1
        if self._repeat():
            raise _Refused("a repetition is repeated")

    def _repeat(self) -> bool:
        if self.peek() in ("*", "+", "?"):
            self.at += 1
            return True
        bounds = self._bounds()
        if bounds is None:
            return False
        low, high = bounds
        if low > _REPEAT_LIMIT or (high is not None and (high > _REPEAT_LIMIT or high < low)):
            raise _Refused(f"a repetition is out of bounds (0 to {_REPEAT_LIMIT}, the lower first)")
        return True

    def _bounds(self) -> tuple[int, int | None] | None:
        match = re.match(r"\{([0-9]+)(,([0-9]*))?\}", self.rest(), flags=re.ASCII)
        if match is None:
            return None
        self.at += match.end()
        if any(len(digits or "") > 9 for digits in (match[1], match[3])):
            raise _Refused(f"a repetition is out of bounds (0 to {_REPEAT_LIMIT}, the lower first)")
        low = int(match[1])
        return low, low if match[2] is None else int(match[3]) if match[3] else None

    def group(self, depth: int) -> None:
        if self.peek() == "?":
            self._group_kind()
            if self.pattern[self.at - 1] == ")":
                self._refuse_leading_repeat()
                return
        self.alternation(depth + 1)
        if self.take() != ")":
            raise _Refused("a `(` has no `)`")

    def _group_kind(self) -> None:
        rest = self.rest()
        for kind in ("?=", "?!", "?<=", "?<!"):
            if rest.startswith(kind):
                raise _Refused(f"look-around `({kind}` is not part of RE2")
        named = re.match(r"\?P<([A-Za-z_0-9]+)>", rest, flags=re.ASCII)
        if named is not None:
            if named[1] in self.names:
                raise _Refused(f"the group name `{named[1]}` stands twice")
            self.names.add(named[1])
            self.at += named.end()
            return
        flags = re.match(r"\?([imsU]*(?:-[imsU]+)?)([:)])", rest)
        if flags is None or (not flags[1] and flags[2] == ")"):
            raise _Refused(f"the group `({rest[:3]}` is not part of RE2")
        self.at += flags.end()

    def bracket(self) -> None:
        if self.peek() == "^":
            self.at += 1
        first = True
        while first or self.peek() != "]":
            if self.rest().startswith("[:"):
                self._posix()
            else:
                self._range()
            first = False
        self.at += 1

    def _posix(self) -> None:
        end = self.rest().find(":]")
        if end < 0:
            self.at += 1
            return
        name = self.rest()[2:end].removeprefix("^")
        if name not in _POSIX:
            raise _Refused(f"the character class `[:{name}:]` does not exist")
        self.at += end + 2

    def _range(self) -> None:
        low = self._member()
        if low is None or self.peek() != "-" or self.rest()[1:2] in ("]", ""):
            return
        self.at += 1
        high = self._member()
        if high is None or high < low:
            raise _Refused("a character range is upside down or made of classes")

    def _member(self) -> str | None:
        char = self.take()
        return self.escape(in_class=True) if char == "\\" else char

    def escape(self, *, in_class: bool = False) -> str | None:
        """Read what follows a backslash; the character it stands for, or None for a class."""
        char = self.take()
        if char in _CLASSES or (char in _ASSERTIONS + "Q" and not in_class):
            if char == "Q":
                end = self.rest().find("\\E")
                self.at = len(self.pattern) if end < 0 else self.at + end + 2
                if end == 0:
                    self._refuse_leading_repeat()
            return None
        if char in "pP":
            self._property()
            return None
        if char == "x":
            match = re.match(r"\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2})", self.rest())
            if match is None or int(match[1] or match[2], 16) > 0x10FFFF:
                raise _Refused("`\\x` needs two hexadecimal digits or `{...}`")
            self.at += match.end()
            return chr(int(match[1] or match[2], 16))
        if char == "0" or (char in "1234567" and self.peek() in tuple("01234567")):
            match = re.match(r"[0-7]{0,2}", self.rest())
            self.at += match.end() if match is not None else 0
            return chr(int(char + (match[0] if match is not None else ""), 8))
        if char.isascii() and char.isdigit():
            raise _Refused(f"the back-reference `\\{char}` is not part of RE2")
        if char in _CONTROLS and not (char == "C" and in_class):
            return {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}.get(char)
        if char.isascii() and not char.isalnum():
            return char
        raise _Refused(f"the escape `\\{char}` is not part of RE2")

    def _property(self) -> None:
        match = re.match(r"\{\^?[A-Za-z_]+\}|[A-Z]", self.rest())
        if match is None:
            raise _Refused("`\\p` needs the name of a Unicode class")
        self.at += match.end()
