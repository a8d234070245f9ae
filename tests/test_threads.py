from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from nonet.threads import use_threads
from threads_of import in_a_new_thread


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_a_thread_has_its_own_number_and_the_others_keep_theirs() -> None:
    with ThreadPoolExecutor(1, initializer=use_threads, initargs=(1,)) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
        # The first operation that is cut up between threads must not change it.
        pool.submit(lambda: torch.ones(1 << 20).sum()).result()
        assert pool.submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 3
        assert in_a_new_thread(torch.get_num_threads) == 3


def test_threads_that_begin_together_do_not_take_anothers_number_for_everybodys() -> None:
    for _ in range(20):
        with ThreadPoolExecutor(8, initializer=use_threads, initargs=(1,)) as pool:
            assert set(pool.map(lambda _: torch.get_num_threads(), range(64))) == {1}
        assert in_a_new_thread(torch.get_num_threads) == 3
