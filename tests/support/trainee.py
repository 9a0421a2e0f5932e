"""A training that says each step, as a program to kill: `python -m support.trainee MODEL FOLDER`; goes on where one was killed.

The folder holds the posts' pictures and the adapter `start`; it gets `checkpoint` and `result`.
"""

import sys
from pathlib import Path

from fedspoke.collaborator.checkpoint import Checkpoints
from support.tiny import coloured_shapes
from support.training import trainer

STEPS = 8


def main() -> None:
    model, folder = Path(sys.argv[1]), Path(sys.argv[2])

    def say(step: int, steps: int, loss: float) -> None:
        print(step, flush=True)

    trainee = trainer(model=model, steps=STEPS, checkpoints=Checkpoints(folder / "checkpoint", every=0))
    trainee.train(coloured_shapes(folder), folder, folder / "start", folder / "result", 1, say)


if __name__ == "__main__":
    main()
