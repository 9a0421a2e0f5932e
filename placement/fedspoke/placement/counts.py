"""Claims that are counts. A claimSelector compares texts, not numbers, so "at least" is said in two other ways: a small count
excludes each smaller one by NotIn, which every OCM understands; a large one needs CEL (OCM ≥ 1.0), in one form that can be
written here and read back, so that a reason can speak of posts and not of CEL.
"""

import re
from dataclasses import dataclass

from fedspoke.api.base import Object

_CEL = 'managedCluster.status.clusterClaims.exists(c, c.name == "{claim}" && int(c.value) >= {least})'
_READ = re.compile(re.escape(_CEL).replace(r"\{claim\}", r"(?P<claim>[a-z0-9.-]+)").replace(r"\{least\}", r"(?P<least>[0-9]+)"))


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A claim must be a number, and no smaller one."""

    claim: str
    least: int

    def cel(self) -> str:
        """As an expression for a celSelector."""
        return _CEL.format(claim=self.claim, least=self.least)

    def requirements(self) -> list[Object]:
        """As requirements of a claimSelector; their length grows with the count."""
        smaller = [str(count) for count in range(self.least)]
        return [{"key": self.claim, "operator": "Exists"}, {"key": self.claim, "operator": "NotIn", "values": smaller}]


def read(expression: str) -> AtLeast | None:
    """The count that an expression asks for, if `AtLeast.cel` wrote it."""
    found = _READ.fullmatch(expression)
    return AtLeast(found["claim"], int(found["least"])) if found else None
