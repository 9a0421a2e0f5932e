import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedspoke.api.adapter import WEIGHTS_FILE
from fedspoke.api.aggregation import Aggregation
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import AdapterPrivacy
from fedspoke.api.names import Platform
from fedspoke.api.profiles import Profile
from fedspoke.api.records import CollaboratorSettings
from fedspoke.api.topics import NAMES
from fedspoke.collaborator.steps import Steps
from support import adapters
from support.collaborator import facebook, instagram, settings
from support.exports import FACEBOOK_POSTS, facebook_post, write
from support.language_model import LanguageModel
from support.steps import prepared
from support.tiny import tiny_llava
from support.training import silent


def profile_of(steps: Steps, platform: Platform) -> Profile:
    made = steps.generate_profile(platform)
    assert made.profile is not None, made.refused
    return made.profile


def test_a_round_learns_from_the_posts_of_all_platforms(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4), "instagram": instagram(tmp_path / "i", 3)})
    steps, start = prepared(told)
    result = start.with_name("update.safetensors")
    trained = steps.train_llava(1, str(start), str(result), silent)
    assert trained.held_out is not None
    assert trained.examples + trained.held_out.posts == 4 + 3
    assert result.read_bytes() != start.read_bytes()


def test_a_post_that_its_owner_sets_aside_is_not_used_though_nobody_asks_for_curation(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 6)}).model_copy(update={"overrules": str(tmp_path / "o")})

    def used() -> set[str]:
        steps = Steps(told)
        steps.fetch_data("facebook")
        steps.clean_data()
        return {it.id for it in steps.judged.used()["facebook"]}

    before = used()
    aside = min(before)
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "set-aside").write_text(f"{aside}\n")
    assert used() == before - {aside}


class GoneError(Exception):
    """The caller went away."""


@pytest.mark.parametrize(("word", "step"), [(2, "fetch_data"), (9, "fetch_data"), (2, "clean_data"), (9, "clean_data")])
def test_a_caller_that_goes_away_in_the_middle_of_reading_or_cleaning_leaves_nothing_in_the_way(
    tmp_path: Path, word: int, step: str
) -> None:
    heard: list[str] = []

    def go(said: str) -> None:
        heard.append(said)
        if len(heard) == word:
            raise GoneError

    steps = Steps(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 12)}), pace=0)
    if step == "clean_data":
        steps.fetch_data("facebook")
    with pytest.raises(GoneError):
        steps.fetch_data("facebook", go) if step == "fetch_data" else steps.clean_data(go)
    assert heard[-1].startswith("facebook export: ")
    assert steps.fetch_data("facebook").posts == 12
    assert steps.clean_data().records == {"facebook": 12}


def told_to(told: CollaboratorSettings, **changes: Any) -> CollaboratorSettings:
    """Settings whose training differs."""
    return told.model_copy(update={"training": told.training.model_copy(update=changes)})


def test_no_post_is_both_trained_on_and_measured_with_and_both_adapters_are_measured(tmp_path: Path) -> None:
    told = told_to(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 10)}), holdout=0.3, epochs=4)
    steps, start = prepared(told)
    trained = steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), silent)
    assert trained.held_out is not None
    assert (trained.examples, trained.held_out.posts) == (7, 3)
    assert trained.held_out.after < trained.held_out.before
    evaluated = steps.evaluate(str(start.with_name("update.safetensors"))).held_out
    assert evaluated is not None
    # The adapter that a first round starts from is the base model.
    assert evaluated.before == pytest.approx(trained.held_out.before)
    assert evaluated.after == trained.held_out.after


def test_too_few_posts_are_all_trained_on_and_nothing_is_measured(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)})
    steps, start = prepared(told)
    trained = steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), silent)
    assert (trained.examples, trained.held_out) == (4, None)
    assert steps.evaluate(str(start)).held_out is None
    assert not (Path(told.output) / "captions.json").exists()


