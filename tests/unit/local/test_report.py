import html
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from fedspoke.api.names import Platform
from fedspoke.api.profiles import GeneralProfile, GeneralVisual, Noise, Profile, Visual
from fedspoke.api.records import RoundRecord
from fedspoke.hub.fusion.fuse import fuse
from fedspoke.local import report
from support import outcome as build
from support.profiles import counted, noised, profile

HOSTILE = """<script>alert("1")</script><img src=x onerror='alert(2)'>"""


class Page(HTMLParser):
    """What a browser makes of a report: its elements with their attributes, and its text by section."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {}
        self.open: list[str] = []
        self.heading = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h2", "h3"):
            self.heading = data
        self.sections[self.heading] = self.sections.get(self.heading, "") + data

    def __contains__(self, text: str) -> bool:
        return any(text in part for part in self.sections.values())


def page(
    cr: Object | None = None,
    rounds: Sequence[RoundRecord] = (),
    placement: Object | None = None,
    general: GeneralProfile | None = None,
    profiles: Sequence[Profile] = (),
) -> Page:
    return Page(report.render(cr or build.cr(), rounds, placement or {}, general, profiles))


def finished(**changes: Any) -> Page:
    parts = {
        "cr": build.cr(),
        "rounds": build.rounds(),
        "placement": build.placement(),
        "general": build.general(),
        "profiles": build.profiles(),
    }
    return page(**{**parts, **changes})


def test_every_loss_of_every_cluster_is_drawn_and_stands_in_the_table() -> None:
    rendered = report.render(build.cr(), build.rounds(), build.placement(), None, [])
    table = rendered[rendered.index("Loss by round and cluster") :]
    for number, of in build.LOSSES.items():
        for cluster, loss in of.items():
            assert f"<title>{cluster}, round {number}: {loss:.4f}</title>" in rendered
            assert f">{loss:.4f}</td>" in table[: table.index("</table>")]


def test_the_chart_has_a_point_a_round_and_a_stroke_between_neighbouring_rounds() -> None:
    losses = {1: {"cluster1": 4.0}, 2: {"cluster1": 3.0}, 4: {"cluster1": 2.0}, 5: {"cluster1": 1.0}}
    rendered = report.render(build.cr(), build.rounds(losses), {}, None, [])
    series = rendered.partition('class="plot"')[2].partition("<g ")[2].partition("</g>")[0]
    assert re.findall(r'<circle cx="([\d.]+)%"', series) == ["0.0", "25.0", "75.0", "100.0"]
    assert re.findall(r'<line x1="([\d.]+)%" y1="[\d.]+%" x2="([\d.]+)%"', series) == [("0.0", "25.0"), ("75.0", "100.0")]


def test_the_weighted_mean_is_left_out_where_one_cluster_is_all_there_is() -> None:
    one = report.render(build.cr(), build.rounds({1: {"cluster1": 3.0}}), {}, None, [])
    two = report.render(build.cr(), build.rounds({1: {"cluster1": 3.0, "cluster2": 2.0}}), {}, None, [])
    assert "<title>all clusters" not in one
    assert "<title>all clusters, round 1: 2.5000</title>" in two


def test_an_update_that_was_not_used_is_named_with_its_reason() -> None:
    losses = {1: {"cluster1": 3.0, "cluster2": 2.0}, 2: {"cluster1": 2.0}}
    shown = page(rounds=build.rounds(losses, {2: {"cluster2": "lora_A holds NaN"}}))
    assert "In round 2 the update of cluster2 was not used: lora_A holds NaN" in shown.sections["Loss"]
    assert "not used" in shown.sections["Loss"].partition("In round 2")[0]


def test_time_and_bytes_are_summed_over_clusters_and_rounds() -> None:
    shown = finished().sections["Time and bytes"]
    assert "4.5 s" in shown and "2.5 MiB" in shown and "2.0 MiB" in shown  # noqa: PT018  one row
    assert "13.5 s" in shown and "7.5 MiB" in shown and "6.0 MiB" in shown  # noqa: PT018  the last row


@pytest.mark.parametrize(
    ("end", "said"),
    [("07:30:41.5", "41.5 s"), ("07:32:05", "2 min 5 s"), ("08:35:30", "1 h 5 min")],
)
def test_the_headline_says_how_long_it_took(end: str, said: str) -> None:
    assert f"Took{said}" in page(build.cr(completionTime=f"2026-11-21T{end}Z")).sections[""]


def test_the_bias_of_averaged_factors_is_shown_where_it_was_measured() -> None:
    measured = [record.model_copy(update={"lora_bias": 0.0123}) for record in build.rounds()]
    assert "0.012" in page(rounds=measured).sections["Loss"]
    assert "LoRA bias" not in page(rounds=build.rounds()).sections["Loss"]


def test_chosen_clusters_show_their_score_and_the_others_why_not() -> None:
    shown = finished().sections["Clusters"]
    assert re.search(r"cluster1\s*100", shown)
    assert re.search(rf"cluster3\s*{re.escape(build.REJECTED)}", shown)


def test_a_chosen_cluster_that_never_reported_is_shown_too() -> None:
    shown = page(cr=build.cr(clusters=[]), placement=build.placement())
    assert re.search(r"cluster2\s*75\s*has not reported", shown.sections["Clusters"])


def test_clusters_of_a_status_without_a_placement_are_shown() -> None:
    assert "cluster2" in page().sections["Clusters"]


def test_profiles_show_weight_cosine_and_the_noise_with_its_length() -> None:
    shown = finished().sections["Profiles"]
    assert "57.1 %" in shown
    assert shown.count("0.73") == 2
    assert "ε 8, δ 1e-05" in shown
    assert "0.24" in shown  # 0.0125 × √384


@pytest.mark.parametrize(
    ("noise", "said", "unsaid"),
    [
        pytest.param(None, "The profiles carry no noise", "Gaussian", id="none"),
        pytest.param(build.NOISE, "Gaussian noise was added", "hides most", id="little"),
        pytest.param(noised(epsilon=1, sigma=0.1), "hides most of the similarity", "no noise", id="much"),
    ],
)
def test_the_noise_is_told_honestly(noise: Noise | None, said: str, unsaid: str) -> None:
    shown = finished(general=build.general(noise), profiles=build.profiles(noise)).sections["Profiles"]
    assert said in shown
    assert unsaid not in shown


def test_the_unit_of_privacy_what_was_spent_and_what_is_not_covered_are_told() -> None:
    shown = finished(general=build.general(noised(releases=3, spent_epsilon=15.21))).sections["Profiles"]
    assert "can tell about one cleaned record" in shown
    assert "ε 8, δ 1e-053 releases spend ε 15.2" in shown
    assert "neither the number of posts nor the first and last day" in shown


def test_an_earlier_release_without_noise_is_told() -> None:
    shown = finished(general=build.general(noised(releases=2, spent_epsilon=None))).sections["Profiles"]
    assert shown.count("2 releases, one of them without") == 2


def general(noise: Noise | None = None) -> GeneralProfile:
    """Of 400 posts about travel, more on Instagram, and about food; with photos of one of two clusters."""
    travel, photos = {"facebook": 20, "instagram": 120}, Visual(tower="b" * 64, embedding=(0.0, 1.0))
    platforms: tuple[Platform, ...] = ("facebook", "instagram")
    return fuse(
        "run",
        [
            profile(
                platform,
                platform,
                posts=200,
                topics=counted(200, {"travel": travel[platform], "food": 60}),
                noise=noise,
                visual=photos if platform == "facebook" else None,
            )
            for platform in platforms
        ],
    )


def test_topics_stand_with_the_share_of_each_platform() -> None:
    shown = page(general=general(noised(topics_sigma=2))).sections["Topics"]
    assert re.search(r"food\s*30\.0 %\s*30\.0 %\s*30\.0 %", shown)
    assert re.search(r"travel\s*35\.0 %\s*10\.0 %\s*60\.0 %", shown)
    assert "noise ± 1.0 %" in shown


def test_what_platforms_share_and_where_they_differ_is_told() -> None:
    shown = page(general=general()).sections["facebook and instagram"]
    assert "Both post much about food, travel." in shown
    assert re.search(r"travel\s*10\.0 %\s*60\.0 %", shown)
    assert "The cosine of their texts' means is 1.00." in shown


def test_what_noise_hides_is_said_to_be_hidden() -> None:
    shown = page(general=general(noised(sigma=1, topics_sigma=100))).sections["facebook and instagram"]
    assert "hide how alike their texts are" in shown
    assert "No topic is certain to be frequent on both." in shown
    assert "No topic's share differs" in shown


def test_photos_that_are_not_in_the_general_profile_are_named_with_the_reason() -> None:
    cr = build.cr()
    cr["spec"]["profiles"] = {"visual": True}
    shown = page(cr, general=general()).sections["Profiles"]
    assert "1 of these profiles also has the mean of the photos" in shown
    assert "No photos of instagram/instagram are in it: too few of its posts have a photo." in shown
    assert "No profile has a mean of photos" in page(cr, general=build.general()).sections["Profiles"]


def test_profiles_that_were_not_fused_say_why() -> None:
    cr = build.cr(
        conditions=[build.condition("ProfilesFused", "False", "TooFewPosts", "cluster1 has 3 posts and minPosts is 20")]
    )
    assert (
        "There is no general profile: cluster1 has 3 posts and minPosts is 20"
        in finished(cr=cr, general=None).sections["Profiles"]
    )


def test_a_failed_run_without_rounds_says_why_and_what_is_missing() -> None:
    shown = page(build.cr(phase="Failed", message="the superlink's port 9092 is busy", clusters=[], conditions=[], rounds=None))
    assert "Failed. the superlink's port 9092 is busy" in shown.sections[""]
    for heading, sentence in {
        "Loss": "No round was finished",
        "Clusters": "No cluster was chosen",
        "Time and bytes": "nothing was measured",
        "Profiles": "There is no general profile",
        "Conditions": "No condition was reported",
    }.items():
        assert sentence in shown.sections[heading]


def test_conditions_and_the_resource_stand_at_the_end() -> None:
    shown = finished().sections
    assert "2 of 3 clusters qualify" in shown["Conditions"]
    assert "minAvailableClients: 2" in shown["The resource"]
    assert "phase: Completed" in shown["The resource"]


def test_what_clusters_and_users_write_never_becomes_markup() -> None:
    shown = finished(
        cr=build.cr(
            message=HOSTILE,
            clusters=[{"name": HOSTILE, "phase": HOSTILE, "reason": HOSTILE, "platform": HOSTILE}],
            conditions=[build.condition("ProfilesFused", "False", HOSTILE, HOSTILE)],
            model={"uri": HOSTILE, "digest": HOSTILE},
        ),
        rounds=build.rounds({1: {HOSTILE: 2.0, "cluster2": 3.0}}, {1: {"cluster3": HOSTILE}}),
        placement={"decisions": [], "rejected": [{"clusterName": HOSTILE, "reason": HOSTILE}]},
        general=None,
    )
    assert HOSTILE in shown
    assert not {tag for tag, _ in shown.tags} & {"script", "img"}
    assert not [name for _, attrs in shown.tags for name in attrs if name.startswith("on")]


def test_a_hostile_cluster_in_the_profiles_stays_text() -> None:
    general = build.general()
    part = general.parts[0].model_copy(update={"cluster": HOSTILE})
    visual = GeneralVisual(embedding=(1.0,), tower="b" * 64, parts=(), left_out={HOSTILE: HOSTILE})
    cr = build.cr()
    cr["spec"]["profiles"] = {"visual": True}
    shown = finished(cr=cr, general=general.model_copy(update={"parts": (part, general.parts[1]), "visual": visual}))
    assert shown.sections["Profiles"].count(HOSTILE) == 3 + 2  # in two tables, and why its photos are left out
    assert not {tag for tag, _ in shown.tags} & {"script", "img"}


def test_the_page_needs_nothing_but_itself() -> None:
    shown = finished(cr=build.cr(message="see https://example.org/why"))
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not [attrs for _, attrs in shown.tags if attrs.keys() & {"src", "href", "xlink:href", "action", "srcset"}]
    assert "url(" not in shown.sections[""] and "@import" not in shown.sections[""]  # noqa: PT018  the style sheet
    policy = next(attrs["content"] for tag, attrs in shown.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_write_makes_the_page_of_a_folder(tmp_path: Path) -> None:
    out = build.write(tmp_path / "out")
    report.write(out)
    page = html.unescape((out / "report.html").read_text())
    for fact in ("cluster2, round 3: 3.4567", build.REJECTED, "57.1 %", "2021-05-01 – 2024-09-30"):
        assert fact in page
    assert [path.name for path in out.iterdir() if "report" in path.name] == ["report.html"]


def test_a_cluster_with_both_platforms_keeps_a_list_of_profiles(tmp_path: Path) -> None:
    out = build.write(tmp_path / "out", shared=[])
    both = [build.profile("cluster1", "facebook"), build.profile("cluster2", "instagram")]
    (out / "clusters/cluster1").mkdir(parents=True)
    (out / "clusters/cluster1/profile.json").write_text("[" + ",".join(one.model_dump_json(by_alias=True) for one in both) + "]")
    report.write(out)
    assert "not kept here" not in (out / "report.html").read_text()


@pytest.mark.parametrize("name", ["rounds.jsonl", "placement.json", "general_profile.json", "clusters/cluster1/profile.json"])
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, name: str) -> None:
    out = build.write(tmp_path / "out")
    (out / name).write_text('{"round": "one"}\n')
    with pytest.raises(Refused, match=re.escape(f"{out / name} cannot be understood: ")):
        report.write(out)


def test_what_the_adapters_are_worth_on_posts_held_out_is_shown() -> None:
    rounds = build.rounds(held_out={1: (6.0, 5.5), 2: (5.0, 4.5), 3: (4.0, 3.5)})
    shown = page(build.cr(evaluation={"posts": 9, "baseLoss": 6.0, "loss": 3.25}), rounds).sections["Loss"]
    assert "On 9 posts that no cluster trained on, the base model's loss is 6 and the final adapter's 3.25." in shown
    assert all(loss in shown for loss in ("5.0000", "4.0000", "3.2500"))


def test_what_noised_adapters_spent_is_shown_with_what_it_hides() -> None:
    spent = {"epsilon": 7.5, "delta": 1e-5, "releases": 3, "unit": "all posts of one cluster"}
    shown = page(build.cr(privacy=spent), build.rounds()).sections["Loss"]
    assert "The 3 that one cluster sent spend together ε 7.5 at δ 1e-05, for all posts of one cluster." in shown


def test_answers_that_were_dropped_are_counted() -> None:
    first, *others = build.rounds()
    shown = page(rounds=[first.model_copy(update={"late": 2, "repeated": 1}), *others])
    assert "In round 1 2 answers or uploads came too late and 1 once more; they were dropped." in shown
