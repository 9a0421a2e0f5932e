"""The LLaVA that is fine-tuned: loaded, or made tiny and offline for demos and tests.

The tiny one is made through the real classes and loaded by the real code; its size, and that it was never trained, set it apart.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from fedspoke.api.errors import Refused
from fedspoke.collaborator import model_folder
from fedspoke.collaborator import quantization as quantizations
from fedspoke.collaborator.batches import CHAT_TEMPLATE, INSTRUCTION
from fedspoke.collaborator.memory import lacking
from fedspoke.collaborator.quantization import Quantization

disable_progress_bar()  # of weights read from disk: it fills logs; downloads keep theirs

Source = Callable[[str, Quantization], tuple[Any, LlavaForConditionalGeneration]]
"""Where a processor and a model come from: `load`, or what a benchmark draws at random."""

_CORPUS = [
    f"USER: <image>\n{INSTRUCTION} ASSISTANT:",
    "What a day at the beach with friends, the sea was warm and the sun did not go down #summer #holiday",
    "My cat sleeps on the keyboard again, so no work for me this morning #cat #monday",
    "Coffee first, then everything else. Have a good week, all of you! #coffee",
    "We are in the mountains: snow, blue sky, and the best soup of the year #hiking #winter",
    "Happy birthday to my little brother, who is not so little now. Love you!",
    "Baked bread for the first time today and it looks like bread #baking #homemade",
    "The old camera still takes beautiful pictures in black and white #photography",
    "Look at this rocket on its way to the stars, what a night #space #launch",
    "Red, green, yellow and blue: the market of our town in the evening light #travel #city",
    "Thank you for all the kind words, they mean the world to me and my family.",
    "A walk in the park, a small circle of friends, a square of chocolate #simple #happy",
]


def load(name: str, quantization: Quantization = "none") -> tuple[Any, LlavaForConditionalGeneration]:
    """The processor and the model in a folder, or under a name on the model hub (then fetched into its cache if it is not there).

    On a GPU with bf16 the weights are bf16, else fp32; those of the language model's linear layers are quantised if so asked.
    Activations are kept for the backward pass until `recompute_activations`. A path is never looked up on a network.

    Raises:
        Refused: there is no such model, or it is no LLaVA, or a damaged one, or it cannot be quantised here.
        Failed: the model hub does not give it.
    """
    folder = model_folder.find(name)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    dtype = torch.bfloat16 if bf16 else torch.float32
    quantized = quantizations.arguments(quantization, device, dtype)
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        model, found = AutoModelForImageTextToText.from_pretrained(
            folder,
            local_files_only=True,
            dtype=dtype,
            device_map=device,
            output_loading_info=True,
            **quantized,
        )
    except Exception as error:  # of a damaged file these libraries raise KeyErrors and worse
        if lacking(error):
            raise
        reason, _, _ = str(error).partition("\n")
        raise Refused(f"the model {name} cannot be loaded: {reason}") from error
    if found["missing_keys"]:  # which would be drawn at random, with no more than a warning
        raise Refused(f"the model {name} lacks weights, among them {min(found['missing_keys'])}; get it again")
    quantizations.check(model, quantization)
    return processor, model


def recompute_activations(model: Any) -> None:
    """Compute each layer's activations again in the backward pass (arXiv 1604.06174): half as slow again, and far less memory."""
    # Not reentrant: only so does it need no inputs with gradients, which embeddings that are frozen do not have.
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def llava(tower: Any, language: Any, image_token: int) -> Any:
    """LLaVA 1.5's configuration around a tower's and a language model's: it sees the last layer but one, less the class token."""
    return LlavaConfig(
        vision_config=tower,
        text_config=language,
        image_token_index=image_token,
        image_seq_length=(tower.image_size // tower.patch_size) ** 2,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )


def make_tiny(directory: Path, seed: int = 0) -> None:
    """A LLaVA of 0.2 M parameters in a new folder, offline; the same seed gives the same bytes.

    Raises:
        Refused: the folder holds something already.
    """
    with model_folder.new(directory) as partial:
        tokenizer = _tiny_tokenizer()
        tower = CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=56,
            patch_size=14,
            projection_dim=32,
        )
        language = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=160,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            initializer_range=64**-0.5,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        config = llava(tower, language, tokenizer.convert_tokens_to_ids("<image>"))
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            model = LlavaForConditionalGeneration(config)
            # Both stay frozen. At their usual 0.02 the head could not reach far enough for a loss near 0, whatever LoRA learned.
            model.lm_head.weight.normal_(0, 0.5)
            model.get_input_embeddings().weight.normal_(0, 1)
        processor = LlavaProcessor(
            image_processor=CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}),
            tokenizer=tokenizer,
            patch_size=14,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,  # CLIP's class token, which the strategy "default" takes away again
            chat_template=CHAT_TEMPLATE,
        )
        model.save_pretrained(partial)
        processor.save_pretrained(partial)


def _tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that every text has tokens; special tokens as Llama's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    image = {"image_token": "<image>"}
    tokenizer.train_from_iterator(
        _CORPUS,
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=[*special.values(), *image.values()],
            initial_alphabet=sorted(alphabet),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, extra_special_tokens=image, padding_side="left", **special)
