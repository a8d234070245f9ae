from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from nonet.threads import apart, use_threads
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


def test_work_apart_has_a_thread_that_ends_and_its_own_number() -> None:
    before = threading.enumerate()
    assert apart(torch.get_num_threads) == 3
    assert apart(torch.get_num_threads, threads=1) == 1
    assert torch.get_num_threads() == 3
    assert in_a_new_thread(torch.get_num_threads) == 3
    assert apart(threading.current_thread) not in [*before, *threading.enumerate()]
    with pytest.raises(ZeroDivisionError):
        apart(lambda: 1 // 0)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts the threads of the system")
def test_torchs_helpers_end_with_the_work_apart() -> None:
    def helpers() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    def work() -> int:
        torch.rand(1 << 22).sum()
        return helpers()

    before = helpers()
    assert apart(work) > before + 1
    until = time.monotonic() + 10
    while helpers() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert helpers() <= before


def test_ctrl_c_ends_work_apart() -> None:
    script = (
        "import time\n"
        "from nonet.threads import apart\n"
        "def work():\n"
        "    print('working', flush=True)\n"
        "    for _ in range(3000): time.sleep(0.01)\n"
        "try: apart(work)\n"
        "except KeyboardInterrupt: print('ended', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=15)[0] == "ended\n"
