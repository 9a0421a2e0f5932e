"""OCM's manifests are templates: what is there on a condition is left out, and names are filled in."""

from pathlib import Path

import pytest

from support.fleet import manifests

ROLE = """
kind: ClusterRole
metadata:
  name: open-cluster-management:{{ .KlusterletName }}-work
  labels:
    open-cluster-management.io/aggregate-to-work: "true"
    {{ if gt (len .Labels) 0 }}
    {{ range $key, $value := .Labels }}
    "{{ $key }}": "{{ $value }}"
    {{ end }}
    {{ end }}
  {{ if and .Arn (eq .Auth.Type "aws") }}
  annotations: {role-arn: {{ .Arn }}}
  {{ end }}
rules: []
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "role.yaml").write_text(ROLE)
    return tmp_path / "role.yaml"


def test_a_manifest_is_what_is_there_in_any_case(file: Path) -> None:
    assert manifests.rendered([file], {"KlusterletName": "klusterlet"}) == [
        {
            "kind": "ClusterRole",
            "metadata": {
                "name": "open-cluster-management:klusterlet-work",
                "labels": {"open-cluster-management.io/aggregate-to-work": "true"},
            },
            "rules": [],
        }
    ]


def test_a_name_that_nobody_gives_is_an_error(file: Path) -> None:
    with pytest.raises(KeyError, match="KlusterletName"):
        manifests.rendered([file], {})
