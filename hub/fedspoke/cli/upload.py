"""`fedspoke upload`: an export, or a model, into a volume of a cluster; `fedspoke receive`: the other end of it."""

import os
import sys
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import click

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import DOMAIN, PLATFORMS, Platform
from fedspoke.cli.progress import shown

_DATA_GIB, _MODEL_GIB = 10, 50


@click.command
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--context", help="The cluster, of the kubeconfig, if not its current one.")
@click.option("--platform", type=click.Choice(PLATFORMS), help="PATH is an export of it: a folder, a zip, or several zip parts.")
@click.option("--model", metavar="NAME", help="PATH is the folder of a LLaVA; it gets this name in the volume.")
@click.option("--storage-class", help="Of the volume, where one has to be made; the cluster's default one if not given.")
@click.option("--host-path", metavar="FOLDER", help="Of the node, for a volume on a cluster of one node.")
def upload(
    paths: tuple[Path, ...],
    context: str | None,
    platform: Platform | None,
    model: str | None,
    storage_class: str | None,
    host_path: str | None,
) -> None:
    """Bring an export, or a model, into a volume of a cluster, which is made if there is none.

    An upload that was cut goes on where it stopped when it is started again. A new one replaces the one before, once it is whole.
    """
    if bool(platform) == bool(model):
        raise Refused("name what PATH is: --platform facebook, --platform instagram or --model NAME")
    if storage_class and host_path:
        raise Refused("--storage-class and --host-path both say where the volume comes from; name one")
    if host_path and not host_path.startswith("/"):
        raise Refused(f"--host-path {host_path} must be a folder of the node, such as /var/lib/fedspoke")
    _check(paths, platform)

    from fedspoke.kube.client import Kubernetes
    from fedspoke.manifestworks.collaborator import NAMESPACE
    from fedspoke.upload.content import listed, summed
    from fedspoke.upload.session import Target, upload

    target = Target(
        claim=f"{platform}-data" if platform else "model",
        folder=_folder(model) if model else "",
        least=_DATA_GIB if platform else _MODEL_GIB,
        storage_class=storage_class,
        host_path=host_path,
        model=model is not None,
    )
    kube = Kubernetes.of_environment(context)
    try:
        with shown() as progress, TemporaryDirectory() as folder:
            content = listed(paths, progress)
            if model:
                content = summed(content, Path(folder))
            upload(kube, target, content, progress, lambda sentence: click.echo(sentence, err=True))
    except KeyboardInterrupt:
        raise Failed("interrupted; the same command goes on where this one stopped") from None
    sent = content.manifest
    click.echo(f"{len(sent.files)} files, {sent.size / 1e6:,.1f} MB, are in the volume of {target.claim}")
    kubectl = f"kubectl{f' --context {context}' if context else ''} --namespace {NAMESPACE}"
    if platform:
        click.echo(f"offer them to federations: {kubectl} label pvc {target.claim} {DOMAIN}/platform={platform}")
    else:
        click.echo(f"federations name it so: spec.training.model: {{name: /model/{model}, claimName: {target.claim}}}")


@click.command
@click.argument("folder", type=click.Path(path_type=Path))
def receive(folder: Path) -> None:
    """Take an upload from stdin into FOLDER, which `fedspoke upload` starts in a pod."""
    from fedspoke.upload.inbox import receive

    os.umask(0o007)  # whoever trains is of the volume's group; nobody else on the node is to read it
    folder.mkdir(exist_ok=True)
    if not receive(folder, cast("BufferedReader", sys.stdin.buffer), sys.stdout.buffer):
        sys.exit(1)  # the other end was told why


def _check(paths: tuple[Path, ...], platform: Platform | None) -> None:
    """What cannot be used is not uploaded."""
    if platform is None:
        from fedspoke.collaborator.model_folder import find

        if len(paths) > 1 or not paths[0].is_dir():
            raise Refused(f"{' '.join(map(str, paths))} is not one folder: name the folder of a LLaVA")
        find(str(paths[0]))
        return
    from fedspoke.data.inspect import inspect

    with shown() as progress:
        found = inspect(paths, progress)
    if found.platform != platform:
        raise Refused(f"{paths[0]} is an export of {found.platform}, and --platform says {platform}")
    if not found.posts:
        raise Refused(f"{paths[0]} has no post that can be learned from; `fedspoke data inspect` says why")


def _folder(name: str) -> str:
    if not name or name.startswith(".") or "/" in name:
        raise Refused(f"--model {name} must be the name of a folder, such as llava-1.5-7b-hf")
    return name
