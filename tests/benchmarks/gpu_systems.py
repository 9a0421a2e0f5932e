"""The three that are measured, each as its users would run it, over the same model, posts and settings."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import save_file
from transformers import Trainer as HuggingFaceTrainer
from transformers import TrainerCallback, TrainingArguments

from benchmarks import gpu_model
from benchmarks.gpu_report import BATCH, Case
from fedspoke.api.adapter import peft_config
from fedspoke.api.federated_learning import Lora, Training
from fedspoke.collaborator.batches import INSTRUCTION
from fedspoke.collaborator.model import Source
from fedspoke.collaborator.training import Trainer

_WARM = 3  # steps in which memory is allocated and kernels are chosen
_ENDLESS = 10**6  # steps; the stopwatch ends it
_LORA = Lora(rank=16, alpha=32)


class Enough(Exception):
    """The time is over."""


class Stopwatch:
    """Steps per second and peak memory, from the end of the last warm step on."""

    def __init__(self, seconds: float, device: torch.device) -> None:
        self._seconds = seconds
        self._cuda = device.type == "cuda"
        self._steps = 0
        self._began = self.rate = 0.0
        self.peak: float | None = None

    def step(self) -> bool:
        """A step has ended; whether it was the last."""
        self._steps += 1
        if self._steps == _WARM:
            self._wait()
            if self._cuda:
                torch.cuda.reset_peak_memory_stats()
            self._began = time.perf_counter()
        if self._steps <= _WARM or time.perf_counter() - self._began < self._seconds:
            return False
        self._wait()
        self.rate = (self._steps - _WARM) / (time.perf_counter() - self._began)
        self.peak = torch.cuda.max_memory_allocated() / 2**30 if self._cuda else None
        return True

    def _wait(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()


def _fedspoke(case: Case, source: Source, folder: Path, stopwatch: Stopwatch) -> None:
    training = Training(
        lora=_LORA, quantization=case.quantization, batch_size=BATCH, gradient_accumulation=1, steps=_ENDLESS, max_length=1024
    )
    trainer = Trainer("random", training, source=source)
    start = {tensor.name: np.zeros(tensor.shape, np.float16) for tensor in trainer.layout()}
    save_file(start, folder / "start")

    def progress(step: int, steps: int, loss: float) -> None:
        if stopwatch.step():
            raise Enough

    with suppress(Enough):
        trainer.train(gpu_model.posts(folder), folder, folder / "start", folder / "result", 1, progress)
    if _recomputes(trainer._model) != case.checkpointing or trainer._passes.memory.posts != BATCH:
        raise torch.OutOfMemoryError("the trainer went on with less, which is another row of the table, or of none")


class _Stop(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = self._stopwatch.step()


def _transformers(case: Case, source: Source, folder: Path, stopwatch: Stopwatch) -> None:
    """With a collator as its documentation has it for a LLaVA: the processor on a list of texts and one of images."""
    processor, model = _with_lora(source, case)
    prompt = f"USER: <image>\n{INSTRUCTION} ASSISTANT:"

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        answers = [f" {row['text']}{processor.tokenizer.eos_token}" for row in rows]
        inputs: dict[str, torch.Tensor] = processor(
            text=[prompt + answer for answer in answers], images=[_opened(row) for row in rows], padding=True, return_tensors="pt"
        )
        labels = torch.full_like(inputs["input_ids"], -100)
        for row, answer in enumerate(answers):  # the tokenizer pads at the left
            length = len(processor.tokenizer(answer, add_special_tokens=False)["input_ids"])
            labels[row, -length:] = inputs["input_ids"][row, -length:]
        return {**inputs, "labels": labels}

    trainer = HuggingFaceTrainer(
        model=model,
        args=TrainingArguments(**_arguments(folder, model)),
        train_dataset=_rows(folder),
        data_collator=collate,
        callbacks=[_Stop(stopwatch)],
    )
    _train(trainer, model, case)


def _trl(case: Case, source: Source, folder: Path, stopwatch: Stopwatch) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    processor, model = _with_lora(source, case)
    rows = [
        {
            "images": [_opened(row)],
            "prompt": [{"role": "user", "content": INSTRUCTION}],
            "completion": [{"role": "assistant", "content": row["text"]}],
        }
        for row in _rows(folder)
    ]
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**_arguments(folder, model), max_length=None, gradient_checkpointing=False),  # the model's own is on
        train_dataset=Dataset.from_list(rows),
        processing_class=processor,
        callbacks=[_Stop(stopwatch)],
    )
    _train(trainer, model, case)


SYSTEMS: dict[str, Callable[[Case, Source, Path, Stopwatch], None]] = {
    "fedspoke": _fedspoke,
    "transformers": _transformers,
    "TRL": _trl,
}


def _with_lora(source: Source, case: Case) -> tuple[Any, PeftModel]:
    processor, base = source("random", case.quantization)
    return processor, get_peft_model(base, LoraConfig(**peft_config(_LORA, "random") | {"inference_mode": False}))


def _train(trainer: HuggingFaceTrainer, model: PeftModel, case: Case) -> None:
    """After its arguments had their say, the model must still recompute activations, or not, as the case has it."""
    trainer.train()
    if _recomputes(model) != case.checkpointing:
        raise AssertionError(f"{case.system} changed whether activations are recomputed")


def _recomputes(model: PeftModel) -> bool:
    return any(getattr(layer, "gradient_checkpointing", False) for layer in model.modules())


def _arguments(folder: Path, model: PeftModel) -> dict[str, Any]:
    """What both take; what has to do with logs and files is off."""
    on_gpu = model.device.type == "cuda"
    return {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": BATCH,
        "max_steps": _ENDLESS,
        "learning_rate": 2e-4,
        "bf16": on_gpu,
        "use_cpu": not on_gpu,
        "remove_unused_columns": False,
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [{"text": post.text, "path": str(folder / str(post.image))} for post in gpu_model.posts(folder)]


def _opened(row: dict[str, Any]) -> Any:
    from PIL import Image

    with Image.open(row["path"]) as picture:
        return picture.convert("RGB")
