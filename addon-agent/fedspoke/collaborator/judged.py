"""What is decided of a cluster's records: which are set aside, by their owner or by a crew, and the topics that it named.

Nothing is lost by setting a record aside: a decision is of the record's id, and cleaning anew forgets all of them. Where posts
are judged, a record that no crew was shown is not used: an export may have grown when its records are made again. What the owner
sets aside stays so, whether a crew is asked or not.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import Platform
from fedspoke.api.topics import NAMES
from fedspoke.collaborator.answers import Post, PostsListed, PostsSetAside, TopicNamed
from fedspoke.collaborator.curation import Reason
from fedspoke.collaborator.decisions import NO_WORD, Overrules
from fedspoke.collaborator.wanted import Tell, silent
from fedspoke.data.records import CleanRecord


class Judged:
    """Of one trainer, in memory. `records` are all that cleaning has left, by platform; `shown_only`: if posts are judged."""

    def __init__(
        self,
        records: Callable[[], Mapping[Platform, Sequence[CleanRecord]]],
        *,
        shown_only: bool,
        overrules: Overrules = NO_WORD,
    ) -> None:
        self._records = records
        self._overrules = overrules
        self._shown_only = shown_only
        self._shown: dict[Platform, set[str]] = {}
        self._aside: dict[Platform, dict[str, Reason]] = {}
        self._topics: dict[Platform, dict[str, str]] = {}

    def clear(self) -> None:
        """The records are read or cleaned anew."""
        self._shown.clear()
        self._aside.clear()
        self._topics.clear()

    def used(self) -> dict[Platform, tuple[CleanRecord, ...]]:
        """What there is to train on."""
        found = {platform: self._of(platform) for platform in self._records()}
        return {platform: records for platform, records in found.items() if records}

    def set_aside_for(self, platform: Platform) -> dict[str, int]:
        """How many of a platform's records are set aside, by reason."""
        return dict(sorted(Counter(self._aside_of(platform).values()).items()))

    def topics(self, platform: Platform) -> dict[str, str]:
        """By a record's id."""
        return dict(self._topics.get(platform, {}))

    def page(self, platform: Platform, offset: int, limit: int, tell: Tell = silent) -> PostsListed:
        """Some of a platform's records, whether they are set aside or not."""
        tell(f"{platform} posts are listed from {offset} on")
        self._there("list_posts")
        found = self._records().get(platform, ())
        shown = tuple(Post(id=it.id, text=it.text) for it in found[offset : offset + limit])
        self._shown.setdefault(platform, set()).update(it.id for it in shown)
        return PostsListed(posts=shown, total=len(found))

    def set_aside(self, platform: Platform, ids: Sequence[str], reason: Reason, tell: Tell = silent) -> PostsSetAside:
        """Leave them out from now on."""
        tell(f"{len(ids)} {platform} posts are set aside")
        self._known("set_aside", platform, ids)
        self._aside.setdefault(platform, {}).update(dict.fromkeys(ids, reason))
        return PostsSetAside(left=len(self._of(platform)))

    def name_topic(self, platform: Platform, ids: Sequence[str], topic: str, tell: Tell = silent) -> TopicNamed:
        """Count them for this topic."""
        tell(f"the topic of {len(ids)} {platform} posts is named")
        self._known("name_topic", platform, ids)
        if topic not in NAMES:
            raise Refused(f"name_topic knows no topic of that name; it knows {', '.join(NAMES)}")
        self._topics.setdefault(platform, {}).update(dict.fromkeys(ids, topic))
        return TopicNamed(named=len(ids))

    def _of(self, platform: Platform) -> tuple[CleanRecord, ...]:
        aside, shown = self._aside_of(platform), self._shown.get(platform, set())
        records = self._records().get(platform, ())
        return tuple(it for it in records if it.id not in aside and (it.id in shown or not self._shown_only))

    def _aside_of(self, platform: Platform) -> dict[str, Reason]:
        owners = (it.id for it in self._records().get(platform, ()) if it.id in self._overrules.set_aside)
        return self._aside.get(platform, {}) | dict.fromkeys(owners, "owner")

    def _known(self, tool: str, platform: Platform, ids: Sequence[str]) -> None:
        self._there(tool)
        if unknown := len(set(ids) - {it.id for it in self._records().get(platform, ())}):
            raise Refused(f"{tool} was given {unknown} ids that no {platform} post has; take them from list_posts")

    def _there(self, tool: str) -> None:
        if not self._records():
            raise Failed(f"{tool} has no records; call clean_data first")
