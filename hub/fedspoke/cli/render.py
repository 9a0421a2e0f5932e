"""`fedspoke render`: what the hub would apply, before it does."""

from datetime import UTC, datetime
from pathlib import Path

import click


@click.command
@click.argument("cr", type=click.Path(path_type=Path))
@click.option("--clusters", type=click.Path(path_type=Path), required=True, help="Folder of ManagedCluster YAML files.")
def render(cr: Path, clusters: Path) -> None:
    """Print every object that the hub would apply for the CR, as YAML.

    The gateway's address is the one that the CR's first listener names, or else the name that its certificate bears.
    """
    from fedspoke.api import documents, parse
    from fedspoke.api.names import server_name
    from fedspoke.hub.observed import unplaced
    from fedspoke.hub.reconcile import Site, wanted
    from fedspoke.local.clusters import read
    from fedspoke.manifestworks.collaborator import Hub, Spoke

    fl = parse.read(cr)
    known = read(clusters)
    decision = known.decision(fl, datetime.now(UTC))
    listener = next(iter(fl.spec.server.listeners), None)
    site = Site(
        hub_id="hub",
        gateway=Hub(
            address=(listener and listener.ip) or server_name(fl.namespace, fl.name), port=listener.port if listener else 8443
        ),
        deadline=datetime.now(UTC) + fl.spec.deadline,
    )
    missing = unplaced(fl, decision)
    spokes = [Spoke(cluster=name, datasets=known.declared(name, fl)) for name, _ in decision.decisions]
    click.echo(documents.dump(*wanted(fl, [] if missing else spokes, site)), nl=False)
    if missing:
        click.echo(f"only the Placement is applied so far: {missing}", err=True)
