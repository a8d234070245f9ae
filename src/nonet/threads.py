"""How many processor threads torch takes for the work of one thread of ours."""

from __future__ import annotations

import threading

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
