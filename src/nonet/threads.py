"""How many processor threads torch takes for the work of one thread of ours."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")

_restoring = threading.Lock()


def use_threads(count: int) -> None:
    """Let torch take `count` threads for what the calling thread does; other threads keep their number.

    torch's setting belongs to a thread, but is also what threads that come later begin with: that is put back.
    """
    import torch

    # Asking first also makes torch set this thread up; else it would do so, with its own number, when first needed.
    # One at a time: what another has set and not yet put back is not what is to be put back.
    with _restoring:
        others = torch.get_num_threads()
        torch.set_num_threads(count)
        restoring = threading.Thread(target=torch.set_num_threads, args=(others,), name="nonet-threads")
        restoring.start()
        restoring.join()


def apart(work: Callable[[], Result], *, threads: int | None = None) -> Result:
    """Do `work` in a thread of its own, which ends with it, and return its result; Ctrl-C ends it, too.

    torch's operations are cut up by OpenMP, which keeps helpers for every thread that ever asked it. Once there are
    more of them than cores, no helper stays awake between two operations any more, and a step of a large decoder, which
    has hundreds, takes a quarter longer. Those that are taken here are gone afterwards.

    Args:
        work: what to do; torch's settings of the calling thread, such as inference mode, do not reach it.
        threads: how many torch may take for it; None is as many as any thread may.
    """
    outcome: Future[Result] = Future()

    def here() -> None:
        try:
            if threads is not None:
                use_threads(threads)
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=here, name="nonet-apart")
    try:
        thread.start()
        return outcome.result()
    except KeyboardInterrupt:
        # Python interrupts the main thread only, which would then wait below for all of the work.
        if thread.ident is not None and not outcome.done():
            interrupt = ctypes.py_object(KeyboardInterrupt)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), interrupt)
        raise
    finally:
        if thread.ident is not None:
            thread.join()
