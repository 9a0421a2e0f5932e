"""Drive one target by coverage: `python -m fuzz TARGET [FOLDER...] [-runs=N]`, with libFuzzer's folders and flags.

What is found goes into the first folder; what makes a target fail is written to the folder at hand, and shown.
"""

import sys

import atheris

with atheris.instrument_imports(include=["fedspoke.data"]):
    from fuzz.targets import TARGETS

_, target, *flags = sys.argv
atheris.Setup([sys.argv[0], *flags], TARGETS[target])
atheris.Fuzz()
