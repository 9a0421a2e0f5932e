"""Does federation help? `python -m benchmarks.study`: each way to train, on the same posts, with several seeds.

Four clusters, two of each platform, post about subjects of which each has less than half. The loss is measured on other posts:
of both platforms about all subjects, and of each cluster's own kind. Each way has a learning rate of its own, found with a seed
of which nothing else is reported. The model is the tiny LLaVA with random weights, so the numbers compare ways to train and say
nothing of the real model's captions.
"""

import argparse
import json
import multiprocessing
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.study.arms import Arm
from benchmarks.study.compare import compare, table
from benchmarks.study.measure import measure
from support.tiny import tiny_llava

ARMS = (
    Arm("alone"),
    *(Arm("federated", lora, epochs) for lora in ("average", "svd", "ffa") for epochs in (1, 3, 10)),
    Arm("pooled, as many steps"),
    Arm("pooled"),
)


def main() -> None:
    """Write the table to the standard output, and every single loss to --out."""
    arguments = argparse.ArgumentParser(description="Held-out loss of each way to train.")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--posts", type=int, default=16, help="of each cluster")
    arguments.add_argument("--passes", type=int, default=30, help="over all posts; a multiple of 10 and of 3")
    arguments.add_argument("--out", type=Path, default=Path("out/study.json"))
    chosen = arguments.parse_args()
    ask = partial(measure, str(tiny_llava()), chosen.posts, chosen.passes)
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        rows = compare(ARMS, chosen.seeds, ask, partial(pool.starmap, chunksize=1))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({row.arm.name: asdict(row) for row in rows}, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
