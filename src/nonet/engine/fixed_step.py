"""One token of a block with fixed shapes and in fixed memory, so that a GPU can play it back as one graph.

A step of the decoder is some hundreds of small kernels. To start them one by one takes longer than a GPU needs for what
they do: it reads Mega's weights in a millisecond. As a CUDA graph the whole step, from the token that is fed to the one
that is chosen, is started at once, and nothing in it waits for the processor.

Fixed shapes mean that attention always goes over all positions, those to come being masked, and over texts that are
filled up to the longest. That is more work than the plain step has, so it is only done where graphs are.
Models with a picture memory draw by the plain step: they are small, and their hints have other shapes.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor
from torch.nn import functional as F

from nonet.engine.block import Block
from nonet.engine.needs import DrawingModel
from nonet.engine.sampling import Sampling, sample
from nonet.model.cache import KVCache
from nonet.model.seq2seq import ImageDecoder

SPARE = 2
"""Steps that are kept for later requests: recording one takes as long as some dozen tokens."""

Key = tuple[int, bool, Sampling]

_log = logging.getLogger(__name__)


class FixedStep:
    """The memory of one block, and the step in it; used for one block after another.

    Attributes:
        cache: keys and values of the block's rows.
        tokens_PT, healthy_P: the block's own, as long as it has this step.
    """

    def __init__(self, model: DrawingModel, pictures: int, *, guided: bool, sampling: Sampling) -> None:
        decoder = model.decoder
        config, weight = decoder.config, decoder.lm_head.weight
        self.key: Key = (pictures, guided, sampling)
        self.codes = model.codebook_size
        groups = 2 if guided else 1
        rows, length = groups * pictures, model.image_length
        self._decoder = decoder
        self._graph: torch.cuda.CUDAGraph | None = None
        self._plain = not weight.is_cuda
        self.cache: KVCache = decoder.new_cache(rows)
        device = weight.device
        self.tokens_PT = torch.zeros(pictures, length, dtype=torch.int64, device=device)
        self.healthy_P = torch.ones(pictures, dtype=torch.bool, device=device)
        self._fed_R = torch.zeros(rows, dtype=torch.int64, device=device)
        self._at = -1
        self._position_1 = torch.zeros(1, dtype=torch.int64, device=device)
        self._places_T = torch.arange(length, device=device)
        self._keys_PT = torch.zeros(pictures, length, dtype=torch.int64, device=device)
        self._guidance = torch.ones((), device=device)
        heads = decoder.heads
        size = (config.decoder_layers, groups, heads, config.max_text_length, config.d_model // heads)
        self._k, self._v = (torch.zeros(size, dtype=weight.dtype, device=device) for _ in range(2))
        self._text_bias = torch.zeros(groups, 1, 1, config.max_text_length, dtype=weight.dtype, device=device)

    def begin(self, block: Block) -> None:
        """Draw this block from now on; it has no token yet."""
        job = block.job
        assert job.conditional is not None
        contexts = [job.conditional] if job.unconditional is None else [job.conditional, job.unconditional]
        self._text_bias.fill_(float("-inf"))
        for group, context in enumerate(contexts):
            count = context[0][0].shape[2]
            self._text_bias[group, :, :, :count] = 0.0
            for layer, (k, v) in enumerate(context):
                self._k[layer, group, :, :count] = k[0]
                self._v[layer, group, :, :count] = v[0]
        # What lies at positions to come is multiplied by 0, which numbers that are not finite would not bear.
        self.cache.kv.zero_()
        self._keys_PT.copy_(block.keys_PT)
        self._at = -1
        self._guidance.fill_(job.request.guidance or 0.0)
        self.healthy_P.fill_(True)
        self.tokens_PT.zero_()
        block.tokens_PT, block.healthy_P = self.tokens_PT, self.healthy_P
        block.fixed = self

    def draw(self, block: Block) -> None:
        """Draw the next token of its block. Also after tokens that were drawn by the plain step."""
        self._position_1.fill_(block.done)
        if self._at != block.done:
            (stretch,) = block.stretches()
            self._fed_R.copy_(stretch.fed_X)
        if self._graph is None and not self._plain:
            self._record()
        if self._graph is not None:
            self._graph.replay()
        else:
            self._step()
        block.drawn = [drawn + 1 for drawn in block.drawn]
        self._at = block.done

    def _record(self) -> None:
        """Record the step as a graph; where that cannot be done, it is done plainly from now on."""
        fed_R, healthy_P = self._fed_R.clone(), self.healthy_P.clone()
        try:
            # Libraries choose their ways in the first runs, which must not be recorded.
            other = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            other.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(other):
                for _ in range(2):
                    self._fed_R.copy_(fed_R)
                    self._step()
            torch.cuda.current_stream().wait_stream(other)
            graph = torch.cuda.CUDAGraph()
            # Other threads, of other models, may take memory meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._step()
            self._graph = graph
        except RuntimeError as error:
            _log.warning("the step cannot be recorded as a graph (%s); drawing goes on without", error)
            self._plain = True
        # Recording has run the step, at this very position, where it is run again now.
        self._fed_R.copy_(fed_R)
        self.healthy_P.copy_(healthy_P)

    def _step(self) -> None:
        decoder, at_1 = self._decoder, self._position_1
        pictures, guided, sampling = self.key
        states_RD = self._states(decoder, at_1)
        states_PD = states_RD[:pictures]
        if guided:
            difference_PD = states_PD.float() - states_RD[pictures:].float()
            states_PD = states_RD[pictures:] + (self._guidance * difference_PD).to(states_RD.dtype)
        logits_PV = decoder.lm_head(states_PD)[:, : self.codes].float()
        self.healthy_P.logical_and_(logits_PV.sum(1).isfinite())
        chosen_P = sample(logits_PV, self._keys_PT.index_select(1, at_1)[:, 0], sampling)
        self.tokens_PT.index_copy_(1, at_1, chosen_P[:, None])
        self._fed_R.copy_(chosen_P.repeat(2) if guided else chosen_P)

    def _states(self, decoder: ImageDecoder, at_1: Tensor) -> Tensor:
        """`step_states` at a position that is a number on the device."""
        x = F.embedding(self._fed_R, decoder.embed_tokens.weight)
        x = decoder.layernorm_embedding(x + decoder.embed_positions.weight.index_select(0, at_1))
        R, D = x.shape
        heads, groups = decoder.heads, self._k.shape[1]
        bias_T = torch.zeros_like(self._places_T, dtype=x.dtype)
        bias_111T = bias_T.masked_fill_(self._places_T > at_1, float("-inf"))[None, None, None]
        for number, layer in enumerate(decoder.decoder_layers()):
            qkv = layer.self_attn.qkv(layer.self_attn_pre(x)).view(R, 3, heads, 1, D // heads)
            kv_2RHTE = self.cache.kv[number]
            kv_2RHTE.index_copy_(3, at_1, qkv[:, 1:].transpose(0, 1))
            k, v = kv_2RHTE
            seen = F.scaled_dot_product_attention(qkv[:, 0], k, v, attn_mask=bias_111T)
            x = x + layer.self_attn_post(layer.self_attn.out(seen.reshape(R, D)))
            q = layer.cross_attn.q(layer.cross_attn_pre(x)).view(groups, R // groups, heads, D // heads)
            seen = F.scaled_dot_product_attention(
                q.transpose(1, 2), self._k[number], self._v[number], attn_mask=self._text_bias
            )
            x = x + layer.cross_attn_post(layer.cross_attn.out(seen.transpose(1, 2).reshape(R, D)))
            x = x + layer.glu(x)
        states: Tensor = decoder.final_norm(x)
        return states


class FixedSteps:
    """Fixed steps of one model: made when they are needed, and kept for the next request of the same kind."""

    def __init__(self, model: DrawingModel) -> None:
        self._model = model
        self._spare: list[FixedStep] = []

    @staticmethod
    def serve(decoder: ImageDecoder) -> bool:
        """Whether this decoder can be drawn with so."""
        return decoder.hint is None and decoder.copies is None

    def take(self, pictures: int, *, guided: bool, sampling: Sampling) -> FixedStep:
        """A step for so many pictures."""
        for index, step in enumerate(self._spare):
            if step.key == (pictures, guided, sampling):
                return self._spare.pop(index)
        return FixedStep(self._model, pictures, guided=guided, sampling=sampling)

    def give_back(self, step: FixedStep) -> None:
        """Keep a step for later."""
        self._spare.append(step)
        del self._spare[:-SPARE]
