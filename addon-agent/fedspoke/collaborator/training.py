"""One cluster's training: LoRA on a LLaVA's language model, in a process that keeps the model loaded between rounds.

The loop is our own, which is the less code to own. A round is a few steps from one adapter to the next, and most of what it is
made of `transformers.Trainer` does not have: batches of one kind of post, FedProx's pull, a learning rate that falls over several
trainings, clipping and noise on the result, smaller parts of the same step where memory is short (`auto_find_batch_size` starts
the training over with another batch). What it has we would have to work around: checkpoints are folders of pickles that know
nothing of our rounds, taken by steps and not by time, and data set, collator and callbacks have to be classes of its own. What
is left is a loop of twenty lines over parts of a page each: the order of posts (plan.py), the learning rate (schedule.py), the
optimiser (descent.py), forward passes (passes.py) within memory (memory.py), the checkpoint (checkpoint.py), and what leaves
the cluster (privacy.py).
"""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from fedspoke.api import files
from fedspoke.api.adapter import peft_config
from fedspoke.api.aggregation import Aggregation
from fedspoke.api.errors import Final, Refused
from fedspoke.api.federated_learning import Object, Training
from fedspoke.api.records import Tensor
from fedspoke.collaborator import adapters, plan
from fedspoke.collaborator.batches import Collator, Example
from fedspoke.collaborator.checkpoint import Checkpoints, State
from fedspoke.collaborator.descent import Descent, pull
from fedspoke.collaborator.model import Source, load
from fedspoke.collaborator.passes import Passes, supervised
from fedspoke.collaborator.privacy import Gaussian
from fedspoke.collaborator.schedule import share
from fedspoke.collaborator.visual import Tower
from fedspoke.collaborator.wanted import StillWanted, always
from fedspoke.data.records import CleanRecord
from fedspoke.data.sealed import PLAIN, Store

_log = logging.getLogger(__name__)

