"""What the benchmarks reach into is there."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from nonet.engine import DrawRequest, Engine
from tiny_model import TinyModel

FOLDER = Path(__file__).parent.parent / "benchmarks"


def benchmark(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_phases_of_a_grid_are_measured() -> None:
    phases = benchmark("mini_cpu").Phases()
    with phases.measured(), Engine(TinyModel()) as engine:
        for _ in engine.submit(DrawRequest(prompt="a red apple", count=2, seed=1)):
            pass
    assert {"encode", "tokens", "sampling", "codec"} <= set(phases.spent)
    assert min(phases.spent.values()) > 0


def test_the_gpus_benchmark_runs_at_toy_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark("mega_gpu").main(["--device", "cpu", "--tiny", "--runs", "1", "--plain"])
    measured = json.loads(capsys.readouterr().out)
    assert min(measured[way]["best"] for way in ("graph", "plain")) > 0
    assert measured["codec"] > 0
