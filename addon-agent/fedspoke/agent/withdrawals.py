"""What an owner withdraws is taken back from the round that is open, where the cluster may have left an adapter already.

The claims that go would tell the hub, too, but only between two rounds, and some seconds later.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fedspoke.agent.aggregators import Call
from fedspoke.api.records import HubGateway

_HEARD = {204, 403, 404}
"""The aggregator's answers after which nothing of this cluster counts: it was told, or never took it for one of the chosen."""

log = logging.getLogger("fedspoke")


@dataclass(slots=True)
class Withdrawals:
    """The federations that have been told. An agent that is started anew tells them again, which changes nothing."""

    call: Call
    told: frozenset[str] = frozenset()

    def untold(self, withdrawn: Collection[str]) -> frozenset[str]:
        """Of the federations that may not run here, those whose aggregators do not know yet."""
        self.told &= frozenset(withdrawn)
        return frozenset(withdrawn) - self.told

    def tell(self, gateways: Iterable[HubGateway], untold: Collection[str]) -> None:
        """Try once. One that does not answer is tried again."""
        for gateway in gateways:
            if gateway.run in untold and self.call(gateway, "DELETE", "adapter") in _HEARD:
                self.told |= {gateway.run}
                log.info("%s: the hub has heard that what is shared is withdrawn", gateway.run)
