import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fedspoke.data.cleaning.rules import RULES
from fedspoke.data.sealed import Store
from support import exports as build
from support.collaborator import settings

Fedspoke = Callable[..., tuple[object, str, str]]
"""A command's exit status, stdout and stderr."""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    posts = [
        build.facebook_post("first of May", "1.jpg", at=1_682_935_200),
        build.facebook_post("only words", at=1_672_574_400),
        build.facebook_post("", "clip.mp4", "2.jpg"),
        build.facebook_post("lost", "gone.jpg", at=1_704_110_400),
    ]
    return build.write(tmp_path / "export", {build.FACEBOOK_POSTS: posts}, photos=["1.jpg", "2.jpg"])


def test_inspect_counts_what_an_export_holds(fedspoke: Fedspoke, export: Path) -> None:
    status, out, _ = fedspoke("data", "inspect", export, "-o", "json")

    assert status == 0
    assert json.loads(out) == {
        "platform": "facebook",
        "posts": 3,
        "images": 1,
        "videos": 1,
        "kinds": {"post": 3},
        "skipped": {"missing_media": 1, "no_text": 1, "video": 1},
        "from": "2023-01-01",
        "to": "2024-01-01",
    }


def test_inspect_tells_a_person_the_same(fedspoke: Fedspoke, export: Path) -> None:
    _, out, _ = fedspoke("data", "inspect", export)

    assert out.splitlines() == [
        "facebook: 3 posts with 1 photos, 2023-01-01 to 2024-01-01",
        "  kind post: 3",
        "  skipped missing_media: 1",
        "  skipped no_text: 1",
        "  skipped video: 1",
    ]


def test_an_export_without_posts_has_no_dates(fedspoke: Fedspoke, tmp_path: Path) -> None:
    _, out, _ = fedspoke("data", "inspect", build.write(tmp_path, {build.INSTAGRAM_POSTS: []}), "-o", "json")

    summary = json.loads(out)
    assert (summary["platform"], summary["posts"], summary["from"], summary["to"]) == ("instagram", 0, None, None)


def test_prepare_makes_the_records_that_inspect_counted_and_as_often_as_asked(
    fedspoke: Fedspoke, export: Path, tmp_path: Path
) -> None:
    status, out, _ = fedspoke("data", "prepare", export, tmp_path / "out")
    again, *_ = fedspoke("data", "prepare", export, tmp_path / "out")

    records = json.loads((tmp_path / "out/cleaned_data.json").read_text())
    assert (status, again) == (0, 0)
    assert out.startswith(f"{tmp_path}/out/cleaned_data.json: 3 records, 1 of them with a photo\n")
    assert [list(record)[:4] for record in records] == [["id", "image", "text", "timestamp"]] * 3
    assert [record["image"] for record in records if record["image"]] == [
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out/images").iterdir()
    ]


@pytest.mark.parametrize("command", [["inspect"], ["prepare", "OUT"]], ids=["inspect", "prepare"])
@pytest.mark.parametrize(
    ("files", "named", "sentence"),
    [
        ([], "absent", "does not exist"),
        (["export.zip"], "export.zip", "is no zip; name the zip as it was downloaded"),
        (["notes.txt"], "notes.txt", "is no zip; name the zip as it was downloaded"),
        (["notes.txt"], "", "is no Facebook or Instagram export"),
        (["your_facebook_activity/posts/your_posts_1.html"], "", "choose the format JSON"),
    ],
)
def test_what_is_no_export_is_refused_in_one_line_and_nothing_is_written(
    fedspoke: Fedspoke, tmp_path: Path, command: list[str], files: list[str], named: str, sentence: str
) -> None:
    folder = build.write(tmp_path / "in", {file: [] for file in files})
    name, *rest = command

    status, out, err = fedspoke("data", name, folder / named, *(tmp_path / word for word in rest))

    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not (tmp_path / "OUT").exists()


def test_an_export_with_nothing_to_learn_from_fails_with_the_reasons(fedspoke: Fedspoke, tmp_path: Path) -> None:
    export = build.write(tmp_path / "in", {build.FACEBOOK_POSTS: [build.facebook_post("", "clip.mp4")]})

    status, _, err = fedspoke("data", "prepare", export, tmp_path / "out")

    assert (status, err) == (1, "fedspoke: the facebook export holds no post to learn from (video 1)\n")


