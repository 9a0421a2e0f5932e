"""kubectl as an engineer has it, of the Kubernetes that the fleet runs; its cache is beside the kubeconfig."""

from pathlib import Path

from support.fleet import binaries
from support.fleet.processes import call


def command(kubeconfig: Path, *arguments: str | Path) -> list[str | Path]:
    """What is typed at a prompt, for the cluster of this kubeconfig."""
    environment = [f"KUBECONFIG={kubeconfig}", f"KUBECACHEDIR={kubeconfig.with_suffix('.cache')}"]
    return ["env", *environment, binaries.program("kubectl"), *arguments]


def kubectl(kubeconfig: Path, *arguments: str | Path) -> str:
    """What a command says.

    Raises:
        Failed: it ends in an error.
    """
    return call(*command(kubeconfig, *arguments))
