"""How fast DALL-E Mini draws on a processor, beside min-dalle: `python benchmarks/mini_cpu.py`.

Forges weights of Mini's sizes (of chance: they take as long as the published ones), writes them as the original is
published and as min-dalle keeps them, and measures in one run, each in a process of its own:

- ours: nine pictures of one prompt, condition scale 10, top-k 50, through `Engine`, all 256 tokens and the codec, once
  as they are shown in a terminal (with partial pictures) and once without; each phase beside its limit
- theirs: min-dalle 0.4.11 (`pip install --no-deps min-dalle==0.4.11 requests`) with the same weights and settings:
  its text encoder, `--their-tokens` of its 256 steps, scaled up (a step of its takes equally long at every position,
  for it attends to all 256), and its detokenizer with all nine pictures

On a computer that does other work besides, `--threads 1 --cpu` compares the processor time that both take.

The limit of a phase is its arithmetic at the speed of a large float32 product in the same process. `--quick` draws some
tokens and decodes some pictures only, and scales. Needs 6 GB of memory and 4 GB of disk.

`--mega` measures ours with the sizes of Mega: 16 GB of memory to forge, 9 GB to draw in half precision, 11 GB of disk.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from nonet.model.config import Seq2SeqConfig

PICTURES, TOKENS, SCALE, TOP_K = 9, 256, 10.0, 50
PROMPT = "a red apple on a table"


def clock() -> float:
    """Seconds on the clock, or with `--cpu` of this process's own work."""
    return time.process_time() if "--cpu" in sys.argv else time.perf_counter()


def forge(folder: Path, *, mega: bool) -> dict[str, Any]:
    """Write the same weights twice: `ours` as published, `theirs` as `MinDalle` looks for them (not Mega's)."""
    from mega_gpu import SIZES, chance_model

    from nonet.checkpoints.save import save_flax, save_mindalle

    torch.manual_seed(1)
    dtype = torch.bfloat16 if mega else torch.float32
    model = chance_model(SIZES["mega" if mega else "mini"], torch.device("cpu"), dtype)
    save_flax(model, folder / "ours")
    parameters = {"parameters": sum(p.numel() for p in model.seq2seq.parameters())}
    if mega:
        return parameters
    save_mindalle(model, folder / "theirs", storage="float32")
    (folder / "theirs" / "dalle_bart_mini").mkdir()
    (folder / "theirs" / "vqgan").mkdir()
    for name in ("encoder.pt", "decoder.pt", "vocab.json", "merges.txt"):
        (folder / "theirs" / name).rename(folder / "theirs" / "dalle_bart_mini" / name)
    (folder / "theirs" / "detoker.pt").rename(folder / "theirs" / "vqgan" / "detoker.pt")
    return parameters


def large_product(dtype: torch.dtype = torch.float32, size: int = 1024) -> float:
    """GFLOP/s of a large matrix product, the best of many."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    out = torch.empty_like(a)
    best = min(seconds(lambda: torch.mm(a, b, out=out)) for _ in range(40))
    return 2 * size**3 / best / 1e9


def seconds(work: Callable[[], object]) -> float:
    began = clock()
    work()
    return clock() - began


def peak_megabytes() -> float | None:
    """Most memory that this process has held; not from getrusage, which begins with the parent's."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024


