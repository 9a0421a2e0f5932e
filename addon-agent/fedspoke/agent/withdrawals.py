"""What an owner withdraws is taken back from the round that is open, where the cluster may have left an adapter already.

The claims that go would tell the hub, too, but only between two rounds, and some seconds later.
"""

import logging
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fedspoke.agent.aggregators import AT_ONCE, Call
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
        """Try once, at the same time. One that does not answer is tried again."""
        wanted = [it for it in gateways if it.run in untold]
        with ThreadPoolExecutor(AT_ONCE) as at_once:
            answers = [*at_once.map(lambda it: self.call(it, "DELETE", "adapter"), wanted)]
        for gateway, answer in zip(wanted, answers, strict=True):
            if answer in _HEARD:
                self.told |= {gateway.run}
                log.info("%s: the hub has heard that what is shared is withdrawn", gateway.run)
