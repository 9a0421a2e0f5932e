"""One cluster's training: LoRA on a LLaVA's language model, in a process that keeps the model loaded between rounds.

The loop is our own: a round is a few steps from a given adapter to the next one, and what `transformers.Trainer` adds (schedules,
checkpoints, logging, resuming) has no place in it. The learning rate is constant and the optimiser starts anew each round, as the
adapter that a round starts from is the mean of the clusters' and no longer what the moments were measured on.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from fedspoke.api.adapter import peft_config
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import Object, Training
from fedspoke.api.records import Tensor
from fedspoke.collaborator import adapters
from fedspoke.collaborator.batches import Batch, Collator, Example, epochs, in_batches
from fedspoke.collaborator.model import Source, load
from fedspoke.data.records import CleanRecord

_LONGEST_CAPTION = 128  # tokens


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round's training did.

    Attributes:
        examples: The cluster's posts. They are what FedAvg weights its adapter by, however many of them `training.steps` let
            the round see: the adapter stands for all of the data set, each round for other posts of it.
        loss: Mean per supervised token over all steps.
        seconds: Wall time.
    """

    examples: int
    loss: float
    seconds: float


class Trainer:
    """A LLaVA with a LoRA adapter, ready for the next round."""

    def __init__(self, model: str, training: Training, source: Source = load) -> None:
        """Load the model from where models are.

        Raises:
            Refused: the model cannot be used, or training asks for what is not there.
        """
        processor, base = source(model, training.quantization)
        self._training = training
        self._tokenizer = processor.tokenizer
        self._collator = Collator(processor, training.max_length, training.images)
        self._dtype, self._device = base.dtype, base.device
        self._model = _with_adapter(base, peft_config(training.lora, model), projector=training.lora.projector)
        self._model.eval()

    def layout(self) -> tuple[Tensor, ...]:
        """The adapter's tensors, sorted by name."""
        return adapters.layout(self._model)

    def train(
        self,
        records: Sequence[CleanRecord],
        images: Path,
        start: Path,
        result: Path,
        round: int,  # noqa: A002  the field's word
        progress: Callable[[int, int, float], None],
    ) -> Outcome:
        """Train from the adapter in `start` to the one in `result`; `progress` hears (step, steps, loss) after each step.

        Gradients are weighted by supervised token, over all batches of a step. Same data, adapter and round: same result.

        Raises:
            Refused: there are no records, or `start` does not fit the model.
            Failed: loss or gradient stopped being finite, or an image cannot be read.
        """
        began = time.monotonic()
        examples = self._examples(records, images)
        adapters.load(self._model, start)
        parameters = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self._training.learning_rate, weight_decay=0.0)
        steps = self._steps(examples)
        loss_sum, token_sum = 0.0, 0
        with torch.random.fork_rng(), _learning(self._model):
            torch.manual_seed(round)  # LoRA's dropout
            for step, batches in enumerate(islice(self._plan(examples, round), steps), 1):
                loss, tokens = self._accumulate([self._collator.batch(batch) for batch in batches])
                norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                if not math.isfinite(loss) or not norm.isfinite():
                    raise Failed(
                        f"training diverged in round {round}, step {step} of {steps}: the loss is {loss:.4g}; "
                        f"try a training.learningRate below {self._training.learning_rate:g}"
                    )
                optimizer.step()
                optimizer.zero_grad()
                loss_sum, token_sum = loss_sum + loss * tokens, token_sum + tokens
                progress(step, steps, loss)
        adapters.save(self._model, result)
        return Outcome(examples=len(examples), loss=loss_sum / token_sum, seconds=time.monotonic() - began)

    def loss(self, records: Sequence[CleanRecord], images: Path, adapter: Path | None) -> float:
        """Mean loss per supervised token without training; adapter None is the base model.

        Raises:
            Refused: there are no records, or the adapter does not fit the model.
        """
        examples = self._examples(records, images)
        batches = (self._collator.batch(batch) for batch in in_batches(examples, self._training.batch_size))
        loss_sum, token_sum = 0.0, 0
        with self._using(adapter), torch.inference_mode():
            for batch in batches:
                loss_sum += float(self._model(**self._placed(batch.inputs), num_items_in_batch=1).loss)
                token_sum += batch.tokens
        return loss_sum / token_sum

    def captions(self, records: Sequence[CleanRecord], images: Path, adapter: Path | None) -> list[str]:
        """What the model would write for each record, greedily; the records' own texts play no part.

        No step of a federation asks for it: it is how one sees, and a test proves, that captions were learned.
        """
        written: dict[str, str] = {}
        batches = in_batches(self._examples(records, images), self._training.batch_size)
        with self._using(adapter), torch.inference_mode():
            for batch in batches:
                prompts = self._placed(self._collator.prompts(batch))
                tokens = self._model.generate(
                    **prompts,
                    max_new_tokens=_LONGEST_CAPTION,
                    do_sample=False,
                    eos_token_id=self._tokenizer.eos_token_id,
                    pad_token_id=self._tokenizer.eos_token_id,
                )
                answers = self._tokenizer.batch_decode(tokens[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
                written |= {example.id: answer.strip() for example, answer in zip(batch, answers, strict=True)}
        return [written[record.id] for record in records]

    def _examples(self, records: Sequence[CleanRecord], images: Path) -> list[Example]:
        if not records:
            raise Refused("there are no records to train or measure on; clean an export that holds posts first")
        return [self._collator.example(record, images) for record in records]

    def _steps(self, examples: Sequence[Example]) -> int:
        batches = len(in_batches(examples, self._training.batch_size))
        return self._training.steps or self._training.epochs * math.ceil(batches / self._training.gradient_accumulation)

    def _plan(self, examples: Sequence[Example], seed: int) -> Iterator[list[list[Example]]]:
        """The batches of each optimiser step, without end; the last step of an epoch may have fewer."""
        size = self._training.gradient_accumulation
        for batches in epochs(examples, self._training.batch_size, torch.Generator().manual_seed(seed)):
            for start in range(0, len(batches), size):
                yield batches[start : start + size]

    def _accumulate(self, batches: Sequence[Batch]) -> tuple[float, int]:
        """Add the step's gradients; its loss is the mean over all supervised tokens of all its batches."""
        tokens = sum(batch.tokens for batch in batches)
        loss = 0.0
        for batch in batches:
            part = self._model(**self._placed(batch.inputs), num_items_in_batch=tokens).loss
            part.backward()
            loss += part.item()
        return loss, tokens

    def _placed(self, inputs: dict[str, Any]) -> dict[str, Any]:
        placed = {name: value.to(self._device) if torch.is_tensor(value) else value for name, value in inputs.items()}
        if "pixel_values" in placed:
            placed["pixel_values"] = placed["pixel_values"].to(self._dtype)
        return placed

    @contextmanager
    def _using(self, adapter: Path | None) -> Iterator[None]:
        if adapter is None:
            with self._model.disable_adapter():
                yield
        else:
            adapters.load(self._model, adapter)
            yield


def _with_adapter(base: torch.nn.Module, config: Object, *, projector: bool) -> PeftModel:
    """Add the adapter to the linear layers of the language model, and of the projector if that is wanted, and to nothing else."""
    name = config["base_model_name_or_path"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            model = get_peft_model(base, LoraConfig(**config | {"inference_mode": False}))
        except ValueError as error:
            raise Refused(
                f"{name} has no language model with linear layers named as Llama's, which are what is trained"
            ) from error
    names = [tensor.name for tensor in adapters.layout(model)]
    for tensor in names:
        if "vision_tower" in tensor or ("projector" in tensor and not projector):
            raise Refused(f"{name} would be trained outside its language model, at {tensor}")
    if projector and not any("projector" in tensor for tensor in names):
        raise Refused(f"{name} has no projector with linear layers named as LLaVA's; leave training.lora.projector out")
    return model


@contextmanager
def _learning(model: PeftModel) -> Iterator[None]:
    """Dropout on, and no gradients kept after the last step: they would fill the GPU until the next round."""
    model.train()
    try:
        yield
    finally:
        model.zero_grad()
        model.eval()
