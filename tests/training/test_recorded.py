"""What a GPU plays back, as far as a processor can tell."""

from __future__ import annotations

import torch
from torch import Tensor

from nonet.training.recorded import Recorded


def test_on_a_processor_the_work_is_done_each_time() -> None:
    total = torch.zeros(())

    def work() -> dict[str, Tensor]:
        return {"total": total.add_(1)}

    recorded = Recorded(work, torch.device("cpu"))
    assert [float(recorded()["total"]) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
