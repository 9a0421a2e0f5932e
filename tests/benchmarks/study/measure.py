"""One arm of the study with one seed: trained, and measured on posts that nobody trained on.

They are of the same photographs, cut otherwise, with captions of the same few patterns: what is measured is whether a subject and
a manner were learned, not whether the model could describe what it never saw.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks.study import posts
from benchmarks.study.arms import Arm, Setting, train
from benchmarks.study.posts import accounts
from fedspoke.api.federated_learning import Lora, Training
from fedspoke.api.names import PLATFORMS
from fedspoke.local.demo import _photographs

Losses = dict[str, float]
"""On all subjects of each platform; `own`: on a cluster's own subjects in its own manner, the mean of the clusters; `base`.

Beside them `steps`: how many the optimiser made, of each cluster.
"""

_LORA = Lora(rank=8, alpha=16, dropout=0)
_TESTED = 36  # posts of a platform, two a subject
_OWN = 16  # posts of a cluster's own kind, two a subject


def measure(model: str, count: int, passes: int, arm: Arm, seed: int, rate: float) -> Losses:
    """Held-out losses of one arm with one seed; where it ends with an adapter a cluster, their mean."""
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        images, photographs = Path(folder) / "posts", _photographs()
        setting = Setting(
            model=model,
            training=Training(lora=_LORA, batch_size=8, gradient_accumulation=1, learning_rate=rate),
            passes=passes,
            images=images,
            clusters={of.cluster: posts.write(of, count, images, photographs, f"{seed}-{of.cluster}") for of in accounts()},
            seed=seed,
            scratch=Path(folder),
            steps=[],
        )
        tests = {name: posts.held_out(name, _TESTED, images, photographs, f"{seed}-test-{name}") for name in PLATFORMS}
        own = [posts.write(of, _OWN, images, photographs, f"{seed}-own-{of.cluster}") for of in accounts()]
        trained = train(arm, setting)
        each = trained if len(trained) > 1 else trained * len(own)
        return {
            **{
                name: statistics.fmean(with_.loss(test, images, adapter) for with_, adapter in trained)
                for name, test in tests.items()
            },
            "own": statistics.fmean(with_.loss(test, images, adapter) for (with_, adapter), test in zip(each, own, strict=True)),
            "base": statistics.fmean(trained[0][0].loss(test, images, None) for test in tests.values()),
            "steps": len(setting.steps) / (1 if arm.kind.startswith("pooled") else len(own)),
        }
