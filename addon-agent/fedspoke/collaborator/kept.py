"""A trained round's account, kept, so that a repeated order is answered without another training: first before its adapter is
measured, and then with that.

To train again would take the round's time once more, and would draw noise anew: another release of what the same posts taught.
"""

from pathlib import Path

from pydantic import ValidationError

from fedspoke.api import files
from fedspoke.api.records import Digest, Record
from fedspoke.collaborator.answers import LlavaTrained


class _Account(Record):
    key: str
    digest: Digest
    answer: LlavaTrained


class Kept:
    """The last trained round; its adapter stays where the order wanted it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def find(self, key: str, result: Path) -> LlavaTrained | None:
        """What was answered to the order of this key, as long as its adapter is there still."""
        try:
            account = _Account.model_validate_json(self._file.read_bytes())
            found = account.key == key and account.digest == files.sha256(result)
        except (FileNotFoundError, ValidationError):  # none yet, or of another version
            return None
        return account.answer if found else None

    def keep(self, key: str, result: Path, answer: LlavaTrained) -> None:
        """In place of the round before."""
        account = _Account(key=key, digest=files.sha256(result), answer=answer)
        files.replace(self._file, account.model_dump_json(by_alias=True).encode())
