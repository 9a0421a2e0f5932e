"""The aggregator's process: a SuperLink on loopback, a run of our ServerApp on it, and nothing left when it ends.

Either may be killed, by want of memory for instance. Then both are started anew and the run is submitted again: it goes on after
the last finished round, and the spokes' nodes register with the new SuperLink, which keeps nothing of the old one.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
import psutil

from fedspoke.api.backoff import Backoff, times
from fedspoke.api.errors import Failed, Final
from fedspoke.api.records import AggregatorSettings
from fedspoke.api.status import ENDED
from fedspoke.flower import programs
from fedspoke.hub.aggregation import owner, progress

_POLL = 0.1
_UP = 180.0
"""Seconds that the SuperLink may take to answer; it needs 3 on an idle core."""

_AGAIN = Backoff(most=5, well=2 * _UP)  # a start that fails takes less than what counts as having run well


def run(settings: AggregatorSettings, told: Path) -> None:
    """Serve one federation to its end; SIGTERM and SIGINT end it sooner. progress.json tells how it went.

    Args:
        settings: As they are at the start.
        told: The file that they are in, where other clusters may be chosen later.

    Raises:
        Failed: it did not complete; the sentence says why.
    """
    state = Path(settings.state)
    state.mkdir(parents=True, exist_ok=True)
    file = state / "progress.json"
    try:
        owner.take(state, settings.federation)
    except Failed as error:
        told_by_us = progress.Account(file, settings.clusters, settings.attempt).progress
        progress.write(file, told_by_us.model_copy(update={"phase": "Failed", "message": str(error)}))
        raise
    before = progress.read(file)
    if before and before.phase == "Completed":
        progress.write(file, before.model_copy(update={"attempt": settings.attempt}))
        return
    if before and before.phase == "Failed" and settings.attempt and before.attempt == settings.attempt:
        raise Failed(before.message)  # a kubelet starts a container again; whether there is another attempt is not its to say
    progress.write(file, progress.Account(file, settings.clusters, settings.attempt).progress)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _serve(settings, told, state, file)
    except Exception as error:
        own = f"the aggregator met an error of its own ({type(error).__name__}: {error}); its log has more"
        progress.fail(file, str(error) if isinstance(error, Failed) else own)
        raise
    after = progress.read(file)
    if after is None or after.phase != "Completed":
        raise Failed(after.message if after else f"{file} is gone")


def _serve(settings: AggregatorSettings, told: Path, state: Path, file: Path) -> None:
    """Until the federation has ended, however often the SuperLink or the ServerApp ends before it."""
    programs.free(settings.superlink_port, "the SuperLink")
    programs.free(settings.adapters_port, "the exchange of adapters")
    os.environ.update(programs.environment(state / "flower"))
    failures, done = 0, 0
    while True:
        began = time.monotonic()
        try:
            _attempt(settings, told, state, file)
        except Final:
            raise
        except (Failed, httpx.HTTPError) as error:
            why = str(error) if isinstance(error, Failed) else f"the SuperLink does not answer ({error or type(error).__name__})"
        else:
            return
        now = progress.read(file)
        reached = now.round if now else 0
        failures = _AGAIN.failures(failures if reached <= done else 0, time.monotonic() - began)
        done = max(done, reached)
        pause = _AGAIN.pause(failures)
        if pause is None:
            raise Failed(f"{why} (the {times(failures)} in a row)")
        progress.note(file, f"{why}; it is started again in {pause:.0f} s, the {times(failures)} in a row")
        time.sleep(pause)


def _attempt(settings: AggregatorSettings, told: Path, state: Path, file: Path) -> None:
    """From the SuperLink's start to the federation's end.

    Raises:
        Failed: the SuperLink or the ServerApp ended before the federation did.
        httpx.HTTPError: the SuperLink ended just when it was asked something.
    """
    address = f"127.0.0.1:{settings.superlink_port}"
    arguments = ["--insecure", "--host", "127.0.0.1", "--port", str(settings.superlink_port)]
    offline = ["--isolation", "process", "--disable-runtime-dependency-installation"]
    with programs.daemon("flower-superlink", [*arguments, *offline], state / "flower") as superlink:
        # Imported while the SuperLink does the same on another core, and after the environment that Flower reads at import.
        from flwr.supercore.constant import TaskType

        from fedspoke.flower.apps import Apps, server_app
        from fedspoke.hub.aggregation.submit import details, submit

        _await(superlink, address)
        run_id = submit(address, told.absolute())
        with Apps(address, TaskType.SERVER_APP, server_app()) as apps:
            while not (ended := apps.step()):
                if superlink.poll() is not None:
                    raise Failed(f"the SuperLink {_how(superlink.returncode)} during the run; its log says why")
                time.sleep(_POLL)
        said = progress.read(file)
        if said is None or said.phase not in ENDED:
            why = details(address, run_id) or "its log may say why"
            raise Failed(f"the ServerApp {_how(ended[0])} before the federation was completed: {why}")


def _how(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _await(superlink: psutil.Popen, address: str) -> None:
    until = time.monotonic() + _UP
    while time.monotonic() < until:
        if superlink.poll() is not None:
            raise Failed(f"the SuperLink {_how(superlink.returncode)} at its start; its log says why")
        try:
            if httpx.get(f"http://{address}/health", timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(_POLL)
    raise Failed(f"the SuperLink did not answer on {address} within {_UP:.0f} s")


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