def test_captions_of_held_out_posts_are_written_beside_the_true_ones_and_never_answered(tmp_path: Path) -> None:
    told = told_to(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 10)}), holdout=0.4, captions=3)
    steps, start = prepared(told)
    answer = steps.evaluate(str(start))
    captions = json.loads((Path(told.output) / "captions.json").read_text())
    assert [sorted(caption) for caption in captions] == [["generated", "id", "image", "true"]] * 3
    assert all(caption["true"].startswith("A walk, day") for caption in captions)
    assert all((Path(told.output) / "records" / caption["image"]).exists() for caption in captions if caption["image"])
    assert "walk" not in answer.model_dump_json()


def test_a_repeated_order_gets_the_same_answer_and_adapter_without_another_training(tmp_path: Path) -> None:
    told = hidden(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 6)}))
    steps, start = prepared(told)
    result = start.with_name("update-1.safetensors")
    first, left = steps.train_llava(1, str(start), str(result), silent), result.read_bytes()
    again, _ = prepared(told)  # as after a restart

    def never(step: int, steps: int, loss: float) -> None:
        raise AssertionError("it trains again")

    assert again.train_llava(1, str(start), str(result), never) == first
    assert result.read_bytes() == left


def test_a_round_that_is_ended_while_its_adapter_is_measured_is_not_trained_again(tmp_path: Path) -> None:
    told = hidden(told_to(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 10)}), holdout=0.3))
    steps, start = prepared(told)
    result = start.with_name("update-1.safetensors")
    goes: list[bool] = []

    def still_wanted() -> None:
        if goes:
            raise GoneError

    steps._still_wanted = still_wanted
    with pytest.raises(GoneError):
        steps.train_llava(1, str(start), str(result), lambda step, of, _: goes.append(True) if step == of else None)
    left = result.read_bytes()
    again, _ = prepared(told)

    def never(step: int, steps: int, loss: float) -> None:
        raise AssertionError("it trains again")

    trained = again.train_llava(1, str(start), str(result), never)
    assert (result.read_bytes(), trained.releases) == (left, 1)
    assert trained.held_out is not None
    assert trained.held_out.posts == 3
    assert again.train_llava(1, str(start), str(result), never) == trained


def test_each_noised_adapter_is_another_release_and_is_counted(tmp_path: Path) -> None:
    told = hidden(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 6)}))
    steps, start = prepared(told)
    result = start.with_name("update-1.safetensors")
    first, left = steps.train_llava(1, str(start), str(result), silent), result.read_bytes()
    result.unlink()
    second = steps.train_llava(1, str(start), str(result), silent)
    third = steps.train_llava(2, str(start), str(start.with_name("update-2.safetensors")), silent)
    assert (first.releases, second.releases, third.releases) == (1, 2, 3)
    assert result.read_bytes() != left
    assert json.loads((Path(told.output) / "releases.json").read_text()) == {"social.posts": 3}


def test_without_noise_there_is_no_release_to_count(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)})
    steps, start = prepared(told)
    assert steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), silent).releases == 0
    assert not (Path(told.output) / "releases.json").exists()


def test_a_clusters_own_weights_are_those_that_left_and_are_whole_under_ffa(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 6)})
    told = hidden(told).model_copy(update={"aggregation": Aggregation(lora="ffa")})
    steps, start = prepared(told)
    result = start.with_name("update.safetensors")
    trained = steps.train_llava(1, str(start), str(result), silent)
    began, left, own = (adapters.load(path) for path in (start, result, Path(told.output) / "lora_weights" / WEIGHTS_FILE))
    assert own.keys() == began.keys()
    assert all("lora_B" in name for name in left)
    assert all((own[name] == (left if name in left else began)[name]).all() for name in own)
    evaluated = steps.evaluate(str(Path(told.output) / "lora_weights" / WEIGHTS_FILE)).held_out
    assert evaluated is not None
    assert trained.held_out is not None
    assert evaluated.after == trained.held_out.after


def hidden(told: CollaboratorSettings) -> CollaboratorSettings:
    privacy = AdapterPrivacy(mechanism="gaussian", clip=0.1, noise_multiplier=0.01)
    return told.model_copy(update={"privacy": privacy})


def test_no_checkpoint_is_left_of_a_finished_round(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)})
    steps, start = prepared(told)
    steps._checkpoints._every = 0
    left: list[bool] = []
    file = Path(told.output) / "training" / "checkpoint.safetensors"
    result = start.with_name("update.safetensors")
    steps.train_llava(1, str(start), str(result), lambda *_: left.append(file.exists()))
    assert left
    assert all(left)
    assert sorted(path.name for path in file.parent.iterdir()) == ["round.json"]


