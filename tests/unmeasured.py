"""Coverage looks at every line that runs, also at those of dbt and MetricFlow, which it then takes twice as long."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def unmeasured() -> Iterator[None]:
    """Nobody looks at the lines that run here, in this thread and in those that it begins."""
    here, begun = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.settrace(here)
        threading.settrace(begun)  # type: ignore[arg-type]


def leave_out(of: type, name: str, patched: pytest.MonkeyPatch) -> None:
    """Let a function of somebody else's class run unmeasured."""
    theirs: Callable[..., Any] = getattr(of, name)

    @functools.wraps(theirs)
    def call(*arguments: Any, **named: Any) -> Any:
        with unmeasured():
            return theirs(*arguments, **named)

    patched.setattr(of, name, call)


@pytest.fixture(scope="session", autouse=True)
def only_ours_is_measured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where coverage measures, the compilers of models and metrics run without it."""
    if not request.config.pluginmanager.hasplugin("_cov"):
        yield
        return
    with unmeasured():
        from dbt.cli.main import dbtRunner
        from metricflow.engine.metricflow_engine import MetricFlowEngine
        from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
    with pytest.MonkeyPatch.context() as patched:
        leave_out(dbtRunner, "invoke", patched)
        leave_out(MetricFlowEngine, "explain", patched)
        leave_out(MetricFlowEngine, "__init__", patched)
        leave_out(SemanticManifestLookup, "__init__", patched)
        yield
