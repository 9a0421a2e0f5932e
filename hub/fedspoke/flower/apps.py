"""Runs Flower's apps in forks of a process that has imported Flower already.

Flower's own way (`--isolation subprocess`) starts a `flower-superexec` beside each daemon and a new interpreter for each message.
Each of them spends 2.4 CPU seconds on imports; a fork spends none. With three rounds on two spokes that is 30 CPU seconds. So the
daemons run with `--isolation process`, and this is the process: it asks for tasks as `flower-superexec` does, and forks.
"""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from queue import Queue
from types import ModuleType, TracebackType
from typing import Self

import httpx
from flwr.clientapp import ClientApp
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient

from fedspoke.api.errors import Failed
from fedspoke.flower import programs

App = Callable[[str, str], None]
"""Runs one task to its end and exits; takes the Runtime API's address and the task's token."""


def client_app(app: ClientApp) -> App:
    """Runs this ClientApp for one message; imported here, so that a fork has it.

    Flower's own way unpacks the app that the SuperLink sent with the run (a FAB) and imports what it names: whoever has the hub
    would run what he likes beside the trainer, with its token. Here nothing of it is unpacked, whatever it names.
    """
    import flwr.supernode.runtime.run_clientapp as program

    _replace(program, "install_from_fab", lambda *_, **__: None)
    _replace(program, "get_load_client_app_fn", lambda **_: lambda *_: app)
    return lambda address, token: program.run_clientapp(address, token, insecure=True, runtime_dependency_install=False)


def server_app() -> App:
    """Runs the ServerApp of one run; imported here, so that a fork has it."""
    from flwr.superlink.runtime.run_serverapp import run_serverapp

    return lambda address, token: run_serverapp(address, Queue(), token, insecure=True)


class Apps:
    """The apps of one daemon, one process a task; leaves none running."""

    def __init__(self, address: str, kind: TaskType, app: App) -> None:
        self._address = address
        self._app = app
        self._request = AcquireTaskRequest(supported_task_types=[kind])
        self._client = RuntimeHttpClient.from_server_address(
            address,
            insecure=True,
            root_certificates=None,
            interceptors=[RuntimeVersionHttpInterceptor(component_name="SuperExec")],
        )
        self._running: list[BaseProcess] = []
        self.started = 0
        """How many tasks there were so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._running:
            process.kill()
            process.join()
        self._client.close()

    def step(self) -> list[int]:
        """Start the app of the next task, if there is one.

        Raises:
            Failed: the daemon hands out none.

        Returns:
            The exit statuses of the apps that have ended since the last step; negative: a signal.
        """
        ended = [process.exitcode for process in self._running if process.exitcode is not None]
        self._running = [process for process in self._running if process.exitcode is None]
        if self._running:  # a daemon has one task at a time for us, and each time that it is asked costs 5 ms of CPU
            return ended
        try:
            answer = self._client.AcquireTask(self._request)
        except httpx.TransportError:  # the daemon is not up yet, or on its way down; whoever started it watches it
            return ended
        except httpx.HTTPStatusError as error:
            raise Failed(f"Flower at {self._address} hands out no tasks: {error.response.status_code}") from error
        if answer.HasField("task") and answer.token:
            task = (os.getpid(), self._app, self._address, answer.token)
            process = multiprocessing.get_context("fork").Process(target=_run, args=task)
            process.start()
            self._running.append(process)
            self.started += 1
        return ended


def _replace(program: ModuleType, name: str, own: object) -> None:
    if not hasattr(program, name):
        raise Failed(f"Flower's {program.__name__} has no {name}: it is another release than the one that is pinned")
    setattr(program, name, own)


def _run(parent: int, app: App, address: str, token: str) -> None:
    programs.end_with(parent)
    app(address, token)
