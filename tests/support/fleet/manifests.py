"""OCM's own manifests, as its operator would apply them: roles, service accounts and definitions of its kinds.

They are Go templates, of which only two things matter here: what is there on some condition is left out, and names are filled in.
"""

import re
from pathlib import Path

import yaml

from fedspoke.api.base import Object
from support.fleet import binaries

MODULE = "open-cluster-management.io/ocm"

_OPENS = re.compile(r"\{\{-?\s*(if|range)\b")
_CLOSES = re.compile(r"\{\{-?\s*end\b")
_NAME = re.compile(r"\{\{\s*\.([\w.]+)\s*\}\}")


def folder(say: binaries.Say = print) -> Path:
    """Where all of them are on this machine.

    Raises:
        Failed: they cannot be fetched.
    """
    return binaries.manifests("ocm", MODULE, "manifests", say)


def rendered(files: list[Path], names: dict[str, str]) -> list[Object]:
    """The objects of some manifests."""
    return [yaml.safe_load(_filled(file.read_text(), names)) for file in files]


def _filled(template: str, names: dict[str, str]) -> str:
    depth, kept = 0, []
    for line in template.splitlines():
        opened, closed = len(_OPENS.findall(line)), len(_CLOSES.findall(line))
        if not (depth or opened or closed):
            kept.append(_NAME.sub(lambda name: names[name[1]], line))
        depth += opened - closed
    return "\n".join(kept)
