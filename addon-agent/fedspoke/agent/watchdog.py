"""Whether anybody on the hub still waits for what a collaborator trains: its federation's aggregator is asked for a sign of life.

A collaborator whose hub has been silent for longer than its federation's `client.hubLostGrace` is ended, so that its GPU is free;
once the hub answers it is started again. Where its output has a volume, it goes on in the round that it was in.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fedspoke.agent.aggregators import AT_ONCE, Call
from fedspoke.api.records import HubGateway


@dataclass(slots=True)
class Watchdog:
    """Since when each federation's hub has been asked in vain. A time in which nobody could ask does not count."""

    call: Call
    silent: dict[str, datetime] = field(default_factory=dict)

    def look(self, gateways: Iterable[HubGateway], now: datetime) -> dict[str, str]:
        """Ask all of them; by federation, why it is not to run here."""
        all_of_them = [*gateways]
        with ThreadPoolExecutor(AT_ONCE) as at_once:
            answers = [*at_once.map(self._alive, all_of_them)]
        silent = [it for it, answered in zip(all_of_them, answers, strict=True) if not answered]
        self.silent = {it.run: self.silent.get(it.run, now) for it in silent}
        return {it.run: self._why(it) for it in silent if now - self.silent[it.run] > timedelta(seconds=it.grace)}

    def _alive(self, it: HubGateway) -> bool:
        return self.call(it, "HEAD", "rounds/0/adapter") != 0

    def _why(self, it: HubGateway) -> str:
        since = f"{self.silent[it.run]:%Y-%m-%d %H:%M:%S} UTC"
        grace = f"client.hubLostGrace is {it.grace:.0f} s"
        return (
            f"the hub has not answered at {it.address}:{it.port} since {since}, and {grace}; it runs again once the hub answers"
        )
