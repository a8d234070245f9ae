from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import fakes


@pytest.fixture(scope="session", autouse=True)
def settings_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the settings folder of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NONET_CONFIG", os.fspath(tmp_path_factory.mktemp("settings")))
        for name in ("NONET_POLICY", "NONET_CERTIFICATE", "NONET_CERTIFICATE_KEY"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> fakes.FakeEngine:
    """Whatever model is asked for, this engine draws; nothing is loaded."""
    engine = fakes.FakeEngine()
    monkeypatch.setattr("nonet.drawing.check_model", lambda name: None)
    monkeypatch.setattr("nonet.drawing.engine_for", lambda model, low_memory=False: engine)
    return engine