@pytest.mark.parametrize("holds", [[], ["model.safetensors"]], ids=["nothing", "weights alone"])
def test_an_encoder_that_is_none_is_refused_before_the_first_round(holds: list[str], tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)})
    wrong = tmp_path / "encoder"
    wrong.mkdir()
    for name in holds:
        shutil.copy(tiny_llava() / name, wrong)
    told = told.model_copy(update={"profiles": told.profiles.model_copy(update={"encoder": str(wrong)})})
    with pytest.raises(Refused, match=r"profiles\.encoder is"):
        Steps(told).download_model()


def test_records_that_cannot_be_written_are_a_failure_and_not_a_platform_without_posts(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4), "instagram": instagram(tmp_path / "i", 3)})
    steps = Steps(told)
    for platform in told.datasets:
        steps.fetch_data(platform)
    in_the_way = Path(told.output) / "records/facebook/cleaned_data.json"
    (in_the_way / "folder").mkdir(parents=True)

    with pytest.raises(Failed, match=r"cleaned_data\.json cannot be written"):
        steps.clean_data()


def test_a_profile_tells_of_one_platform_alone(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4), "instagram": instagram(tmp_path / "i", 3)})
    steps, _ = prepared(told)
    profile = profile_of(steps, "facebook")
    assert (profile.cluster, profile.platform, profile.posts, len(profile.embedding)) == ("cluster1", "facebook", 4, 384)
    assert (profile.first, profile.last) != (None, None)
    assert profile.noise is not None
    assert "walk" not in profile.model_dump_json()


def test_a_profile_measures_nothing_of_the_posts_that_were_trained_on(tmp_path: Path) -> None:
    steps, _ = prepared(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)}))
    assert steps._trainer
    passes: list[object] = []
    steps._trainer._model.get_base_model().register_forward_pre_hook(lambda *_: passes.append(None))
    assert not [name for name in profile_of(steps, "facebook").model_dump() if "loss" in name]
    assert not passes


def test_a_repeated_profile_shares_the_same_noise_again_even_after_a_restart(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)})
    steps, _ = prepared(told)
    first = profile_of(steps, "facebook")
    again, _ = prepared(told)
    assert profile_of(again, "facebook") == first


def test_other_posts_make_another_profile_with_noise_of_its_own(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)})
    steps, _ = prepared(told)
    first = profile_of(steps, "facebook")
    facebook(tmp_path / "f", 5)
    steps.fetch_data("facebook")
    steps.clean_data()
    second = profile_of(steps, "facebook")
    assert second.posts == 5
    assert second.embedding != first.embedding
    assert first.noise is not None
    assert second.noise is not None
    assert (first.noise.releases, second.noise.releases) == (1, 2)


def test_a_profile_has_photos_where_they_are_asked_for_and_enough(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4), "instagram": instagram(tmp_path / "i", 3)})
    told = told.model_copy(update={"profiles": told.profiles.model_copy(update={"visual": True})})
    steps, _ = prepared(told)
    two_photos, three_photos = profile_of(steps, "facebook"), profile_of(steps, "instagram")
    assert two_photos.visual is None
    assert three_photos.visual is not None
    assert len(three_photos.visual.embedding) == 32


def test_what_leaves_holds_no_word_of_any_post(tmp_path: Path) -> None:
    draw = random.Random(0)
    words = ["".join(draw.choices("ghjklmnpqrstvwxz", k=length)) for length in (3, 4, 5, 7, 9, 12) for _ in range(4)]
    posts = [f"{' '.join(draw.sample(words, 8))} travel to {n}{draw.choice(words)}" for n in range(6)]
    photos = [f"your_facebook_activity/posts/media/{words[n]}.jpg" for n in range(6)]
    listed = [facebook_post(text, photo, at=86_400 * n) for n, (text, photo) in enumerate(zip(posts, photos, strict=True), 1)]
    told = settings(tmp_path, {"facebook": write(tmp_path / "f", {FACEBOOK_POSTS: listed}, photos)})
    for epsilon in (8, None):
        asked = told.profiles.model_copy(update={"visual": True, "epsilon": epsilon})
        steps, _ = prepared(told.model_copy(update={"profiles": asked}))
        profile = profile_of(steps, "facebook")
        assert (profile.posts, profile.visual is None, profile.topics is None) == (6, False, False)
        _no_text(json.loads(profile.model_dump_json(by_alias=True)))
        released = profile.model_dump_json(by_alias=True).lower()
        assert not [word for word in words if word in released]


