"""What the aggregator keeps: a checkpoint and a line of rounds.jsonl for each round, and the model as PEFT loads it.

A restarted aggregator goes on after the last line. Every file appears whole: written under another name, then renamed.
"""

from hashlib import file_digest
from pathlib import Path

from fedspoke.api.adapter import save
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import AggregatorSettings, RoundRecord
from fedspoke.hub.aggregation.initial import initial
from fedspoke.hub.aggregation.layout import verify
from fedspoke.hub.aggregation.rounds import Layout


class State:
    """The files of one run in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rounds = folder / "rounds.jsonl"
        (folder / "rounds").mkdir(parents=True, exist_ok=True)

    def checkpoint(self, round: int) -> Path:  # noqa: A002  the field's word
        """The adapter that the round made; 0 is the one that round 1 starts from."""
        return self._folder / "rounds" / f"{round}.safetensors"

    def records(self) -> list[RoundRecord]:
        """The finished rounds."""
        lines = self._rounds.read_text().splitlines() if self._rounds.exists() else []
        return [RoundRecord.model_validate_json(line) for line in lines]

    def start(self, layout: Layout, settings: AggregatorSettings) -> tuple[int, Path, str]:
        """Where to go on: the last finished round (0: none), its adapter and the adapter's digest.

        Raises:
            Failed: the checkpoint of that round is not what rounds.jsonl says, or not of this layout.
        """
        records = self.records()
        if not records:
            path = self.checkpoint(0)
            return 0, path, initial(layout, settings.run, path)
        last = records[-1]
        path = self.checkpoint(last.round)
        try:
            _confirm(path, last.digest, layout)
        except (OSError, Refused) as error:
            raise Failed(
                f"the checkpoint {path} of round {last.round} cannot be used ({error}); restore it or empty the folder"
            ) from error
        return last.round, path, last.digest

    def add(self, record: RoundRecord) -> None:
        """A round is finished, and its checkpoint written; that of the round before the last is not needed any more."""
        lines = [line.model_dump_json(by_alias=True) for line in (*self.records(), record)]
        self.write("rounds.jsonl", "\n".join([*lines, ""]).encode())
        self.checkpoint(record.round - 2).unlink(missing_ok=True)

    def save(self, adapter: Path, settings: AggregatorSettings) -> None:
        """`global/`: a folder that `PeftModel.from_pretrained` loads."""
        save(self._folder / "global", adapter, settings.lora, settings.model)

    def write(self, name: str, content: bytes) -> None:
        """Replace a file of the folder at once."""
        partial = self._folder / f"{name}.partial"
        partial.write_bytes(content)
        partial.replace(self._folder / name)


def _confirm(path: Path, digest: str, layout: Layout) -> None:
    with path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != digest:
            raise Refused("its bytes are not those that rounds.jsonl names")
    verify(path, layout)
