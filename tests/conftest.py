from __future__ import annotations

import pytest

import fakes


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> fakes.FakeEngine:
    """Whatever model is asked for, this engine draws; nothing is loaded."""
    engine = fakes.FakeEngine()
    monkeypatch.setattr("nonet.drawing.check_model", lambda name: None)
    monkeypatch.setattr("nonet.drawing.engine_for", lambda model, low_memory=False: engine)
    return engine
