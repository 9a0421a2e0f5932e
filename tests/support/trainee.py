"""A training as a program to kill: `python -m support.trainee MODEL FOLDER STEP` says each step, and waits at this one.

The folder holds the posts' pictures and the adapter `start`; it gets `checkpoint` after each step, and `result`.
"""

import signal
import sys
from pathlib import Path

from fedspoke.collaborator.checkpoint import Checkpoints
from support.tiny import coloured_shapes
from support.training import trainer

STEPS = 8


def main() -> None:
    model, folder, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

    def say(step: int, steps: int, loss: float) -> None:
        print(step, flush=True)
        if step == last:
            signal.pause()

    trainee = trainer(model=model, steps=STEPS, checkpoints=Checkpoints(folder / "checkpoint", every=0))
    trainee.train(coloured_shapes(folder), folder, folder / "start", folder / "result", 1, say)


if __name__ == "__main__":
    main()
