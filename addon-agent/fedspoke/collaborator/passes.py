"""What a LLaVA makes of posts: gradients, losses, captions, in forward passes as large as memory allows.

The adapter's weights, gradients and moments are fp32 whatever the base model is, as PEFT has them by itself: bf16 has 8 bits, and
would lose an update of a thousandth of a weight whole. Over a bf16 model autocast makes the products bf16 nevertheless: without
it an fp32 copy of each layer's input would be kept for the backward pass.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft import PeftModel

from fedspoke.collaborator.batches import Collator, Example, in_batches
from fedspoke.collaborator.memory import Memory, parts
from fedspoke.collaborator.model import recompute_activations
from fedspoke.collaborator.wanted import StillWanted

_LONGEST_CAPTION = 128  # tokens


class Passes:
    """One model's forward passes (and backward ones); the adapter that it has is the caller's affair."""

    def __init__(self, model: PeftModel, collator: Collator, tokenizer: Any, dtype: torch.dtype, posts: int) -> None:
        """`dtype` is the base model's; `posts` of a forward pass, at first."""
        self._model = model
        self._collator = collator
        self._tokenizer = tokenizer
        self._dtype, self._device = dtype, model.device
        self._posts = posts
        self._measuring = Memory(posts, "to measure a loss on posts")
        self._writing = Memory(posts, "to write captions of posts")
        self.memory = Memory(posts, "to train on posts", lambda: recompute_activations(model.get_base_model()))

    def gradients(self, batches: Sequence[Sequence[Example]], posts: int, seed: int) -> float:
        """Leave one step's gradients in the model; its loss is the mean over all supervised tokens of all its batches.

        The gradient is that of this mean, so that a long caption counts as many tokens as it has, however posts are batched, and
        however few `posts` a forward pass has.
        """
        self._model.zero_grad()
        torch.manual_seed(seed)  # what dropout drops
        tokens, loss = supervised(batches), 0.0
        for batch in batches:
            for part in parts(batch, posts):
                mean = self._loss(part, tokens)
                torch.autograd.backward(mean)
                loss += mean.item()
        return loss

    def loss(self, examples: Sequence[Example], still_wanted: StillWanted) -> float:
        """Mean per supervised token, nothing learned."""

        def measure(part: Sequence[Example]) -> float:
            still_wanted()
            return float(self._loss(part, 1))

        batches = in_batches(examples, self._posts)
        with torch.inference_mode():
            return sum(_parted(self._measuring, batch, measure) for batch in batches) / supervised(batches)

    def captions(self, examples: Sequence[Example], still_wanted: StillWanted) -> dict[str, str]:
        """What the model would write for each post, greedily, by the post's id; its own text plays no part."""
        written: dict[str, str] = {}

        def write(part: Sequence[Example]) -> float:
            still_wanted()
            prompts = self._placed(self._collator.prompts(part))
            with self._autocast():
                tokens = self._model.generate(
                    **prompts,
                    max_new_tokens=_LONGEST_CAPTION,
                    do_sample=False,
                    eos_token_id=self._tokenizer.eos_token_id,
                    pad_token_id=self._tokenizer.eos_token_id,
                )
            answers = self._tokenizer.batch_decode(tokens[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
            written.update({example.id: answer.strip() for example, answer in zip(part, answers, strict=True)})
            return 0.0

        with torch.inference_mode():
            for batch in in_batches(examples, self._posts):
                _parted(self._writing, batch, write)
        return written

    def _loss(self, examples: Sequence[Example], tokens: int) -> torch.Tensor:
        """The sum over supervised tokens, divided by `tokens`."""
        inputs = self._placed(self._collator.batch(examples).inputs)
        with self._autocast():
            loss: torch.Tensor = self._model(**inputs, num_items_in_batch=tokens).loss
        return loss

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._dtype is torch.bfloat16)

    def _placed(self, inputs: dict[str, Any]) -> dict[str, Any]:
        placed = {name: value.to(self._device) if torch.is_tensor(value) else value for name, value in inputs.items()}
        if "pixel_values" in placed:
            placed["pixel_values"] = placed["pixel_values"].to(self._dtype)
        return placed


def _parted(memory: Memory, batch: Sequence[Example], work: Callable[[Sequence[Example]], float]) -> float:
    return memory.fit(lambda posts: sum(work(part) for part in parts(batch, posts)))


def supervised(batches: Sequence[Sequence[Example]]) -> int:
    """How many tokens are learned."""
    return sum(len(example.answer) for batch in batches for example in batch)
