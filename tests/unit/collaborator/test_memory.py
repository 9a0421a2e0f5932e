"""What does not fit is tried in smaller parts, and what was found is remembered."""

import errno
import re
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Final
from fedspoke.collaborator.memory import Memory, enough, parts
from support.examples import examples


class Device:
    """Holds so many posts at once; with gradient checkpointing twice as many."""

    def __init__(self, room: int, error: Exception | None = None) -> None:
        self.room = room
        self.error = error or torch.OutOfMemoryError("CUDA out of memory")
        self.tried: list[int] = []

    def checkpoint(self) -> None:
        self.room *= 2

    def __call__(self, posts: int) -> int:
        self.tried.append(posts)
        if posts > self.room:
            raise self.error
        return posts


def test_what_fits_is_done_once() -> None:
    device = Device(8)
    memory = Memory(8, "to train", device.checkpoint)
    assert memory.fit(device) == 8
    assert (device.tried, memory.checkpointing) == ([8], False)


def test_gradient_checkpointing_comes_before_smaller_parts_and_both_are_remembered() -> None:
    device = Device(1)
    memory = Memory(8, "to train", device.checkpoint)
    assert memory.fit(device) == 2
    assert device.tried == [8, 8, 4, 2]
    assert memory.fit(device) == 2
    assert device.tried == [8, 8, 4, 2, 2]
    assert memory.checkpointing


def test_without_gradients_there_are_only_smaller_parts() -> None:
    device = Device(3)
    assert Memory(8, "to train").fit(device) == 2
    assert device.tried == [8, 4, 2]


def test_one_post_that_does_not_fit_is_the_end_and_says_what_to_lower() -> None:
    device = Device(0)
    with pytest.raises(Final, match=r"suffice to train, one at a time: .* a lower training\.maxLength, training\.images"):
        Memory(4, "to train", device.checkpoint).fit(device)
    assert device.tried == [4, 4, 2, 1]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_memory_may_be_lacking_in_other_words(error: Exception) -> None:
    assert Memory(4, "to train").fit(Device(2, error)) == 2


def test_any_other_error_is_none_of_memorys_business() -> None:
    device = Device(2, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        Memory(4, "to train").fit(device)
    assert device.tried == [4]


def test_what_an_attempt_held_is_free_before_the_next_one() -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def work(posts: int) -> int:
        if posts > 1:
            activations = torch.zeros(8)
            held.append(weakref.ref(activations))
            raise torch.OutOfMemoryError
        assert held[-1]() is None
        return posts

    assert Memory(2, "to train").fit(work) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), id="torch"),
        pytest.param(RuntimeError("CUDA error: out of memory"), id="CUDA"),
        pytest.param(OSError(errno.ENOMEM, "Cannot allocate memory"), id="the operating system"),
    ],
)
def test_work_without_smaller_parts_ends_in_a_sentence_that_says_what_how_much_there_is_and_what_helps(error: Exception) -> None:
    with pytest.raises(Final) as failure, enough("to see photos"):
        raise error
    assert re.fullmatch(
        r"the memory does not suffice to see photos: .* has [\d.]+ GiB, [\d.]+ of them free; what helps is "
        r"training\.quantization nf4, a lower training\.maxLength, .*, or a device with more memory",
        str(failure.value),
    )


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), OSError(errno.ENOSPC, "No space left")])
def test_other_errors_of_such_work_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as failure, enough("to see photos"):
        raise error
    assert failure.value is error


@given(st.integers(1, 40), st.integers(1, 12))
def test_a_batch_in_parts_is_the_batch(count: int, posts: int) -> None:
    batch = examples(count)
    cut = parts(batch, posts)
    assert [example for part in cut for example in part] == batch
    assert all(1 <= len(part) <= posts for part in cut)
