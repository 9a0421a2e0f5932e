"""One platform's records, judged before anything is trained on them: read in pages, each asked about once, ever.

An owner's word goes before a crew's, and who has it is not asked. What a crew has decided before stands. For the rest there are
so many requests, each counted before it is sent; a record that they do not suffice for is not trained on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fedspoke.api.curation import Curation
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.answers import Post, PostsListed
from fedspoke.collaborator.curation import KEEP, Decision, Fate, Question, digest, questions, reason_of
from fedspoke.collaborator.decisions import Decisions, Overrules
from fedspoke.collaborator.wanted import Tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Curate:
    """What a cluster's records are judged by."""

    curation: Curation
    topics: bool
    """Whether what they are about is asked, too."""
    ask: Callable[[Question], str | None]
    """The crew: a word, or None for an answer that is none."""
    decisions: Decisions
    overrules: Overrules
    now: Callable[[], datetime]

    @classmethod
    def of(
        cls,
        settings: CollaboratorSettings,
        curation: Curation,
        ask: Callable[[Question], str | None],
        now: Callable[[], datetime],
    ) -> "Curate":
        """A collaborator's, with what was decided before."""
        topics = settings.profiles.enabled and settings.profiles.topics
        decisions = Decisions(Path(settings.output), curation.model, digest(topics=topics))
        overrules = Overrules.read(settings.overrules)
        return cls(curation=curation, topics=topics, ask=ask, decisions=decisions, overrules=overrules, now=now)

    def records(self, platform: Platform, pages: Callable[[int], PostsListed], tell: Tell) -> dict[str, Fate]:
        """What becomes of each record of a platform, by its id. `pages` has those from one on; `tell` hears how far this is."""
        fates: dict[str, Fate] = {}
        for post, total in _posts(pages):
            fates[post.id] = self._fate(platform, post)
            aside = sum(it.reason is not None for it in fates.values())
            tell(f"{len(fates)} of {total} {platform} posts judged, {aside} set aside, {self.decisions.requests} requests")
        return fates

    def _fate(self, platform: Platform, post: Post) -> Fate:
        if post.id in self.overrules:
            return Fate(reason="owner" if post.id in self.overrules.set_aside else None, overruled=True)
        decided = self.decisions.of(post.id)
        if decided is None:
            asked = questions(post.text, topics=self.topics)
            if self.decisions.requests + len(asked) > self.curation.max_requests:
                return Fate(reason="unjudged")
            decided = self._decided(platform, post, asked)
            self.decisions.add(decided)
        return Fate(reason=decided.reason, topic=decided.topic)

    def _decided(self, platform: Platform, post: Post, asked: tuple[Question, ...]) -> Decision:
        judges = asked[:-1] if self.topics else asked
        before, word = self.decisions.requests, None
        for question in judges:
            word = self._asked(question)
            if word != KEEP:
                break
        topic = None
        if word == KEEP and self.topics:
            topic = self._asked(asked[-1])
        return Decision(
            platform=platform,
            id=post.id,
            decision="keep" if word == KEEP else "set-aside",
            reason=reason_of(word),
            topic=topic,
            model=self.curation.model,
            prompt=digest(topics=self.topics),
            requests=self.decisions.requests - before,
            at=self.now(),
        )

    def _asked(self, question: Question) -> str | None:
        self.decisions.sending()
        return self.ask(question)


def _posts(pages: Callable[[int], PostsListed]) -> Iterator[tuple[Post, int]]:
    offset = 0
    while (page := pages(offset)).posts:
        yield from ((post, page.total) for post in page.posts)
        offset += len(page.posts)
