"""Keep a fleet up until Ctrl-C, to look around in it and to run tests against it again and again: `make fleet`."""

import signal
from pathlib import Path

from support.fleet.fleet import own


def main() -> None:
    """Bring a hub and two spokes up, and say by which variables tests and kubectl find them."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with own(2, print, Path("out/e2e/start")) as fleet:
        spokes = ":".join(f"{spoke.name}={spoke.kubeconfig}" for spoke in fleet.spokes)
        print(f"export FEDSPOKE_HUB_KUBECONFIG={fleet.hub.kubeconfig} FEDSPOKE_SPOKE_KUBECONFIGS={spokes}")
        print("Ctrl-C ends it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("ending")


if __name__ == "__main__":
    main()
