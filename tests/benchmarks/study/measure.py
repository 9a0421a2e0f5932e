"""One arm of the study with one seed: trained, and measured on posts that nobody trained on."""

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

_LORA = Lora(rank=8, alpha=16, dropout=0)


def measure(model: str, arm: Arm, seed: int, rate: float, count: int, passes: int) -> Losses:
    """Held-out loss of one arm with one seed, on each platform and before any training; of several adapters the mean."""
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        images, photographs = Path(folder) / "posts", _photographs()
        setting = Setting(
            model=model,
            training=Training(
                lora=Lora(rank=8, alpha=16, dropout=0.05), batch_size=8, gradient_accumulation=1, learning_rate=rate
            ),
            passes=passes,
            images=images,
            clusters={of.cluster: posts.write(of, count, images, photographs, f"{seed}-{of.cluster}") for of in accounts()},
            seed=seed,
            scratch=Path(folder),
        )
        tests = {name: posts.held_out(name, 72, images, photographs, f"{seed}/test/{name}") for name in PLATFORMS}
        trained = train(arm, setting)
        return {
            name: statistics.fmean(trainer.loss(test, images, adapter) for trainer, adapter in trained)
            for name, test in tests.items()
        } | {"base": statistics.fmean(trained[0][0].loss(test, images, None) for test in tests.values())}
