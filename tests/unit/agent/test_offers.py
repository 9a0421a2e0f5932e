"""What counts as an offer, whoever wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.agent.offers import folder as accepted
from fedspoke.agent.offers import offers
from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.names import OFFERS, PLATFORMS
from support.offered import folder, volume


def the(it: Object):
    (offer,), _ = offers([it])
    return offer


def test_a_labelled_volume_is_offered_read_only():
    it = the(volume("holiday", "instagram"))
    assert (it.key, it.platform) == ("volume.holiday", "instagram")
    assert it.volume == {"persistentVolumeClaim": {"claimName": "holiday", "readOnly": True}}


@pytest.mark.parametrize("path", ["/data/facebook", "/srv", "/var/lib/federated-learning/facebook", "/usr.local/x"])
def test_a_folder_of_the_node_is_offered_as_it_is_written(path: str):
    assert the(folder(path)).volume == {"hostPath": {"path": path, "type": "Directory"}}


def test_what_has_no_label_or_is_being_deleted_is_not_offered():
    going = volume()
    going["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    assert offers([volume(platform=None), going]) == ([], {})


def test_another_volume_or_other_files_are_another_version_and_nothing_else_is():
    it = volume()
    same = volume()
    same["metadata"]["annotations"]["note"] = "renamed"
    same["metadata"]["resourceVersion"] = "77"
    others = [
        volume(uploaded="2026-11-21"),
        volume(uploaded="2026-11-22"),
        volume(platform="instagram"),
        volume("other"),
    ]
    assert the(same).version == the(it).version
    assert len({the(it).version, *(the(each).version for each in others)}) == 5


def test_a_volume_and_a_folder_of_one_name_are_two_offers():
    (one, two), _ = offers([volume("same"), folder("/data/x", "same")])
    assert one.key != two.key


@given(st.text().filter(lambda it: it not in PLATFORMS))
def test_a_label_that_names_no_platform_offers_nothing_and_says_so(platform: str):
    found, refused = offers([volume("holiday", platform)])
    assert found == []
    assert refused == {"volume.holiday": f"its label {OFFERS} must be one of facebook, instagram"}


@pytest.mark.parametrize(
    "path",
    [
        *(
            None,
            "",
            "data",
            "/",
            "//",
            "/data/",
            "/data//x",
            "/data/./x",
            "/data/../etc",
            "/..",
            "/data/..",
            "~/data",
            "/da ta",
            "/a:b",
        ),
        *(
            "/etc",
            "/etc/kubernetes",
            "/proc/1",
            "/var",
            "/var/lib",
            "/var/lib/kubelet",
            "/var/run/secrets",
            "/root/x",
            "/dev",
            "/run",
        ),
        *("/data\n/x", "/data/\u202efacebook", "/data/\ud800"),
    ],
)
def test_a_path_that_leads_elsewhere_or_into_the_system_is_refused(path: str | None):
    found, refused = offers([folder(path)])
    assert found == []
    assert refused["folder.holiday"].startswith("its key path ")


@given(st.text(alphabet="/.ab:~\\\n etcvarlib", max_size=30))
def test_whatever_is_accepted_is_one_plain_path_outside_of_the_system(path: str):
    try:
        taken = accepted(path)
    except Refused:
        return
    assert taken == path
    assert path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/")[1:])
    assert path.split("/")[1] not in {"etc", "lib", "var"} or (path.startswith("/var/") and not path.startswith("/var/lib/"))


def test_a_name_that_is_too_long_to_be_kept_is_refused():
    _, refused = offers([volume("a" * 201)])
    assert refused == {f"volume.{'a' * 200}": "its name must not have more than 200 characters"}
