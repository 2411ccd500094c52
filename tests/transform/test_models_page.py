"""docs/models.md is built as it stands, and grows into what one build gives."""

from __future__ import annotations

from pathlib import Path

from tests.transform.small_shop import Silver, Site, gold, some_lines, status
from tests.transform.test_model_build import ORDERS, models_in
from tests.vault.page import read_page

LINES = some_lines(seed=21, count=90)
PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_models_of_the_page_grow_into_what_one_build_gives(site: Site, tmp_path: Path) -> None:
    models = models_in(tmp_path / "models", {"star/sources.yml": ORDERS, **read_page(PAGE).files})
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[45:])
    base = site.release(site.build(silver.everything(), models=models))
    second = site.build(silver.with_more(LINES[:45]), base=base, models=models)
    invoices = next(model for model in second.models if model.name == "invoices")
    assert (str(invoices.status), invoices.slice_by) == ("moved", "invoice_date")
    assert status(second)["pieces_sold"] == "moved"
    assert gold(second) == gold(site.build(silver.everything(), models=models))
