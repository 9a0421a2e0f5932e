"""`fedspoke crd`: what hub/deploy/crd.yaml holds."""

import click


@click.command()
def crd() -> None:
    """Print the CustomResourceDefinition of FederatedLearning as YAML."""
    from fedspoke.api.crd import crd as definition
    from fedspoke.api.documents import dump

    click.echo(dump(definition()), nl=False)