_AVERAGED = Aggregation()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round's training did.

    Attributes:
        examples: The posts it was given. They are what FedAvg weights its adapter by, however many of them `training.steps` let
            the round see: the adapter stands for all of the data set, each round for other posts of it.
        loss: Mean per supervised token over all steps.
        seconds: Wall time, that before an interruption included.
    """

    examples: int
    loss: float
    seconds: float


class Trainer:
    """A LLaVA with a LoRA adapter, ready for the next round."""

    def __init__(  # noqa: PLR0913  what one training is made of
        self,
        model: str,
        training: Training,
        source: Source = load,
        *,
        rounds: int = 1,
        aggregation: Aggregation = _AVERAGED,
        hide: Gaussian | None = None,
        checkpoints: Checkpoints | None = None,
        store: Store = PLAIN,
    ) -> None:
        """Load the model.

        Args:
            model: A folder, or a name on the model hub.
            training: With this cluster's own rank.
            source: Where models are: it takes the name and the quantization.
            rounds: Of the federation; the learning rate falls over all of them.
            aggregation: fedprox and ffa change what a cluster trains.
            hide: What is done to a trained adapter before it is written; None: nothing.
            checkpoints: Where a round goes on that was interrupted; None: it starts over.
            store: Where photos are read from.

        Raises:
            Refused: the model cannot be used, or training asks for what is not there.
        """
        processor, base = source(model, training.quantization)
        self._training, self._rounds, self._aggregation = training, rounds, aggregation
        self._hide, self._checkpoints = hide, checkpoints
        self._processor, self._store = processor, store
        self._collator = Collator(processor, training.max_length, training.images, store)
        self._model = _with_adapter(base, peft_config(training.lora, model), projector=training.lora.projector)
        if aggregation.lora == "ffa":
            for name, value in self._model.named_parameters():
                if ".lora_A." in name:
                    value.requires_grad_(False)
        self._model.eval()
        self._passes = Passes(self._model, self._collator, processor.tokenizer, base.dtype, training.batch_size)

    def layout(self) -> tuple[Tensor, ...]:
        """The adapter's tensors, sorted by name."""
        return adapters.layout(self._model)

    def key(self, records: Sequence[CleanRecord], start: Path, round: int) -> str:  # noqa: A002  the field's word
        """What a round's training depends on, as a digest: two of one key end in the same adapter, but for noise."""
        posts = [(record.id, record.image, record.images) for record in records]
        privacy = self._hide.privacy if self._hide else None
        on = (round, self._rounds, files.sha256(start), posts, self._training, self._aggregation, privacy)
        return hashlib.sha256(repr(on).encode()).hexdigest()

    def tower(self, still_wanted: StillWanted = always) -> Tower:
        """The frozen vision tower, for visual profiles."""
        tower = self._model.get_base_model().model.vision_tower
        return Tower(self._processor.image_processor, tower, still_wanted, self._store)

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

        What `progress` raises ends the training, which goes on from there another time.

        Same data, adapter, settings and round: same result, interrupted or not. (On a GPU up to the order in which its kernels
        add, which differs in the last bits.) Under ffa the result holds the lora_B alone.

        Raises:
            Refused: there are no records, or `start` does not fit the model.
            Failed: an image cannot be read.
            Final: loss, gradient or a value of the result is not finite, or one post does not fit in memory.
        """
        began = time.monotonic()
        examples = self._examples(records, images)
        adapters.load(self._model, start)
        descent = Descent(adapters.learned(self._model), self._training, pull(self._aggregation))
        state = self._restored(self.key(records, start, round), descent)
        earlier = state.seconds
        steps = plan.steps(examples, self._training)
        if state.step:
            _log.info("round %d: goes on after step %d of %d", round, state.step, steps)
        with torch.random.fork_rng(), _learning(self._model):
            for batches in islice(plan.batches(examples, self._training, round), state.step, None):
                step = state.step + 1
                rate = share(self._training.schedule, self._training.warmup, (round - 1) * steps + step, self._rounds * steps)
                loss, taken = self._step(descent, batches, plan.seed(self._training.seed, round, step), rate)
                if not taken:
                    raise Final(
                        f"training diverged in round {round}, step {step} of {steps}: the loss is {loss:.4g}; "
                        f"try a training.learningRate below {self._training.learning_rate:g}"
                    )
                state = self._after(state, loss, supervised(batches), earlier + time.monotonic() - began)
                with self._kept(state, descent):
                    progress(step, steps, loss)
        trained = descent.parameters
        adapters.save(self._hide(adapters.read(start), trained) if self._hide else trained, result)
        return Outcome(examples=len(examples), loss=state.loss / state.tokens, seconds=earlier + time.monotonic() - began)

    def loss(
        self, records: Sequence[CleanRecord], images: Path, adapter: Path | None, still_wanted: StillWanted = always
    ) -> float:
        """Mean loss per supervised token without training; adapter None is the base model.

        Raises:
            Refused: there are no records, or the adapter does not fit the model.
            Final: it is not finite, or one post does not fit in memory.
        """
        with self._using(adapter):
            loss = self._passes.loss(self._examples(records, images), still_wanted)
        if not math.isfinite(loss):
            which = "with the adapter" if adapter else "of the base model"
            mend = "lower training.learningRate, or the noise of privacy.adapters" if adapter else "get the model again"
            raise Final(f"the loss {which} is {loss:.4g} on {len(records)} posts; {mend}")
        return loss

    def captions(
        self, records: Sequence[CleanRecord], images: Path, adapter: Path | None, still_wanted: StillWanted = always
    ) -> list[str]:
        """What the model would write for each record, greedily; the records' own texts play no part."""
        with self._using(adapter):
            written = self._passes.captions(self._examples(records, images), still_wanted)
        return [written[record.id] for record in records]

    def _examples(self, records: Sequence[CleanRecord], images: Path) -> list[Example]:
        if not records:
            raise Refused("there are no records to train or measure on; clean an export that holds posts first")
        return [self._collator.example(record, images) for record in records]

    def _step(self, descent: Descent, batches: list[list[Example]], seed: int, rate: float) -> tuple[float, bool]:
        """One step's loss, and whether the step was taken: not where loss or gradient is not finite."""

        def attempt(posts: int) -> tuple[float, bool]:
            loss = self._passes.gradients(batches, posts, seed)
            return loss, math.isfinite(loss) and descent.step(rate)

        return self._passes.memory.fit(attempt)

    def _restored(self, key: str, descent: Descent) -> State:
        """Where the training of this key is: at its beginning, or where it was interrupted."""
        state = self._checkpoints.restore(key, descent) if self._checkpoints else None
        if state is None:
            return State(key=key)
        self._passes.memory.at_most(state.posts, checkpointing=state.checkpointing)
        return state

    def _after(self, state: State, loss: float, tokens: int, seconds: float) -> State:
        """The state one step later."""
        memory = self._passes.memory
        return State(
            key=state.key,
            step=state.step + 1,
            loss=state.loss + loss * tokens,
            tokens=state.tokens + tokens,
            seconds=seconds,
            posts=memory.posts,
            checkpointing=memory.checkpointing,
        )

    @contextmanager
    def _kept(self, state: State, descent: Descent) -> Iterator[None]:
        """Between two steps: a checkpoint where it is time for one, or where whoever hears of the step ends the training."""
        due = self._checkpoints is not None and self._checkpoints.due()
        if self._checkpoints and due:
            self._checkpoints.save(state, descent)
        try:
            yield
        except BaseException:
            if self._checkpoints and not due:
                self._checkpoints.save(state, descent)
            raise

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
