"""How many times an expression may copy what it was given: a bound for time and memory, known before anything is evaluated.

OCM ends an evaluation by its cost; the library here counts only the steps of macros, and twenty short calls, each of which copies
a text four times, fill any memory. Values grow by repetition only where a macro names one and its body takes it several
times, or where a function writes one text into another.
"""

import re
from math import prod

MOST = 10_000
_UNKNOWN = 1_000  # copies, where what is written into the text is not spelled out
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map|optMap|optFlatMap)\s*\(")
_WRITES = re.compile(r"\.\s*(replace|join)\s*\(")
_QUOTE = re.compile(r"\bstrings\s*\.\s*quote\s*\(")
_COPY = re.compile(r"\+|[\w)\]}]\s*,")


def copies(source: str, blanked: str) -> int:
    """At most so many times a part of a cluster or a literal is in any value of the expression, but for macros' steps.

    `blanked` is the source with blanks for its literals and comments.
    """
    bodies = (_inside(blanked, found.end()) for found in _MACRO.finditer(blanked))
    in_macros = prod(max(1, len(_COPY.findall(body.partition(",")[2])) + 1) for body in bodies)
    written = (_written(source, blanked, found.end()) for found in _WRITES.finditer(blanked))
    quoted = 1 << len(_QUOTE.findall(blanked))
    return in_macros * prod(written) * quoted


def _inside(code: str, start: int) -> str:
    depth = 1
    for at in range(start, len(code)):
        depth += (code[at] in "([{") - (code[at] in ")]}")
        if not depth:
            return code[start:at]
    return code[start:]


def _written(source: str, blanked: str, start: int) -> int:
    """The length of what one `replace` or `join` writes; a text is at most as long as it is spelled."""
    code = _inside(blanked, start)
    if code.strip(" ,\t\r\n0123456789-"):
        return _UNKNOWN
    text = source[start : start + len(code)]
    last = text[code.index(",") + 1 :] if "," in code else text
    return max(1, len(last.strip()) - 1)
