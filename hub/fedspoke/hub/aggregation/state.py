"""What the aggregator keeps: a checkpoint and a line of rounds.jsonl for each round, and the model as PEFT loads it.

A restarted aggregator goes on after the last line. Every file appears whole: written under another name, then renamed.
"""

from pathlib import Path

from pydantic import ValidationError

from fedspoke.api import files
from fedspoke.api.adapter import save
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.files import sync
from fedspoke.api.records import AggregatorSettings, RoundRecord, cause
from fedspoke.hub.aggregation.initial import initial
from fedspoke.hub.aggregation.layout import verify
from fedspoke.hub.aggregation.moments import beside
from fedspoke.hub.aggregation.rounds import Layout

ROUNDS_FILE = "rounds.jsonl"

_REMEDY = "restore it or empty the folder"


class State:
    """The files of one run in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rounds = folder / ROUNDS_FILE
        (folder / "rounds").mkdir(parents=True, exist_ok=True)
        for torn in (folder / "rounds").glob(".*"):  # being written when somebody before us was killed
            torn.unlink()

    def checkpoint(self, round: int) -> Path:  # noqa: A002  the field's word
        """The adapter that the round made; 0 is the one that round 1 starts from."""
        return self._folder / "rounds" / f"{round}.safetensors"

    def records(self) -> list[RoundRecord]:
        """The finished rounds.

        Raises:
            Failed: a line of rounds.jsonl is none.
        """
        return records(self._rounds)

    def last(self) -> RoundRecord | None:
        """The last finished round, whose checkpoint is there.

        Raises:
            Failed: rounds.jsonl does not go with the checkpoints.
        """
        records = self.records()
        done = records[-1].round if records else 0
        kept = [int(path.stem) for path in (self._folder / "rounds").glob("*.safetensors") if path.stem.isdecimal()]
        # One more is what a crash leaves between a checkpoint and its line: that round is done again.
        if kept and (max(kept) > done + 1 or (self._rounds.exists() and not records)):
            raise Failed(f"{self._rounds} ends with round {done}, but there is a checkpoint of round {max(kept)}; {_REMEDY}")
        if not records:
            return None
        path = self.checkpoint(done)
        if not path.is_file():
            raise Failed(f"the checkpoint {path} of round {done} is gone; {_REMEDY}")
        if files.sha256(path) != records[-1].digest:
            raise Failed(f"the bytes of the checkpoint {path} are not those that rounds.jsonl names; {_REMEDY}")
        return records[-1]

    def start(self, layout: Layout, settings: AggregatorSettings) -> tuple[int, Path, str]:
        """Where to go on: the last finished round (0: none), its adapter and the adapter's digest.

        Raises:
            Failed: rounds.jsonl does not go with the checkpoints, or the last one is not of this layout.
        """
        last = self.last()
        path = self.checkpoint(last.round if last else 0)
        if last is None:
            return 0, path, initial(layout, settings.run, path)
        try:
            verify(path, layout)
        except Refused as error:
            raise Failed(f"the checkpoint {path} of round {last.round} cannot be used ({error}); {_REMEDY}") from error
        return last.round, path, last.digest

    def add(self, record: RoundRecord) -> None:
        """A round is finished, and its checkpoint written; what the round before the last left is not needed any more."""
        lines = [line.model_dump_json(by_alias=True) for line in (*self.records(), record)]
        self.write(ROUNDS_FILE, "\n".join([*lines, ""]).encode())
        before = self.checkpoint(record.round - 2)
        for path in (before, beside(before)):
            path.unlink(missing_ok=True)

    def save(self, adapter: Path, settings: AggregatorSettings) -> None:
        """`global/`: a folder that `PeftModel.from_pretrained` loads."""
        folder = self._folder / "global"
        save(folder, adapter, settings.lora, settings.model)
        for path in (*folder.iterdir(), folder, self._folder):  # once Completed is said, nobody makes them again
            sync(path)

    def write(self, name: str, content: bytes) -> None:
        """Replace a file of the folder at once, and for good."""
        files.replace(self._folder / name, content)


def records(file: Path) -> list[RoundRecord]:
    """The rounds of a rounds.jsonl, none if it is not there.

    Raises:
        Failed: a line is no round.
    """
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    try:
        return [RoundRecord.model_validate_json(line) for line in lines]
    except ValidationError as error:
        raise Failed(f"{file} holds a line that is no round ({cause(error)}); {_REMEDY}") from error
