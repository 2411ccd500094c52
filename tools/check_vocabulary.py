"""The engine knows nothing of commerce, and a module is named after a thing: words kept out of names under `src/`.

`order` is allowed as sequence (order_by, in_order), not as a purchase (orders, order_id, order_lines).
Names of libraries that are only used, such as itertools.product, are not ours and not checked.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.finding import Finding, modules, report

COMMERCE = re.compile(
    r"customer|sku|cart|basket|invoice|product|shop|checkout|purchase|merchant|shipment|shipping|payment|refund|coupon"
    r"|voucher|buyer|seller|retail|e?commerce|wishlist|storefront"
)
PURCHASE = {"id", "line", "item", "number", "value", "status", "total", "date", "book", "history"}
ATTIC = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}


def words(name: str) -> list[str]:
    """The words of snake_case or CamelCase, in lower case: orderLines2 -> order, lines."""
    return [word.lower() for word in re.findall(r"[A-Z]{2,}s?(?![a-z])|[A-Z]?[a-z]+|[A-Z]", name)]


def breach(name: str) -> str | None:
    """The word that does not belong into `name`, or None."""
    found = words(name)
    singular = [word.removesuffix("s") for word in found]
    for word in singular:
        if COMMERCE.fullmatch(word):
            return word
    if "orders" in found:
        return "orders"
    for first, second in itertools.pairwise(singular):
        if first == "order" and second in PURCHASE:
            return f"order_{second}"
    return None


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that the module gives: functions, classes, arguments, variables, attributes, aliases."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from ((alias.asname, node.lineno) for alias in node.names if alias.asname is not None)


def findings(root: Path) -> Iterator[Finding]:
    for path, tree in modules(root, "src"):
        where = str(path.relative_to(root))
        if path.stem in ATTIC:
            yield Finding(where, 1, f"a module named {path.stem} holds anything: name it after the thing it is")
        for name, line in [(path.stem, 1), *names(tree)]:
            word = breach(name)
            if word is not None:
                yield Finding(where, line, f"{name}: {word} is a word of commerce; the engine does not know it")


if __name__ == "__main__":
    sys.exit(report(findings))
