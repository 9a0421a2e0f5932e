"""An upload's line to a receiver at work, which may be cut, and the cluster of a data owner."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, cast

from fedspoke.api.base import Object
from fedspoke.kube.client import Kind
from fedspoke.kube.exec import CutError, Exec
from fedspoke.manifestworks.collaborator import AGENT, NAMESPACE
from fedspoke.upload.content import Content, listed
from fedspoke.upload.inbox import receive
from fedspoke.upload.objects import VOLUME
from fedspoke.upload.send import send
from support.kube import Lists


class Line:
    """A receiver that writes to a folder, and the way to it, on which so many bytes get through."""

    def __init__(self, folder: Path, most: int | None = None) -> None:
        self.written, self._most = 0, most
        take, give = os.pipe()
        hear, say = os.pipe()
        self._sink, self._answers = os.fdopen(give, "wb"), os.fdopen(hear, "rb")
        self._receiver = Thread(target=self._receive, args=(folder, take, say), daemon=True)
        self._receiver.start()

    def _receive(self, folder: Path, take: int, say: int) -> None:
        with os.fdopen(take, "rb") as source, os.fdopen(say, "wb") as sink:
            receive(folder, source, sink, patience=0)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._sink.close()
        self._receiver.join()
        self._answers.close()

    def write(self, data: bytes) -> None:
        through = len(data) if self._most is None else min(len(data), self._most - self.written)
        try:
            self._sink.write(data[:through])
            self._sink.flush()
        except BrokenPipeError:
            raise CutError("the process has ended") from None
        self.written += through
        if through < len(data):
            self._sink.close()
            self._receiver.join()  # as long as it takes to notice
            raise CutError("the line was cut")

    def readline(self) -> bytes:
        if line := self._answers.readline():
            return line.rstrip(b"\n")
        raise CutError("the line was cut")


def content(folder: Path, **files: bytes) -> Content:
    """Files to upload; `a__b` is b in the folder a."""
    for name, data in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return listed([folder], nothing)


def nothing(*_: object) -> None:
    """Nobody watches."""


def over(line: Line, of: Content) -> int:
    """Send it; the bytes that went over the line after the manifest."""
    with line:
        send(line, of, nothing)
    return line.written - len(of.manifest.model_dump_json()) - 1


def there(folder: Path) -> dict[str, bytes]:
    """What a volume holds, but for what the upload keeps for itself."""
    files = (it for it in folder.rglob("*") if it.is_file() and it.relative_to(folder).parts[0] != ".incoming")
    return {str(it.relative_to(folder)): it.read_bytes() for it in files}


class Owner(Lists):
    """The cluster of a data owner: it has the add-on's agent, one volume, and pods that are as they are told to be."""

    def __init__(self, volume: Path, *statuses: Object, most: Sequence[int] = (), **lists: Any) -> None:
        template = {"spec": {"containers": [{"image": "fedspoke-agent:1"}], "imagePullSecrets": [{"name": "pull"}]}}
        metadata = {"name": AGENT, "namespace": NAMESPACE}
        super().__init__({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}})
        self.volume, self.most = volume, list(most)
        """How many bytes get through on each line, the last of which is not cut."""
        self._statuses = [*statuses, {"phase": "Running"}]
        self.commands: list[tuple[str, ...]] = []
        for name, value in lists.items():
            setattr(self, name, value)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        found = super().get(kind, name, namespace)
        if found and kind.kind == "Pod":
            found["status"] = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return found

    def exec(self, pod: str, namespace: str, command: Sequence[str]) -> Exec:
        self.commands.append((pod, *command))
        folder = self.volume / command[-1].removeprefix(VOLUME).lstrip("/")
        folder.mkdir(exist_ok=True)
        return cast("Exec", Line(folder, self.most.pop(0) if self.most else None))
