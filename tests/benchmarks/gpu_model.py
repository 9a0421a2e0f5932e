"""LLaVA 1.5 7B with random weights, made on the GPU: no download, and no file of 14 GB. And posts for it."""

from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn.modules import Linear4bit, Params4bit
from PIL import Image
from transformers import (
    AutoProcessor,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaForConditionalGeneration,
)

from benchmarks.gpu_report import Case
from fedspoke.collaborator import quantization as quantizations
from fedspoke.collaborator.model import Source, llava, load, make_tiny, recompute_activations
from fedspoke.data.records import CleanRecord
from support.tiny import record

_POSTS = 32


def source(folder: Path, device: torch.device, case: Case) -> Source:
    """Where a trainer gets the model of this case; on the CPU a tiny one, which from there on goes the other's way."""

    def made(name: str, quantization: quantizations.Quantization) -> tuple[Any, LlavaForConditionalGeneration]:
        make_tiny(folder / "tiny")
        if device.type == "cpu":
            processor, model = load(str(folder / "tiny"))
            model.to(torch.bfloat16)
        else:
            processor = AutoProcessor.from_pretrained(folder / "tiny", local_files_only=True)
            processor.image_processor = CLIPImageProcessorPil(
                size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
            )
            model = llava_7b(processor, device)
        if quantization == "nf4":
            quantize(model)
        quantizations.check(model, quantization)
        model.name_or_path = name
        if case.checkpointing:
            recompute_activations(model)
        return processor, model

    return made


def posts(folder: Path) -> list[CleanRecord]:
    """With a photo of 640 × 480 each and captions of 40 to 80 tokens."""
    photo = Image.effect_noise((640, 480), 60).convert("RGB")
    return [record(f"{n} " + "day at the beach with friends #summer " * (4 + n % 4), photo, folder) for n in range(_POSTS)]


def llava_7b(processor: Any, device: torch.device) -> LlavaForConditionalGeneration:
    """By the sizes of llava-hf/llava-1.5-7b-hf; only the tokenizer has fewer words than the embedding."""
    tower = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
        projection_dim=768,
    )
    language = LlamaConfig(
        vocab_size=32064,
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        max_position_embeddings=4096,
    )
    with device:
        return LlavaForConditionalGeneration._from_config(llava(tower, language, processor.image_token_id), dtype=torch.bfloat16)


def quantize(model: LlavaForConditionalGeneration) -> None:
    """To nf4 as `load` does it with a checkpoint, one layer after the other."""
    for name, layer in list(model.named_modules()):
        if ".language_model." in name and isinstance(layer, torch.nn.Linear):
            fewer = Linear4bit(
                layer.in_features,
                layer.out_features,
                bias=False,
                compute_dtype=model.dtype,
                quant_type="nf4",
                device="meta",
            )
            fewer.weight = Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4", module=fewer).to(model.device)
            model.set_submodule(name, fewer)
    model.is_loaded_in_4bit = True  # what peft goes by
