"""Which cluster a Flower node is: the one under whose certificate the node's ticket comes back.

Flower knows nodes by keys of their own and hides from us through which certificate they speak. So the hub sends each node a
ticket that nobody can guess, and the node presents it at the exchange, where the gateway says whose certificate it is.
"""

from collections.abc import Callable


class Tickets:
    """As many as there are nodes that the hub remembers. Each method is one step for Python, so threads may share it."""

    def __init__(self, draw: Callable[[], str]) -> None:
        self._draw = draw  # 128 bits of chance or more: a look-up then says nothing of a key that was not presented
        self._of: dict[int, str] = {}
        self._clusters: dict[str, str] = {}  # ticket → cluster; "" as long as nobody has presented it

    def of(self, node: int) -> str:
        """The node's ticket."""
        if node not in self._of:
            ticket = self._draw()
            self._clusters[ticket] = ""
            self._of[node] = ticket
        return self._of[node]

    def present(self, ticket: str, cluster: str) -> bool:
        """Whether the ticket is now this cluster's: it exists, and no other cluster presented it before."""
        if self._clusters.get(ticket) == "":
            self._clusters[ticket] = cluster
        return self._clusters.get(ticket) == cluster

    def cluster(self, node: int) -> str:
        """Whose node it is; empty as long as it has not presented its ticket."""
        return self._clusters.get(self._of.get(node, ""), "")

    def forget(self, node: int) -> None:
        """The node has gone."""
        self._clusters.pop(self._of.pop(node, ""), None)