class Phases:
    """Seconds and calls of functions of the engine, which are wrapped while a grid is drawn."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            began = clock()
            try:
                return function(*arguments, **named)
            finally:
                self.spent[name] = self.spent.get(name, 0.0) + clock() - began
                self.calls[name] = self.calls.get(name, 0) + 1

        return timed

    @contextmanager
    def measured(self) -> Iterator[None]:
        from nonet.engine import batcher, drawing_step, painting, reading

        places: list[tuple[Any, str, str]] = [
            (reading.Reader, "_context", "encode"),
            (batcher, "draw_step", "tokens"),
            (drawing_step, "sample", "sampling"),
            (batcher.Batcher, "_paint_finished", "codec"),
            (painting.Painter, "unfinished", "partials"),
        ]
        kept = [getattr(owner, name) for owner, name, _ in places]
        for (owner, name, phase), function in zip(places, kept, strict=True):
            setattr(owner, name, self.wrapped(phase, function))
        try:
            yield
        finally:
            for (owner, name, _), function in zip(places, kept, strict=True):
                setattr(owner, name, function)


def arithmetic(text_tokens: int, config: Seq2SeqConfig) -> dict[str, float]:
    """GFLOP of the phases of a grid, as the model is published; shortcuts do not count."""
    from torch.utils.flop_counter import FlopCounterMode

    from nonet.model.vqgan import VQGAN, VQGANConfig

    width, hidden, layers = config.d_model, config.decoder_ffn_dim, config.decoder_layers
    rows = 2 * PICTURES
    matrices = 6 * width**2 + 3 * width * hidden
    attention = 4 * width * ((TOKENS + 1) / 2 + text_tokens)
    step = rows * layers * (2 * matrices + attention) + PICTURES * 2 * width * config.image_vocab_size
    read = (text_tokens + 2) * config.encoder_layers * 2 * (4 * width**2 + 3 * width * hidden)
    keys = (text_tokens + 2) * layers * 2 * 2 * width**2
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        VQGAN(VQGANConfig()).decode(torch.zeros(1, TOKENS, dtype=torch.int64))
    codec = PICTURES * counter.get_total_flops()
    return {"encode": (read + keys) / 1e9, "tokens": TOKENS * step / 1e9, "codec": codec / 1e9}


def grid(engine: Any, *, partials: bool, tokens: int) -> dict[str, Any]:
    """Draw a grid, or its first `tokens` tokens, and say what took how long."""
    from nonet.engine import DrawRequest, Progress

    request = DrawRequest(prompt=PROMPT, count=PICTURES, seed=1)
    phases = Phases()
    began = clock()
    with phases.measured(), engine.submit(request, partials=partials) as stream:
        for event in stream:
            if isinstance(event, Progress) and event.tokens_done >= tokens < TOKENS:
                break
    whole = clock() - began
    return {"seconds": whole, "phases": phases.spent, "calls": phases.calls}


def ours(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    import nonet
    from nonet.engine import Engine
    from nonet.engine.painting import Painter
    from nonet.threads import apart

    limit = apart(large_product)  # as everything else that takes torch's helpers, see `apart`
    began = clock()
    model = nonet.load(folder / "ours", dtype=options.dtype, device="cpu")
    loading = clock() - began
    weights = sum(p.nbytes for part in (model.seq2seq, model.codec) for p in part.parameters())
    loaded = {"load": loading, "load_megabytes": peak_megabytes()}
    tokens = 32 if options.quick else TOKENS
    with Engine(model, low_memory=options.low_memory) as engine:
        grid(engine, partials=False, tokens=16)
        plain = grid(engine, partials=False, tokens=tokens)
        shown = None if options.quick or options.cpu else grid(engine, partials=True, tokens=TOKENS)
    spent = plain["phases"]
    scaled = {"encode": spent["encode"], "tokens": spent["tokens"] * TOKENS / plain["calls"]["tokens"]}
    scaled["sampling"] = spent["sampling"] * TOKENS / plain["calls"]["sampling"]
    scaled["codec"] = spent.get("codec", 0.0)
    if options.quick:
        painter = Painter(model, low_memory=options.low_memory)
        codes_PT = torch.randint(16384, (painter.batch, TOKENS))
        with torch.inference_mode():
            scaled["codec"] = seconds(lambda: painter.finished(codes_PT)) * PICTURES / painter.batch
    total = scaled["encode"] + scaled["tokens"] + scaled["codec"] if options.quick else plain["seconds"]
    text_tokens = model.text.tokens([PROMPT]).ids.shape[1]  # type: ignore[attr-defined]
    work = arithmetic(text_tokens, model.config)
    return {
        "dtype": f"{str(model.dtype).removeprefix('torch.')}, weights {model.decoder.weights_as}",
        "weights_megabytes": weights / 2**20,
        **loaded,
        "limit_gflops": limit,
        "seconds": total,
        "seconds_with_partials": None if shown is None else shown["seconds"],
        "phases": scaled,
        "gflop": work,
        "share_of_limit": {name: work[name] / limit / scaled[name] for name in work},
        "peak_megabytes": peak_megabytes(),
        "per_token_ms": 1000 * scaled["tokens"] / TOKENS,
    }


def theirs(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    package: Any = importlib.import_module("min_dalle.min_dalle")

    # Its constructor asks the network for a file that it does not use.
    package.requests = types.SimpleNamespace(get=lambda url: None)
    torch.set_num_threads(options.threads)
    model = package.MinDalle(str(folder / "theirs"), is_mega=False, dtype=torch.float32, is_verbose=False)
    words = model.tokenizer.tokenize(PROMPT)
    ids = torch.ones(2, 64, dtype=torch.int64)
    ids[0, :2] = torch.tensor([words[0], words[-1]])
    ids[1, : len(words)] = torch.tensor(words)
    model.encoder(ids)
    began = clock()
    states = model.encoder(ids)
    encode = clock() - began
    rows = [0] * PICTURES + [1] * PICTURES
    cache = torch.zeros(12, 4 * PICTURES, TOKENS, 1024)
    fed = torch.full((PICTURES, 1), 2**14 - 1)
    settings = torch.tensor([1.0, TOP_K, SCALE])
    times = []
    for position in range(options.their_tokens + 1):
        began = clock()
        drawn, cache = model.decoder.sample_tokens(
            settings=settings,
            attention_mask=ids[rows].not_equal(1)[:, None, None, :],
            encoder_state=states[rows],
            attention_state=cache,
            prev_tokens=fed,
            token_index=torch.tensor([position]),
        )
        times.append(clock() - began)
        fed = drawn[:, None]
    token = sum(times[1:]) / options.their_tokens
    count = 1 if options.quick else PICTURES
    codes = torch.randint(16384, (count, TOKENS))
    codec = seconds(lambda: model.detokenizer(False, codes)) * PICTURES / count
    return {
        "seconds": encode + TOKENS * token + codec,
        "phases": {"encode": encode, "tokens": TOKENS * token, "codec": codec},
        "tokens_timed": options.their_tokens,
        "pictures_decoded": count,
        "peak_megabytes": peak_megabytes(),
    }


def child(part: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run a part of this file in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), "--dtype", options.dtype]
    command += ["--threads", str(options.threads), "--their-tokens", str(options.their_tokens)]
    command += ["--quick"] * options.quick + ["--low-memory"] * options.low_memory + ["--cpu"] * options.cpu
    command += ["--mega"] * options.mega
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def table(result: dict[str, Any]) -> str:
    """The result as people read it."""
    mine, other = result["ours"], result.get("theirs")
    lines = [
        f"{'':10}{'ours':>10}{'limit':>10}{'share':>8}" + (f"{'min-dalle':>12}{'times':>8}" if other else "")
    ]
    for name in ("encode", "tokens", "codec"):
        spent, limit = mine["phases"][name], mine["gflop"][name] / mine["limit_gflops"]
        line = f"{name:10}{spent:9.2f}s{limit:9.2f}s{limit / spent:8.0%}"
        lines.append(
            line + (f"{other['phases'][name]:11.1f}s{other['phases'][name] / spent:8.1f}" if other else "")
        )
    line = f"{'a grid':10}{mine['seconds']:9.2f}s{'':18}"
    lines.append(
        line + (f"{other['seconds']:11.1f}s{other['seconds'] / mine['seconds']:8.1f}" if other else "")
    )
    if mine["seconds_with_partials"]:
        lines.append(f"with partial pictures {mine['seconds_with_partials']:.2f} s")
    lines.append(
        f"sampling {mine['phases']['sampling']:.2f} s of the tokens; a token {mine['per_token_ms']:.1f} ms"
    )
    lines.append(
        f"{mine['dtype']}, limit {mine['limit_gflops']:.0f} GFLOP/s, {mine['peak_megabytes'] or 0:.0f} MB"
    )
    lines.append(
        f"loaded in {mine['load']:.0f} s, with {mine['load_megabytes'] or 0:.0f} MB at most, "
        f"of it weights {mine['weights_megabytes']:.0f}"
    )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="How fast DALL-E Mini draws on a processor.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="auto", help="of ours, as nonet.load takes it")
    parser.add_argument("--low-memory", action="store_true")
    parser.add_argument("--mega", action="store_true", help="Mega's sizes, without min-dalle")
    parser.add_argument(
        "--their-tokens", type=int, default=6, help="steps of min-dalle's to time; 0: leave it out"
    )
    parser.add_argument("--quick", action="store_true", help="some tokens and pictures, scaled")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="processor time instead of the clock's, for a busy computer, with --threads 1",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--part", choices=("forge", "ours", "theirs"), help=argparse.SUPPRESS)
    parser.add_argument(
        "--folder", type=Path, help="keep the forged weights here, and use those that are there"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.part == "forge":
        sys.stdout.write(json.dumps(forge(options.folder, mega=options.mega)) + "\n")
    elif options.part is not None:
        measured = {"ours": ours, "theirs": theirs}[options.part](options.folder, options)
        sys.stdout.write(json.dumps(measured) + "\n")
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.folder or Path(temporary)
            if not (folder / "ours").is_dir():
                child("forge", folder, options)
            result: dict[str, Any] = {"threads": options.threads, "quick": options.quick}
            result["ours"] = child("ours", folder, options)
            if options.their_tokens and not options.mega:
                result["theirs"] = child("theirs", folder, options)
                result["times_faster"] = result["theirs"]["seconds"] / result["ours"]["seconds"]
        sys.stdout.write(json.dumps(result) + "\n" if options.json else table(result))


if __name__ == "__main__":
    main()
