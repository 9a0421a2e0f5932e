"""Every file that the fuzzer found worth keeping, among them each that once made something fail."""

from pathlib import Path

import pytest

from fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[2] / "fuzz/corpus"


def test_every_target_has_a_corpus() -> None:
    assert {folder.name for folder in CORPUS.iterdir() if any(folder.iterdir())} == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_fuzzer_found_is_answered_rightly(target: str) -> None:
    for file in sorted((CORPUS / target).iterdir()):
        try:
            TARGETS[target](file.read_bytes())
        except Exception as error:
            raise AssertionError(f"{file} makes {target} fail") from error
