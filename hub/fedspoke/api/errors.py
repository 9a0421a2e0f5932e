"""Two ways to say no. Their text is one sentence: what is wrong, where, and what would be right."""


class Refused(Exception):
    """The input cannot be used and nothing was touched; the command exits with 2."""


class Failed(Exception):
    """The work was begun and did not succeed; the command exits with 1."""


class Final(Failed):
    """It failed, and would fail again the same way: nothing but a changed input helps."""
