"""Records anew what OCM's own CEL environment says of each expression in a file of verdicts, with Go and OCM's modules at hand:

    python -m support.ocm_cel unit/placement/golden/cel_verdicts.json      # in tests/

To record more expressions, add them with any verdict first.
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def record(path: Path) -> None:
    """One word where all clusters agree, else one for each."""
    asked = path.read_text()
    command = ["go", "run", str(HERE / "ocm_cel.go")]
    done = subprocess.run(command, cwd=HERE / "fleet" / "go" / "ocm", input=asked, capture_output=True, text=True, check=True)
    said, content = json.loads(done.stdout), json.loads(asked)
    words = {each: said[each][0] if len(set(said[each])) == 1 else " ".join(said[each]) for each in content["verdicts"]}
    lists = [_block(name, "[]", [json.dumps(it) for it in content[name]]) for name in ("clusters", "scores")]
    verdicts = _block(
        "verdicts", "{}", [f"{json.dumps(each, ensure_ascii=False)}: {json.dumps(word)}" for each, word in words.items()]
    )
    path.write_text("{\n" + ",\n".join([*lists, verdicts]) + "\n}\n")


def _block(name: str, brackets: str, lines: list[str]) -> str:
    return f'  "{name}": {brackets[0]}\n    ' + ",\n    ".join(lines) + f"\n  {brackets[1]}"


if __name__ == "__main__":
    record(Path(sys.argv[1]))
