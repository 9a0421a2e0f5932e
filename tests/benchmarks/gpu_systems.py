"""The three that are measured, each as its users would run it, over the same model, posts and settings.

The settings: AdamW in one kernel at a constant rate, gradients clipped to a norm of 1, products in bf16, the adapter in fp32.
"""

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
from fedspoke.api.records import Tensor
from fedspoke.collaborator.batches import INSTRUCTION
from fedspoke.collaborator.model import Source
from fedspoke.collaborator.training import Trainer

_WARM = 3  # steps in which memory is allocated and kernels are chosen
_ENDLESS = 10**6  # steps; the stopwatch ends it
_LORA = Lora(rank=16, alpha=32)
_RATE = 2e-4


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


def _fedspoke(case: Case, source: Source, folder: Path, stopwatch: Stopwatch) -> str:
    training = Training(
        lora=_LORA,
        quantization=case.quantization,
        batch_size=BATCH,
        gradient_accumulation=1,
        learning_rate=_RATE,
        schedule="constant",
        warmup=0,
        steps=_ENDLESS,
        max_length=1024,
    )
    trainer = Trainer("random", training, source=source)
    save_file(_start(trainer.layout()), folder / "start")

    def progress(step: int, steps: int, loss: float) -> None:
        if stopwatch.step():
            raise Enough

    with suppress(Enough):
        trainer.train(gpu_model.posts(folder), folder, folder / "start", folder / "result", 1, progress)
    if _recomputes(trainer._model) != case.checkpointing or trainer._passes.memory.posts != BATCH:
        raise torch.OutOfMemoryError("the trainer went on with less, which is another row of the table, or of none")
    return _adapter(trainer._model)


def _start(layout: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """An adapter as peft would begin it: with zeros for A as well, all gradients would be 0 for ever."""
    generator = np.random.default_rng(0)
    scale = {tensor: 0.01 if ".lora_A." in tensor.name else 0.0 for tensor in layout}
    return {tensor.name: generator.normal(0, scale[tensor], tensor.shape).astype(np.float16) for tensor in layout}


class _Stop(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = self._stopwatch.step()


def _transformers(case: Case, source: Source, folder: Path, stopwatch: Stopwatch) -> str:
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
        args=TrainingArguments(**_arguments(folder, case)),
        train_dataset=_rows(folder),
        data_collator=collate,
        callbacks=[_Stop(stopwatch)],
    )
    return _train(trainer, model, case)


def _trl(case: Case, source: Source, folder: Path, stopwatch: Stopwatch) -> str:
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
        args=SFTConfig(**_arguments(folder, case), max_length=None, gradient_checkpointing=False),  # the model's own is on
        train_dataset=Dataset.from_list(rows),
        processing_class=processor,
        callbacks=[_Stop(stopwatch)],
    )
    for value in model.parameters():  # which TRL has cast to bf16 where the model is quantised; its optimiser comes later
        if value.requires_grad:
            value.data = value.data.float()
    return _train(trainer, model, case)


SYSTEMS: dict[str, Callable[[Case, Source, Path, Stopwatch], str]] = {
    "fedspoke": _fedspoke,
    "transformers": _transformers,
    "TRL": _trl,
}
"""Each trains until the stopwatch ends it, and says which dtype its adapter has then."""


def _with_lora(source: Source, case: Case) -> tuple[Any, PeftModel]:
    processor, base = source("random", case.quantization)
    return processor, get_peft_model(base, LoraConfig(**peft_config(_LORA, "random") | {"inference_mode": False}))


def _train(trainer: HuggingFaceTrainer, model: PeftModel, case: Case) -> str:
    """After its arguments had their say, the model must still recompute activations, or not, as the case has it."""
    trainer.train()
    if _recomputes(model) != case.checkpointing:
        raise AssertionError(f"{case.system} changed whether activations are recomputed")
    return _adapter(model)


def _adapter(model: PeftModel) -> str:
    """The dtype of what is trained."""
    return ", ".join(sorted({str(value.dtype).removeprefix("torch.") for value in model.parameters() if value.requires_grad}))


def _recomputes(model: PeftModel) -> bool:
    return any(getattr(layer, "gradient_checkpointing", False) for layer in model.modules())


def _arguments(folder: Path, case: Case) -> dict[str, Any]:
    """What both take; what has to do with logs and files is off."""
    return {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": BATCH,
        "max_steps": _ENDLESS,
        "learning_rate": _RATE,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch_fused",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "bf16": True,
        "use_cpu": case.tiny,
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
