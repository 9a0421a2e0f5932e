"""The commands of a hub whose aggregator sends each spoke code of its own with the run, as Flower lets it.

python -m support.hostile_hub aggregator --settings FILE
"""

from flwr.cli.build import build_fab_from_files

from fedspoke.cli.main import main
from fedspoke.hub.aggregation import submit

MARK = "the hub's code ran here"
_CODE = f"""
import os, pathlib
from fedspoke.collaborator.client_app import app
pathlib.Path(os.environ["FLWR_HOME"], {MARK!r}).touch()
"""


def _bundle() -> bytes:
    names = submit.app().read_bytes().replace(b"fedspoke.collaborator.client_app:app", b"sent:app")
    content, _ = build_fab_from_files({"pyproject.toml": names, "sent.py": _CODE.encode()})
    return content


if __name__ == "__main__":
    submit.bundle = _bundle
    main()
