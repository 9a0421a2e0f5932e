"""What a cluster's profiles have spent together, by the hub's own account."""

from pathlib import Path

import pytest

from fedspoke.api.errors import Failed
from fedspoke.api.noise import composed, epsilon, sigma
from fedspoke.api.profiles import Noise, Profile
from fedspoke.hub.fusion.releases import FILE, Releases
from support.profiles import noised, profile


def drawn(value: float, noise: Noise | None = None) -> Profile:
    return profile(embedding=(value, 0.0), noise=noise or noised())


def spent(given: Profile) -> tuple[int, float | None]:
    assert given.noise
    return given.noise.releases, given.noise.spent_epsilon


def test_a_profile_with_new_noise_is_another_release_though_the_cluster_has_forgotten_the_first(
    tmp_path: Path,
) -> None:
    account = Releases(tmp_path)
    assert spent(account.counted(drawn(0.1))) == (1, 8)
    count, both = spent(account.counted(drawn(0.2)))
    assert count == 2
    assert both == pytest.approx(epsilon(1e-5, composed([1 / sigma(8, 1e-5, 1)] * 2)))
    assert both is not None
    assert both > 8


def test_the_same_profile_again_is_no_other_release(tmp_path: Path) -> None:
    account = Releases(tmp_path)
    assert [spent(account.counted(drawn(0.1))) for _ in range(3)] == [(1, 8)] * 3


def test_the_account_outlives_the_service(tmp_path: Path) -> None:
    Releases(tmp_path).counted(drawn(0.1))
    assert spent(Releases(tmp_path).counted(drawn(0.2)))[0] == 2


def test_a_cluster_that_says_more_is_believed(tmp_path: Path) -> None:
    more = noised(releases=5, spent_epsilon=30.0)
    assert spent(Releases(tmp_path).counted(drawn(0.1, more))) == (5, 30)


def test_where_one_had_no_noise_nobody_can_say_how_much_was_spent(tmp_path: Path) -> None:
    account = Releases(tmp_path)
    account.counted(profile(embedding=(0.5, 0.0)))
    assert spent(account.counted(drawn(0.1))) == (2, None)


def test_each_cluster_and_platform_has_its_own_account(tmp_path: Path) -> None:
    account = Releases(tmp_path)
    account.counted(drawn(0.1))
    other = profile("cluster2", "instagram", embedding=(0.2, 0.0), noise=noised())
    assert spent(account.counted(other)) == (1, 8)


def test_an_account_that_cannot_be_read_is_not_begun_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(Failed, match="no account of profiles"):
        Releases(tmp_path)
