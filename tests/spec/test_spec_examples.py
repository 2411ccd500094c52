"""The examples in the docstrings of this room run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import penstock.spec

MODULES = [module.name for module in pkgutil.iter_modules(penstock.spec.__path__, "penstock.spec.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0