def test_a_file_in_the_way_of_the_output_is_refused(fedspoke: Fedspoke, export: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")

    status, _, err = fedspoke("data", "prepare", export, tmp_path / "out")

    assert status == 2
    assert "out cannot be made a folder" in err
    assert (tmp_path / "out").read_text() == "mine"


def test_prepare_tells_a_person_what_each_rule_did(fedspoke: Fedspoke, tmp_path: Path) -> None:
    posts = [
        build.facebook_post("we have been waiting for the tram since this morning https://example.org/tram"),
        build.facebook_post("#tram #late"),
    ]
    export = build.write(tmp_path / "in", {build.FACEBOOK_POSTS: posts})

    _, out, _ = fedspoke("data", "prepare", export, tmp_path / "out")

    assert out.splitlines() == [
        f"{tmp_path}/out/cleaned_data.json: 1 records, 0 of them with a photo",
        "  kind post: 1",
        "  language en: 1",
        "  dropped hashtags: 1",
        "  changed by urls: 1",
        "keep to yourself: dummy_data.json and the raw data beside it hold what you wrote as it was, with nothing masked",
    ]


def test_help_says_that_what_is_not_masked_stays_in_the_folder(fedspoke: Fedspoke) -> None:
    _, out, _ = fedspoke("data", "prepare", "--help")

    assert "in which nothing is masked yet" in " ".join(out.split())


def test_an_export_of_which_no_file_can_be_read_is_a_failure(fedspoke: Fedspoke, tmp_path: Path) -> None:
    export = build.write(tmp_path, {build.FACEBOOK_POSTS: {"unheard": "of"}})

    status, out, err = fedspoke("data", "inspect", export)

    assert (status, out) == (1, "")
    assert err == (
        "fedspoke: the facebook export cannot be read: none of the files that should list posts (1) is whole, or of a layout "
        "that is known; ask the platform for it again\n"
    )


def test_a_part_that_stands_where_the_folder_for_records_should_is_refused(fedspoke: Fedspoke, tmp_path: Path) -> None:
    photo = "your_facebook_activity/posts/media/1.jpg"
    one = build.write(tmp_path / "1", {build.FACEBOOK_POSTS: [build.facebook_post("the tram", photo)]})
    two = build.write(tmp_path / "2", {}, photos=[photo])

    status, _, err = fedspoke("data", "prepare", one, two)

    assert (status, [path.name for path in two.iterdir()]) == (2, ["your_facebook_activity"])
    assert err == (f"fedspoke: {two} looks like a part of an export; name another folder, for the records, after all parts\n")


def test_prepare_tells_a_program_the_same(fedspoke: Fedspoke, export: Path, tmp_path: Path) -> None:
    _, out, _ = fedspoke("data", "prepare", export, tmp_path / "out", "-o", "json")

    made = json.loads(out)
    assert (made["records"], made["with_photo"], made["images"], made["kinds"]) == (3, 1, 1, {"post": 3})
    assert made["dropped"] == {"missing_media": 1, "no_text": 1, "video": 1}


def test_a_rule_can_be_left_out(fedspoke: Fedspoke, tmp_path: Path) -> None:
    export = build.write(tmp_path / "in", {build.FACEBOOK_POSTS: [build.facebook_post("#tram #late")]})

    status, _, _ = fedspoke("data", "prepare", export, tmp_path / "out", "--without", "hashtags", "--without", "urls")

    assert status == 0


def test_a_rule_that_there_is_not_is_refused_with_those_that_there_are(fedspoke: Fedspoke, export: Path, tmp_path: Path) -> None:
    status, _, err = fedspoke("data", "prepare", export, tmp_path / "out", "--without", "hastags")

    assert (status, err) == (2, f"fedspoke: --without hastags names no rule; the rules are {', '.join(RULES)}\n")
    assert not (tmp_path / "out").exists()


def test_rules_are_listed_with_their_reasons(fedspoke: Fedspoke) -> None:
    _, shown, _ = fedspoke("data", "rules")
    _, told, _ = fedspoke("data", "rules", "-o", "json")

    assert json.loads(told) == dict(RULES)
    assert [line.split("  ")[0].strip() for line in shown.splitlines()] == list(RULES)


def test_several_parts_are_one_export(fedspoke: Fedspoke, tmp_path: Path) -> None:
    photo = "your_facebook_activity/posts/media/1.jpg"
    build.write(tmp_path / "in", {build.FACEBOOK_POSTS: [build.facebook_post("the tram", photo)]}, photos=[photo])
    parts = [tmp_path / "facebook-1.zip", tmp_path / "facebook-2.zip"]
    for part, name in zip(parts, [build.FACEBOOK_POSTS, photo], strict=True):
        with zipfile.ZipFile(part, "w") as packed:
            packed.write(tmp_path / "in" / name, name)

    _, counted, _ = fedspoke("data", "inspect", *parts, "-o", "json")
    _, made, _ = fedspoke("data", "prepare", *parts, tmp_path / "out", "-o", "json")

    assert (json.loads(counted)["images"], json.loads(made)["images"]) == (1, 1)


@pytest.mark.parametrize("command", [["inspect"], ["prepare", "out"]], ids=["inspect", "prepare"])
def test_an_export_that_cannot_be_read_whole_says_so_at_once(fedspoke: Fedspoke, tmp_path: Path, command: list[str]) -> None:
    export = build.write(tmp_path / "in", {build.FACEBOOK_POSTS: [build.facebook_post("the tram is late")] * 3})
    (export / build.FACEBOOK_POSTS.replace("_1.", "_2.")).write_text('[{"data": [{"post": "cut o')
    name, *rest = command

    status, out, _ = fedspoke("data", name, export, *(tmp_path / word for word in rest))

    assert status == 0
    assert out.splitlines()[1].startswith("  INCOMPLETE: 1 of the files that list posts could not be read to its end")


def test_a_sealed_file_is_shown_to_who_has_the_key(fedspoke: Fedspoke, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(32))
    told = settings(tmp_path, {}, key=tmp_path / "key")
    own = Store(Path(told.output), bytes(32))
    own.root.mkdir()
    own.replace(own.root / "captions.json", b'[{"true": "a walk"}]\n')
    (tmp_path / "settings.json").write_text(told.model_dump_json(by_alias=True))

    def show(name: str) -> tuple[object, str, str]:
        return fedspoke("data", "show", name, "--settings", tmp_path / "settings.json")

    assert show("captions.json")[:2] == (0, '[{"true": "a walk"}]\n')
    assert show("none.json")[::2] == (2, f"fedspoke: {own.root}/none.json cannot be read: No such file or directory\n")
    assert show("../key")[::2] == (2, f"fedspoke: ../key lies outside the collaborator's output, {own.root}\n")
    (tmp_path / "key").write_bytes(bytes(31) + b"!")
    why = "captions.json is not what was written, or was written with another key; it is to be made again"
    assert show("captions.json")[::2] == (1, f"fedspoke: {why}\n")
