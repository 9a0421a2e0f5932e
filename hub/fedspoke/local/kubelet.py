"""What a kubelet makes of objects: ConfigMaps become files, containers become processes, and one that has ended is started again.

Where a kubelet waits 10 s and then up to 5 minutes, 1 s and then up to 30 s are waited here: a laptop has nobody else to serve,
and a person is looking on. A kubelet would go on with our Deployments and Jobs as long as the federation is there; here both end
with the seventh failure in a row, so that a run whose container cannot run ends within minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedspoke.api.backoff import Backoff, times
from fedspoke.api.federated_learning import Object
from fedspoke.local.folder import write
from fedspoke.local.processes import Machine, Process

HUB = "hub"
"""The hub's pod."""
_MOST = 6  # as batch/v1's default
_WELL = 60.0
_REFUSED = 2  # what our commands exit with when their input cannot be used: it could not be used the next time either


@dataclass(slots=True)
class _Container:
    """One container through all its lives."""

    spec: Object
    always: bool
    """Started again even if it ended well, as in a Deployment or as a native sidecar; else only on failure."""
    backoff: Backoff
    process: Process
    started: float
    failures: int = 0
    """In a row."""
    why: str = ""
    """How it ended the last time."""
    due: float | None = None
    """When it is started again; None while it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """What became of the pods; each is named after its cluster, and one is `HUB`."""

    stopped: Mapping[str, str] = field(default_factory=dict)
    """Those that run no more, and why."""
    restarted: Mapping[str, str] = field(default_factory=dict)
    """Those of which something ended lately and is started again, and why."""


@dataclass(slots=True)
class Kubelet:
    """Runs the pods of objects on one machine. `now` is a monotonic clock's, in seconds."""

    machine: Machine
    _stopped: dict[str, str] = field(default_factory=dict)
    _containers: list[_Container] = field(default_factory=list)

    def apply(self, pod: str, objects: Sequence[Object], config: Path, now: float) -> None:
        """Start the containers of these objects' pods, sidecars first, once their files are in `config`."""
        workloads = [item for item in objects if item["kind"] in ("Deployment", "Job")]
        volumes = [each for item in workloads for each in item["spec"]["template"]["spec"].get("volumes", [])]
        mounted = {each["configMap"]["name"] for each in volumes if "configMap" in each}
        for item in objects:
            if item["kind"] == "ConfigMap" and item["metadata"]["name"] in mounted:
                for name, text in item["data"].items():
                    write(config / name, text)
        for item in workloads:
            self._start(pod, item["spec"], now)

    def tend(self, now: float) -> Pods:
        """Start again what has ended and is to run, once its pause is over; a pod of which a part cannot run is ended."""
        for container in self._containers:
            code = container.process.exit_code
            if code is None or container.process.pod in self._stopped:
                continue
            if container.due is None:
                self._ended(container, code, now)
            elif now >= container.due:
                container.process = self.machine.start(container.process.pod, container.spec)
                container.started, container.due = now, None
        return Pods(stopped=dict(self._stopped), restarted=self._restarted(now))

    def _restarted(self, now: float) -> dict[str, str]:
        """Until what was started again has run well for a minute."""
        told: dict[str, list[str]] = {}
        for container in self._containers:
            pod, well = container.process.pod, container.due is None and now - container.started >= _WELL
            if container.failures and not well and pod not in self._stopped:
                again = "starts again" if container.due else "started again"
                told.setdefault(pod, []).append(f"{container.why}; {again}, {times(container.failures)}")
        return {pod: "; ".join(sentences) for pod, sentences in told.items()}

    def _start(self, pod: str, workload: Object, now: float) -> None:
        spec = workload["template"]["spec"]
        backoff = Backoff(most=min(workload.get("backoffLimit", _MOST), _MOST), well=_WELL)
        policy = spec.get("restartPolicy", "Always")
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            always = container.get("restartPolicy", policy) == "Always"
            self._containers.append(_Container(container, always, backoff, self.machine.start(pod, container), now))

    def _ended(self, container: _Container, code: int, now: float) -> None:
        pod = container.process.pod
        container.failures = container.backoff.failures(container.failures, now - container.started)
        container.why = how(container.process)
        pause = container.backoff.pause(container.failures)
        if pause is None or code == _REFUSED or (code == 0 and not container.always):
            self._stopped[pod] = container.why + (f", the {times(container.failures)} in a row" if container.failures > 1 else "")
            self.machine.stop(pod)
        else:
            container.due = now + pause


def how(process: Process) -> str:
    """How a container ended, in words."""
    code = process.exit_code or 0
    if code < 0:  # what it logged before is not why
        return f"{process.container} was killed by signal {-code}"
    return f"{process.container} ended with exit code {code}: {process.last_words()}"