def _no_text(value: object) -> None:
    """All strings of a profile are names that we gave, digests and dates."""
    if isinstance(value, dict):
        for key, inner in value.items():
            assert key in NAMES or re.fullmatch("[a-z]+([A-Z][a-z]+)?", key)
            _no_text(inner)
    elif isinstance(value, str):
        assert re.fullmatch(r"cluster1|facebook|one cleaned record|[0-9a-f]{64}|\d{4}-\d\d-\d\dT00:00:00Z", value)
    elif isinstance(value, list):
        assert all(isinstance(number, float) for number in value)


def test_too_few_posts_make_no_profile_and_say_how_many_there_are(tmp_path: Path) -> None:
    steps, _ = prepared(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)}, min_posts=5))
    made = steps.generate_profile("facebook")
    assert made.profile is None
    assert made.refused == "cluster1 has 4 facebook posts with text, fewer than profiles.minPosts, 5"


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        pytest.param(lambda steps: steps.clean_data(), "fetch_data", id="clean before fetch"),
        pytest.param(lambda steps: steps.train_llava(1, "a", "b", silent), "download_model", id="train before download"),
        pytest.param(lambda steps: steps.generate_profile("facebook"), "download_model", id="profile before download"),
    ],
)
def test_a_step_that_comes_too_early_names_the_missing_one(step: Callable[[Steps], object], missing: str, tmp_path: Path) -> None:
    steps = Steps(settings(tmp_path, {"facebook": tmp_path}))
    with pytest.raises(Failed, match=f"call {missing} first"):
        step(steps)


def test_training_waits_for_the_data_to_be_fetched_and_cleaned(tmp_path: Path) -> None:
    steps = Steps(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 2)}))
    steps.download_model()
    with pytest.raises(Failed, match="call fetch_data first"):
        steps.train_llava(1, "a", "b", silent)
    steps.fetch_data("facebook")
    with pytest.raises(Failed, match="call clean_data first"):
        steps.train_llava(1, "a", "b", silent)


def test_a_platform_that_the_cluster_does_not_declare_is_refused(tmp_path: Path) -> None:
    steps = Steps(settings(tmp_path, {"facebook": tmp_path}))
    with pytest.raises(Refused, match="cluster1 declares no instagram data; it declares facebook"):
        steps.fetch_data("instagram")


def test_an_empty_data_set_is_one_sentence(tmp_path: Path) -> None:
    steps = Steps(settings(tmp_path, {"facebook": write(tmp_path / "f", {FACEBOOK_POSTS: []})}))
    assert steps.fetch_data("facebook").posts == 0
    with pytest.raises(Failed, match="the facebook export holds no post to learn from"):
        steps.clean_data()


def test_an_empty_platform_leaves_the_other_one_to_train_on(tmp_path: Path) -> None:
    told = settings(
        tmp_path, {"facebook": write(tmp_path / "f", {FACEBOOK_POSTS: []}), "instagram": instagram(tmp_path / "i", 2)}
    )
    steps = Steps(told)
    for platform in told.datasets:
        steps.fetch_data(platform)
    assert steps.clean_data().records == {"facebook": 0, "instagram": 2}


@pytest.mark.parametrize("outside", ["/etc/passwd", "{output}/../secret", "{output}/link/secret", "relative"])
def test_only_files_in_the_output_are_read_and_written(outside: str, tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 2)})
    steps, start = prepared(told)
    (Path(told.output) / "link").symlink_to(tmp_path)
    path = outside.format(output=told.output)
    for adapter, output in ((path, str(start)), (str(start), path)):
        with pytest.raises(Refused, match="outside the collaborator's output"):
            steps.train_llava(1, adapter, output, silent)
    with pytest.raises(Refused, match="outside the collaborator's output"):
        steps.evaluate(path)
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize("ours", ["releases.json", "profiles/facebook.json", "rounds/deeper/update", "rounds/../workflow.json"])
def test_an_adapter_is_written_over_nothing_that_is_ours(ours: str, tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 2)})
    steps, start = prepared(told)
    with pytest.raises(Refused, match=r"is no place for a trained adapter; name a file in .*/rounds$"):
        steps.train_llava(1, str(start), f"{told.output}/{ours}", silent)


