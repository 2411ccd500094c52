from pathlib import Path

import pytest

from tools.check_vocabulary import breach, findings


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("customer_id", "customer"),
        ("CustomerRow", "customer"),
        ("SKUs", "sku"),
        ("top_products", "product"),
        ("orders", "orders"),
        ("order_lines", "order_line"),
        ("OrderItem", "order_item"),
    ],
)
def test_words_of_commerce_are_found_in_every_spelling(name: str, word: str) -> None:
    assert breach(name) == word


@pytest.mark.parametrize("name", ["order_by", "in_order", "ordering", "order", "production", "cartesian", "descriptor"])
def test_order_as_sequence_and_words_that_only_look_alike_are_allowed(name: str) -> None:
    assert breach(name) is None


@pytest.mark.parametrize(
    "content",
    [
        "def load(sku): ...\n",
        "class Basket: ...\n",
        "cart = 1\n",
        "self.invoice = 1\n",
        "import itertools as shop\n",
        "for product in range(3): ...\n",
    ],
)
def test_every_kind_of_given_name_is_checked(tmp_path: Path, content: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "rows.py").write_text(content)
    assert len(list(findings(tmp_path))) == 1


def test_names_of_libraries_that_are_only_used_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "rows.py").write_text("import itertools\npairs = itertools.product('ab', repeat=2)\n")
    assert list(findings(tmp_path)) == []


def test_a_module_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "helpers.py").write_text("")
    assert "helpers" in str(next(iter(findings(tmp_path))))
