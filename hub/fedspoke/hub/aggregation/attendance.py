"""Who took part in how many rounds. The controller tells it too: nothing of what computes is imported here."""

from collections.abc import Collection, Mapping, Sequence

from fedspoke.api.records import RoundRecord


def absent(clusters: Collection[str], records: Sequence[RoundRecord], reasons: Mapping[str, str]) -> str:
    """`cluster2 took part in 1 of 2 rounds (train failed: …)` for each that missed one; empty if none did.

    Args:
        clusters: The chosen ones.
        records: The finished rounds.
        reasons: What is known of clusters that no round refused, as they were never there.
    """
    missed = []
    for cluster in clusters:
        part = sum(cluster in record.clusters for record in records)
        if part < len(records):
            refused = [record.refused[cluster] for record in records if cluster in record.refused]
            reason = refused[-1] if refused else reasons.get(cluster, "")
            missed.append(f"{cluster} took part in {part} of {len(records)} rounds{f' ({reason})' if reason else ''}")
    return "; ".join(missed)
