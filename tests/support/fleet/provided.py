"""What fleets need of this machine, installed and built once, before those who run side by side want all of it at the same time.

`-m support.fleet.provided` does it and says what takes its time.
"""

from support.fleet import binaries, manifests, requirements


def provide(say: binaries.Say) -> None:
    """It is all there afterwards.

    Raises:
        Failed: something is missing on this machine, or cannot be built.
    """
    requirements.provide(say)
    for program in binaries.PROGRAMS:
        binaries.program(program, say)
    manifests.folder(say)


if __name__ == "__main__":
    provide(lambda what: print(what, flush=True))