def test_a_data_set_may_be_a_zip_as_it_was_downloaded(tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "facebook-export"), "zip", facebook(tmp_path / "f", 4))
    steps = Steps(settings(tmp_path, {"facebook": Path(packed)}))
    assert steps.fetch_data("facebook").posts == 4
    assert steps.clean_data().records == {"facebook": 4}


def test_answers_count_what_was_dropped_and_what_was_changed_and_tell_nothing_of_a_text(tmp_path: Path) -> None:
    posts = [
        facebook_post("we have seen the lighthouse with @anna.bell today"),
        facebook_post("#lighthouse #sea"),
        facebook_post("", "video.mp4"),
    ]
    steps = Steps(settings(tmp_path, {"facebook": write(tmp_path / "f", {FACEBOOK_POSTS: posts})}))
    steps.fetch_data("facebook")
    answer = steps.clean_data()
    assert (answer.dropped, answer.changed) == ({"facebook": {"hashtags": 1, "video": 1}}, {"facebook": {"handles": 1}})
    assert "lighthouse" not in answer.model_dump_json()


def test_posts_that_are_set_aside_are_neither_trained_on_nor_measured_with_nor_in_a_profile(tmp_path: Path) -> None:
    told = told_to(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 12)}), holdout=0.25, captions=12)
    steps, start = prepared(told)
    listed = steps.judged.page("facebook", 0, 50).posts
    steps.judged.set_aside("facebook", [post.id for post in listed[::2]], "health")
    trained = steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), silent)
    assert trained.held_out is not None
    assert trained.examples + trained.held_out.posts == 6
    steps.evaluate(str(start))
    captioned = {caption["id"] for caption in json.loads((Path(told.output) / "captions.json").read_text())}
    assert captioned <= {post.id for post in listed[1::2]}
    assert profile_of(steps, "facebook").posts == 6
    told_of = steps.records()["facebook"]
    assert (told_of.records, told_of.set_aside) == (6, {"health": 6})


def test_when_all_posts_are_set_aside_nothing_is_trained(tmp_path: Path) -> None:
    steps, start = prepared(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 4)}))
    steps.judged.set_aside("facebook", [post.id for post in steps.judged.page("facebook", 0, 50).posts], "owner")
    with pytest.raises(Failed, match="train_llava has no records: all of them are set aside"):
        steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), silent)


def test_posts_that_nobody_judged_are_not_trained_on_when_the_records_are_made_again_of_an_export_that_grew(
    tmp_path: Path,
) -> None:
    told = told_to(settings(tmp_path, {"facebook": facebook(tmp_path / "f", 8)}), holdout=0)
    steps, start = prepared(told.model_copy(update={"curation": LanguageModel(1).curation()}))
    steps.judged.page("facebook", 0, 50)
    facebook(tmp_path / "f", 12)
    for photo in Path(told.output).glob("records/facebook/images/*.jpg"):
        photo.unlink()
    assert steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), silent).examples == 8
    assert steps.judged.page("facebook", 0, 50).total == 12


def test_a_topic_that_a_crew_has_named_is_the_one_that_is_counted(tmp_path: Path) -> None:
    told = settings(tmp_path, {"facebook": facebook(tmp_path / "f", 6)})
    told = told.model_copy(update={"profiles": told.profiles.model_copy(update={"epsilon": None})})
    steps, _ = prepared(told)
    before = profile_of(steps, "facebook").topics
    assert before
    listed = steps.judged.page("facebook", 0, 50).posts
    steps.judged.name_topic("facebook", [post.id for post in listed], "religion")
    assert profile_of(steps, "facebook").topics == dict.fromkeys(NAMES, 0) | {"religion": 6}
