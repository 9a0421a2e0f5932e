"""A Placement that OCM takes from the API server and then refuses to evaluate."""


class Misconfigured(Exception):
    """OCM takes every cluster back and reports the condition PlacementMisconfigured; the text is the condition's message.

    The message is "<plugin>:<what is wrong>", as OCM writes it; `plugin` is empty for what no plugin owns. `right` is what
    OCM does not say: what to write instead.
    """

    def __init__(self, plugin: str, message: str, right: str = "") -> None:
        super().__init__(f"{plugin}:{message}")
        self.said = str(self).removeprefix(":") + (f"; {right}" if right else "")
        """The message as a person would have it, with what would be right."""
