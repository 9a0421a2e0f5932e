"""A Placement that OCM takes from the API server and then refuses to evaluate."""


class Misconfigured(Exception):
    """OCM takes every cluster back and reports the condition PlacementMisconfigured; the text is the condition's message.

    The message is "<plugin>:<what is wrong>", as OCM writes it; `plugin` is empty for what no plugin owns.
    """

    def __init__(self, plugin: str, message: str) -> None:
        super().__init__(f"{plugin}:{message}")
