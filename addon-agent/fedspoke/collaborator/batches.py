"""From posts to tensors: what the model reads, and which of its tokens it learns.

A post becomes `<prompt> <caption> </s>`, and only the caption and `</s>` are supervised. There is one prompt for each number of
images, none included; each is tokenised once, its length is where the answers begin, and truncation never reaches it. Captions
are tokenised apart, as plain text: a post that contains the characters `<image>` or `</s>` stays a post.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from fedspoke.api.errors import Failed, Refused
from fedspoke.collaborator.photos import pixels
from fedspoke.data.records import CleanRecord
from fedspoke.data.sealed import PLAIN, Store

INSTRUCTION = "Write the caption this person would post."

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message.role.upper() }}: "
    "{% for part in message.content if part.type == 'image' %}<image>\n{% endfor %}"
    "{% for part in message.content if part.type == 'text' %}{{ part.text }} {% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""How LLaVA 1.5 is spoken to, for a processor that brings no template of its own."""

_IGNORED = -100  # the label that torch's cross entropy leaves out
_CAPTION = 64  # tokens of a caption that are never cut off for the sake of one more image
_SORTED = 16  # batches whose posts are sorted by length together: little padding, yet other batches in each epoch


@dataclass(frozen=True, slots=True)
class Example:
    """One post, ready to be batched: the tokens of its answer end with EOS."""

    id: str
    images: tuple[Path, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Arguments of the model's forward call, and how many tokens of them are supervised.

    The logits are computed for the answers' positions only: of LLaVA's ~640 tokens a post, 576 are its image.
    """

    inputs: dict[str, Any]
    tokens: int


class Collator:
    """Posts to batches, for one model's processor."""

    def __init__(self, processor: Any, max_length: int, images: int, store: Store = PLAIN) -> None:
        """`max_length` tokens a post at most, `images` images of it at most, as many as leave room for its caption.

        Raises:
            Refused: this tokenizer cannot end a caption, or an image and the first token of a caption are too long.
        """
        self._processor, self._store = processor, store
        self._tokenizer = processor.tokenizer
        self._eos = processor.tokenizer.eos_token_id
        if self._eos is None:
            raise Refused("this model's tokenizer names no eos_token, without which no caption could end; get the model again")
        self._max_length = max_length
        texts = [self._prompt_text(count) for count in range(images + 1)]
        self._prompts = [self._prompt(text, count) for count, text in enumerate(texts)]
        self._tail = texts[1].split()[-1]  # `ASSISTANT:`
        longest = len(self._prompts[1])
        if longest + 2 > max_length:  # a caption's first token, and EOS
            raise Refused(
                f"training.maxLength is {max_length}, but the prompt with an image takes {longest} tokens of this model; "
                f"at least {longest + 2} are needed"
            )

    def example(self, record: CleanRecord, images: Path) -> Example:
        """Tokenise one post; where maxLength is short it loses images, but the first, then the end of its caption, never EOS."""
        answer = (*self._caption_tokens(record.text), self._eos)
        paths = tuple(images / name for name in record.images or (record.image,) if name is not None)
        paths = paths[: len(self._prompts) - 1]
        while len(paths) > 1 and len(self._prompts[len(paths)]) + min(len(answer), _CAPTION) > self._max_length:
            paths = paths[:-1]
        room = self._max_length - len(self._prompts[len(paths)])
        return Example(id=record.id, images=paths, answer=(*answer[:-1][: room - 1], self._eos))

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Pad posts of one kind, with equally many images, to one length; they are supervised on their answers.

        Raises:
            Failed: an image cannot be read.
        """
        prompt = self._prompts[len(examples[0].images)]
        width = max(len(example.answer) for example in examples)
        input_ids = torch.full((len(examples), len(prompt) + width), self._eos)
        attention_mask = torch.zeros_like(input_ids)
        # The logits kept are those of the prompt's last token and of the answer; labels start where these start.
        labels = torch.full((len(examples), 1 + width), _IGNORED)
        for row, example in enumerate(examples):
            end = len(prompt) + len(example.answer)
            input_ids[row, :end] = torch.tensor([*prompt, *example.answer])
            attention_mask[row, :end] = 1
            labels[row, 1 : 1 + len(example.answer)] = torch.tensor(example.answer)
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels, "logits_to_keep": 1 + width}
        return Batch(inputs=inputs | self._pixels(examples), tokens=sum(len(example.answer) for example in examples))

    def prompts(self, examples: Sequence[Example]) -> dict[str, Any]:
        """The prompts alone, for generation; those of one kind are equally long and need no padding."""
        prompt = self._prompts[len(examples[0].images)]
        input_ids = torch.tensor([prompt] * len(examples))
        return {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)} | self._pixels(examples)

    def _prompt(self, text: str, images: int) -> list[int]:
        if not images:
            return list(self._tokenizer(text)["input_ids"])
        return list(self._processor(text=[text], images=[[Image.new("RGB", (64, 64))] * images])["input_ids"][0])

    def _prompt_text(self, images: int) -> str:
        content = [*([{"type": "image"}] * images), {"type": "text", "text": INSTRUCTION}]
        text: str = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            chat_template=self._processor.chat_template or CHAT_TEMPLATE,
            add_generation_prompt=True,
            tokenize=False,
        )
        return text

    def _caption_tokens(self, text: str) -> list[int]:
        """The caption's tokens as they follow the prompt: `cat` and ` cat` differ, and tokenizers add spaces as they like."""
        tail, both = (
            self._tokenizer(part, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            for part in (self._tail, f"{self._tail} {text}")
        )
        if both[: len(tail)] != tail:
            raise Failed(
                f"this model's tokenizer merges {self._tail!r} with what follows, so that no caption can be told from its prompt"
            )
        tokens: list[int] = both[len(tail) :]
        return tokens

    def _pixels(self, examples: Sequence[Example]) -> dict[str, Any]:
        photos = [(path, example.id) for example in examples for path in example.images]
        return {"pixel_values": pixels(photos, self._processor.image_processor, self._store)} if photos else {}


def in_batches(examples: Sequence[Example], size: int) -> list[list[Example]]:
    """Split into batches of one kind each, of posts of about the same length.

    A batch of two kinds would pad every text by the length of an image.
    """
    kinds: dict[int, list[Example]] = {}
    for example in examples:
        kinds.setdefault(len(example.images), []).append(example)
    batches: list[list[Example]] = []
    for _, kind in sorted(kinds.items()):
        for start in range(0, len(kind), size * _SORTED):
            alike = sorted(kind[start : start + size * _SORTED], key=lambda example: len(example.answer))
            batches += [alike[first : first + size] for first in range(0, len(alike), size)]
    return batches


def epochs(examples: Sequence[Example], size: int, generator: torch.Generator) -> Iterator[list[list[Example]]]:
    """Endless epochs, each with its own order of posts and of batches."""
    while True:
        shuffled = [examples[i] for i in torch.randperm(len(examples), generator=generator).tolist()]
        batches = in_batches(shuffled, size)
        yield [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
