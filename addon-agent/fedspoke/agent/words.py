"""What of a process's last words may be repeated: a sentence of our own, or else the kind of an error.

A termination message ends in a log's last lines, and those of whoever reads the data may quote it.
"""

import re

_OURS = "fedspoke: "
_KIND = re.compile(r"(\w+(?:\.\w+)*(?:Error|Exception|Interrupt|Exit))(?::.*)?")


def own_words(message: str) -> str:
    """The last sentence that we made ourselves; else the kind of the error in the last line; else nothing."""
    for line in reversed(message.splitlines()):
        if line.startswith(_OURS):
            return line.removeprefix(_OURS)
    last = next((line for line in reversed(message.splitlines()) if line.strip()), "")
    kind = _KIND.fullmatch(last.strip())
    return kind[1] if kind else ""
