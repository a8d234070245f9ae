from __future__ import annotations

import threading

import pytest
import torch

from nonet.safety.provenance.one_core import on_one_core


def test_work_has_one_core_and_leaves_the_others_theirs() -> None:
    before = torch.get_num_threads()
    assert on_one_core(torch.get_num_threads) == 1
    assert torch.get_num_threads() == before
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [before]


def test_an_error_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        on_one_core(lambda: 1 // 0)
