"""A collaborator's steps up to where it can train."""

from pathlib import Path

from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.steps import Steps
from support.collaborator import starting_point


def prepared(told: CollaboratorSettings) -> tuple[Steps, Path]:
    """Steps that are ready to train, and the adapter to start from."""
    steps = Steps(told)
    layout = steps.download_model().layout
    for platform in told.datasets:
        steps.fetch_data(platform)
    steps.clean_data()
    return steps, starting_point(told, layout)
