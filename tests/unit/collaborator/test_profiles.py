import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fedspoke.api.errors import Refused
from fedspoke.api.training import Profiles
from fedspoke.collaborator.encoder import TextEncoder
from fedspoke.collaborator.profiles import noised_counts, noised_mean, refusal, span, visual_refusal
from fedspoke.data.records import CleanRecord
from support.text_encoder import minilm


def unit(*rows: Sequence[float]) -> NDArray[np.float32]:
    vectors = np.array(rows)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_without_noise_a_profile_is_the_mean() -> None:
    assert noised_mean(unit([1, 0], [0, 1]), 0, random.Random(0)) == (0.5, 0.5)


def test_noise_has_the_standard_deviation_that_was_asked_for() -> None:
    vectors = np.eye(1, 20_000, dtype=np.float32)
    embedding = noised_mean(vectors, 0.3, random.Random(0))
    # The standard error of a deviation over 20 000 draws is 0.5 %.
    assert np.std(np.array(embedding) - vectors[0]) == pytest.approx(0.3, rel=0.03)


def test_the_same_generator_gives_the_same_profile_and_another_gives_another() -> None:
    vectors = unit([1, 2], [3, 1])
    first, again, other = (noised_mean(vectors, 1, random.Random(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_no_vector_counts_for_more_than_its_share() -> None:
    assert noised_mean(np.array([[100, 0], [0, 1]], np.float32), 0, random.Random(0)) == (0.5, 0.5)


def test_counts_are_noised_as_asked_and_not_cut_off_at_0_which_would_add_up_over_clusters() -> None:
    counts = {str(number): 1000 for number in range(5000)}
    noised = noised_counts(counts, 20, random.Random(0))
    assert noised.keys() == counts.keys()
    assert np.std(list(noised.values())) == pytest.approx(20, rel=0.03)
    empty = noised_counts({str(number): 0 for number in range(5000)}, 20, random.Random(0))
    assert np.mean(list(empty.values())) == pytest.approx(0, abs=1)
    assert noised_counts(counts, 0, random.Random(0)) == counts


@pytest.mark.parametrize("with_photo", [2, 3])
def test_too_few_photos_make_no_visual_profile_and_are_not_counted_aloud(with_photo: int) -> None:
    posts = [record("with a photo", f"images/{n:016}.jpg") for n in range(with_photo)] + [record("without", None)] * 9
    refused = visual_refusal("cluster1", "facebook", posts, Profiles(visual=True, min_posts=3))
    expected = "fewer than profiles.minPosts, 3, of cluster1's facebook posts have a photo" if with_photo < 3 else None
    assert refused == expected


def test_no_visual_profile_is_made_where_none_is_asked_for() -> None:
    assert visual_refusal("cluster1", "facebook", [], Profiles()) == "profiles.visual is false"


def record(text: str, image: str | None) -> CleanRecord:
    return CleanRecord(id="0" * 16, image=image, text=text, timestamp=None)


def test_too_few_posts_are_refused_with_counts_and_nothing_else() -> None:
    assert refusal("cluster1", "facebook", 19, Profiles(min_posts=20)) == (
        "cluster1 has 19 facebook posts with text, fewer than profiles.minPosts, 20"
    )
    assert refusal("cluster1", "facebook", 20, Profiles(min_posts=20)) is None


def test_profiles_that_are_switched_off_are_refused() -> None:
    assert refusal("cluster1", "facebook", 1000, Profiles(enabled=False)) == "profiles.enabled is false"


def test_a_span_is_the_first_and_last_known_day_and_tells_no_time_of_day() -> None:
    assert span([2 * 86_400 - 1, None, 3600]) == (datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC))
    assert span([None]) == (None, None)


def test_texts_of_one_topic_are_closer_than_texts_of_two() -> None:
    encode = TextEncoder(str(minilm()))
    hike, trail, recipe = encode(
        ["hiking in the alps with friends", "mountain trail, snow and boots", "new recipe: tomato pasta"]
    )
    assert np.linalg.norm(hike) == pytest.approx(1, abs=1e-5)
    assert hike @ trail > hike @ recipe + 0.2


def test_an_encoder_is_known_by_its_weights() -> None:
    assert TextEncoder(str(minilm())).digest == hashlib.sha256((minilm() / "model.safetensors").read_bytes()).hexdigest()


def test_padding_does_not_change_a_text_s_vector() -> None:
    encode = TextEncoder(str(minilm()))
    alone, beside = encode(["a short one"]), encode(["a short one", "a much longer text that makes the batch wider " * 5])
    assert alone[0] == pytest.approx(beside[0], abs=1e-5)


def test_a_folder_without_an_encoder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"holds no \*\.safetensors file"):
        TextEncoder(str(tmp_path))
