"""Numbers of different types in one comparison, which OCM's checker takes from the first macro on and not before.

That `exists(c, double(c.value) > 4)` compiles and `double(x) > 4` alone does not is how cel-go's scopes came out, and people
write it. Here no such comparison compiles, so that there the number that is written out becomes `dyn`.
"""

import re

_NUMERIC = "(?:int|uint|double)"
_PROBLEM = re.compile(
    r"ERROR: <input>:(\d+):(\d+): found no matching overload for '_([<>]=?)_' "
    rf"applied to '\({_NUMERIC}, {_NUMERIC}\)'"
)
_MACRO = re.compile(r"\.(?:all|exists|exists_one|filter|map|optMap|optFlatMap)\s*\(")
_NUMBER = r"-?(?:0x[0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)u?"
_BEFORE = re.compile(rf"(?<![\w.)\]])({_NUMBER})(\s*)$")
_AFTER = re.compile(rf"(\s*)({_NUMBER})(?![\w.])")


def loosened(source: str, blanked: str, problem: str) -> str | None:
    """The expression as it has to be written here, if nothing but such comparisons is its problem.

    `blanked` is the source with blanks for its literals and comments. The result is the source itself if neither side of a
    comparison is a number that is written out.
    """
    found = [(int(line), int(column), operator) for line, column, operator in _PROBLEM.findall(problem)]
    starts = [0, *(end.end() for end in re.finditer("\n", source))]
    at = [(starts[line - 1] + column - 1, operator) for line, column, operator in found]
    if not at or len(at) != problem.count("ERROR: ") or not _MACRO.search(blanked, 0, min(at)[0]):
        return None
    for start, operator in sorted(at, reverse=True):
        before, after = source[:start], source[start + len(operator) :]
        if _AFTER.match(after):
            source = before + operator + _AFTER.sub(r"\1dyn(\2)", after, count=1)
        else:
            source = _BEFORE.sub(r"dyn(\1)\2", before) + operator + after
    return source
