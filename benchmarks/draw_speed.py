"""How fast the engine draws: `python benchmarks/draw_speed.py [--model doodle] [--threads 2] [--json]`.

`--model chance` measures weights of chance in the sizes of `configs/doodle`, which take as long as trained ones.

- nine: nine pictures, warm; with the time to the first partial pictures and the peak memory so far
- sixteen: sixteen prompts submitted together, against the same one after another; with the peak memory so far
- late: the first partial pictures of a request that arrives while another is drawn, against an idle engine

Times are in seconds. On a computer that does other work besides, `cpu` (processor time of all threads) with
`--threads 1` says more than the time on the clock.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nonet.checkpoints import Model, TextContext, load
from nonet.checkpoints.model import MemoryPlan, Wanted
from nonet.engine import DrawRequest, Engine, Partial
from nonet.model.config import Seq2SeqConfig
from nonet.model.judge import Judge, JudgeConfig
from nonet.model.minilm import MiniLM, mean_pool
from nonet.model.seq2seq import Seq2Seq
from nonet.model.vqgan import VQGAN, VQGANConfig

CONFIGS = Path(__file__).parents[1] / "configs" / "doodle"
PROMPTS = """a red apple on a table|a cat on the moon|a blue car|a penguin with a guitar|a pizza in space|
a yellow house|two dogs in a boat|a robot with a flower|a green tree|a fish in a hat|a castle at night|
a rocket over the sea|a brown armchair|a bicycle in the snow|a hamster with a crown|an avocado"""
NINE = DrawRequest(prompt="a red apple on a table", seed=1)


class ChanceText:
    """The text encoder's work, on word numbers made up from the letters."""

    def __init__(self) -> None:
        self.encoder = MiniLM().eval()

    def encode(self, prompts: Sequence[str]) -> TextContext:
        rows = [[101, *(1000 + sum(map(ord, word)) for word in prompt.split()), 102] for prompt in prompts]
        longest = max(map(len, rows))
        ids_BS = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        mask_BS = ids_BS > 0
        return TextContext(self.states(ids_BS, mask_BS), mask_BS, [0] * len(rows))

    def states(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        states: Tensor = self.encoder(ids_BS, mask_BS)
        return states

    def sentences(self, texts: Sequence[str]) -> Tensor:
        text = self.encode(texts)
        return mean_pool(text.states_BSD, text.mask_BS)


class ChanceModel(Model):
    """A model that remembers tokens of chance."""

    def plan(self, request: Wanted, pictures: range) -> MemoryPlan:
        generator = torch.Generator().manual_seed(request.seed + pictures.start)
        shape = (len(pictures), self.config.memory_slots, self.image_length)
        memory_PST = torch.randint(self.codebook_size, shape, generator=generator)
        return MemoryPlan(memory_PST, [[] for _ in pictures])


def chance_model() -> Model:
    def table(name: str) -> Mapping[str, Any]:
        values: Mapping[str, Any] = tomllib.loads((CONFIGS / f"{name}.toml").read_text("utf-8"))["model"]
        return values

    torch.manual_seed(1)
    config = Seq2SeqConfig.from_dict(table("seq2seq"))
    judge = dict(table("judge"))
    judge["widths"] = tuple(judge["widths"])
    model = ChanceModel(
        name="chance",
        config=config,
        seq2seq=Seq2Seq(config).reset().eval(),
        text=ChanceText(),
        vqgan=VQGAN(VQGANConfig.from_dict(table("codec"))).eval(),
        judge=Judge(JudgeConfig(**judge)).eval(),
        defaults={"guidance": 3.0, "temperature": 1.0, "top_k": 64, "top_p": 1.0},
    )
    # The engine plans where there is a memory; this one's pictures are not looked at.
    model.memory = object()  # type: ignore[assignment]
    return model


def first_partial(engine: Engine, request: DrawRequest) -> float:
    """Seconds from `submit` to the first partial picture; the rest is cancelled."""
    began = time.perf_counter()
    with engine.submit(request) as stream:
        for event in stream:
            if isinstance(event, Partial):
                break
    return time.perf_counter() - began


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(engine: Engine, work: Callable[[], object]) -> dict[str, float]:
    if isinstance(engine.model, Model):
        # The same requests again and again would find all their colours mixed.
        engine.model.forget()
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return {"clock": time.perf_counter() - began, "cpu": time.process_time() - cpu}


def nine(engine: Engine, runs: int) -> dict[str, Any]:
    rounds = []
    for _ in range(runs):
        shown: list[float] = []
        began = time.perf_counter()

        def draw(began: float = began, shown: list[float] = shown) -> None:
            for event in engine.submit(NINE):
                if isinstance(event, Partial):
                    shown.append(time.perf_counter() - began)

        rounds.append(timed(engine, draw) | {"first_partial": shown[0]})
    return {
        name: {"best": min(values), "median": statistics.median(values)}
        for name in ("clock", "cpu", "first_partial")
        if (values := [entry[name] for entry in rounds])
    } | {"peak_megabytes": peak_megabytes()}


def sixteen(engine: Engine, runs: int) -> dict[str, Any]:
    requests = [DrawRequest(prompt=p.strip(), seed=100 * i) for i, p in enumerate(PROMPTS.split("|"))]

    def one_after_another() -> None:
        for request in requests:
            list(engine.submit(request))

    def together() -> None:
        for stream in [engine.submit(request) for request in requests]:
            list(stream)

    # Turn about, so that what else the computer does falls on both alike.
    rounds = [(timed(engine, one_after_another), timed(engine, together)) for _ in range(runs)]
    result: dict[str, Any] = {"peak_megabytes": peak_megabytes()}
    for name in ("clock", "cpu"):
        apart, joined = (min(pair[which][name] for pair in rounds) for which in (0, 1))
        result[name] = {"one_after_another": apart, "together": joined, "share": joined / apart}
    return result


def late(engine: Engine, runs: int) -> dict[str, Any]:
    other = DrawRequest(prompt="a cat on the moon", seed=2)
    idle = statistics.median(first_partial(engine, NINE) for _ in range(max(3, runs)))
    began = time.perf_counter()
    list(engine.submit(other))
    whole = time.perf_counter() - began
    rng = random.Random(1)
    arrivals = []
    # At any time of the other's drawing, its painting at the end not left out.
    for part in [*(0.1 + 0.12 * step for step in range(8)), *(rng.random() for _ in range(runs))]:
        with engine.submit(other) as stream:
            time.sleep(part * whole)
            arrivals.append(first_partial(engine, NINE))
            stream.cancel()
    return {"idle": idle, "median": statistics.median(arrivals), "worst": max(arrivals)} | {
        "median_to_idle": statistics.median(arrivals) / idle,
        "worst_to_idle": max(arrivals) / idle,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="How fast the engine draws.")
    parser.add_argument(
        "--model", default="doodle", help="a model for nonet.load, or chance; default: doodle"
    )
    parser.add_argument("--threads", type=int, help="cores to use; default: all")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=("nine", "sixteen", "late"), action="append")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    measures = {"nine": nine, "sixteen": sixteen, "late": late}
    model = chance_model() if options.model == "chance" else load(options.model)
    with Engine(model, threads=options.threads) as engine:
        # Something in each lane, so that all of them are warm.
        for stream in [engine.submit(NINE) for _ in engine.lanes]:
            list(stream)
        results: dict[str, Any] = {"model": engine.model.name, "threads": engine.threads}
        for name in options.only or measures:
            runs = 1 if name == "sixteen" else options.runs
            results[name] = measures[name](engine, runs)
    if options.json:
        sys.stdout.write(json.dumps(results) + "\n")
    else:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
