"""An environment of its own for each peer, so that none is held to another's versions; made once, in .bench/."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".bench"


def made(name: str, *requirements: str) -> Path:
    """The folder of the environment's programs. What was installed for other requirements is made anew."""
    folder = FOLDER / name
    said = folder / "requirements.txt"
    wanted = "\n".join([*requirements, ""])
    if not said.exists() or said.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--python", str(folder / "bin/python"), *requirements)
        said.write_text(wanted)
    return folder / "bin"


def variables(programs: Path) -> dict[str, str]:
    """What a peer's process is told: its own programs first, and where the benchmark's modules are."""
    path = f"{programs}{os.pathsep}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin"
    return {"PATH": path, "PYTHONPATH": str(Path(__file__).parents[1]), "VIRTUAL_ENV": str(programs.parent)}


def _uv(*arguments: str) -> None:
    own = Path(sys.executable).with_name("uv")  # Flower's, which is ours too
    command = [str(own) if own.exists() else "uv", *arguments, "--quiet"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=600)
