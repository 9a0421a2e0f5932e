"""A collaborator's six steps, on plain files, with what must stay warm between them: the model, the records, the encoder.

Each can be repeated. One that comes too early, as to a trainer that was just started anew, fails with the name of the step that
is missing. Only one runs at a time.
"""

import json
import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from fedspoke.api import adapter as peft_folder
from fedspoke.api import files
from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.names import Platform
from fedspoke.api.profiles import Profile
from fedspoke.api.records import CollaboratorSettings, HeldOut
from fedspoke.collaborator import adapters, orders, own, release
from fedspoke.collaborator.answers import DataCleaned, DataFetched, Evaluated, LlavaTrained, ModelReady, ProfileMade
from fedspoke.collaborator.checkpoint import Checkpoints
from fedspoke.collaborator.decisions import Overrules
from fedspoke.collaborator.encoder import TextEncoder
from fedspoke.collaborator.heldout import Split, split
from fedspoke.collaborator.judged import Judged
from fedspoke.collaborator.kept import Kept
from fedspoke.collaborator.memory import enough
from fedspoke.collaborator.photos import LostPhotoError
from fedspoke.collaborator.posts import Posts
from fedspoke.collaborator.privacy import Gaussian, Ledger
from fedspoke.collaborator.profiles import refusal, span, visual_refusal
from fedspoke.collaborator.statistics import PlatformRecords, statistics
from fedspoke.collaborator.training import Trainer
from fedspoke.collaborator.wanted import StillWanted, Tell, always, silent
from fedspoke.data.progress import paced

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger(__name__)


def _again_if_a_photo_is_lost(step: Callable[Concatenate["Steps", P], R]) -> Callable[Concatenate["Steps", P], R]:
    """A photo that is damaged or gone is made anew from the export, once a step."""

    @wraps(step)
    def tried(steps: "Steps", /, *arguments: P.args, **named: P.kwargs) -> R:
        try:
            return step(steps, *arguments, **named)
        except LostPhotoError:
            _log.warning("the records are made again")
        steps.make_again()
        return step(steps, *arguments, **named)

    return tried


class Steps:
    """The steps of one collaborator in one federation."""

    def __init__(self, settings: CollaboratorSettings, still_wanted: StillWanted = always, pace: float = 1.0) -> None:
        """`pace`: seconds between two words to a caller."""
        self._settings, self._still_wanted, self._pace = settings, still_wanted, pace
        self._output = Path(settings.output).resolve()
        self._trainer: Trainer | None = None
        self._encoder: TextEncoder | None = None
        self._store = own.store(settings)
        self._posts = Posts(settings, self._store, pace)
        own_word = Overrules.read(settings.overrules)
        self.judged = Judged(lambda: self._posts.records, shown_only=settings.curation is not None, overrules=own_word)
        self._profiles: dict[Platform, Profile] = {}
        self._own = self._output / "training"
        self._kept = Kept(self._own / "round.json")
        self._checkpoints = Checkpoints(self._output / own.CHECKPOINT, settings.checkpoint_seconds, store=self._store)
        self._ledger = Ledger(self._output / "releases.json", settings.run)
        self._batches = _Batches(silent, self._pace)

    @enough("to load the model")
    def download_model(self, tell: Tell = silent) -> ModelReady:
        """Find or fetch the model, and load it; the text encoder too, so that a wrong one is known before the first round."""
        profiles = self._settings.profiles
        if profiles.enabled and self._encoder is None:
            tell("the text encoder is looked for and loaded")
            self._encoder = TextEncoder(profiles.encoder, self._next_batch)
        if self._trainer is None:
            tell("the model is looked for and loaded")
            self._trainer = self._loaded()
        return ModelReady(layout=self._trainer.layout())

    def fetch_data(self, platform: Platform, tell: Tell = silent) -> DataFetched:
        """Read one platform's export into the collaborator's output."""
        self.judged.clear()
        return self._posts.fetch(platform, tell)

    def clean_data(self, tell: Tell = silent) -> DataCleaned:
        """Make training records of all platforms' posts. A platform may end up with none, as long as another has some."""
        self.judged.clear()
        return self._posts.clean(tell)

    @_again_if_a_photo_is_lost
    @enough("to train")
    def train_llava(self, round: int, adapter: str, output: str, progress: Callable[[int, int, float], None]) -> LlavaTrained:  # noqa: A002
        """Train one round from the adapter in one file to the adapter in another; `lora_weights/` is this cluster's latest.

        For the same round and start again, the answer and the adapter are those of the first time. One that is ended while its
        adapter is measured has that alone to do again.
        """
        trainer, posts, self._batches = self._ready("train_llava"), self._split(), _Batches(silent, self._pace)
        start, result = self._inside(adapter), self._adapter(output)
        key = trainer.key(posts.trained, start, round)
        if answer := self._kept.find(key, result):
            _log.info("round %d: trained before; the adapter is the same", round)
        else:
            for folder in (self._own, result.parent):
                folder.mkdir(parents=True, exist_ok=True)
            outcome = trainer.train(posts.trained, self._images, start, result, round, progress)
            _log.info("round %d: %d posts, loss %.4f, %.1f s", round, outcome.examples, outcome.loss, outcome.seconds)
            answer = LlavaTrained(
                examples=outcome.examples,
                loss=outcome.loss,
                seconds=outcome.seconds,
                releases=self._ledger.count(),
                ledger=self._ledger.identity(),
            )
            self._kept.keep(key, result, answer)
            self._checkpoints.remove()
        if answer.held_out is None:
            weights = self._keep_weights(start, result)
            before, after = (self._measured(trainer, posts, which) for which in (start, weights))
            answer = answer.model_copy(update={"held_out": _held_out(posts, before, after)})
            self._kept.keep(key, result, answer)
        return answer

    @_again_if_a_photo_is_lost
    @enough("to measure the final adapter")
    def evaluate(self, adapter: str, tell: Tell = silent) -> Evaluated:
        """What the final adapter is worth on the posts that were held out.

        `captions.json` has, for some of them, the caption that the model writes beside the true one. It stays on the cluster.
        """
        trainer, posts, final = self._ready("evaluate"), self._split(), self._inside(adapter)
        self._batches = _Batches(tell, self._pace)
        tell(f"the base model and the adapter are measured on {len(posts.held)} posts")
        base, tuned = (self._measured(trainer, posts, which) for which in (None, final))
        if shown := posts.held[: self._settings.training.captions]:
            tell(f"captions of {len(shown)} posts are written")
            generated = trainer.captions(shown, self._images, final, self._next_batch)
            captions = [
                {"id": post.id, "image": post.image, "true": post.text, "generated": text}
                for post, text in zip(shown, generated, strict=True)
            ]
            self._store.replace(self._output / own.CAPTIONS, json.dumps(captions, indent=1, ensure_ascii=False).encode())
        return Evaluated(held_out=_held_out(posts, base, tuned))

    @_again_if_a_photo_is_lost
    @enough("to make a profile")
    def generate_profile(self, platform: Platform, tell: Tell = silent) -> ProfileMade:
        """One platform's profile. `profile.json` keeps it for the cluster's owner (a list of them where there are several)."""
        trainer, posts, spec = self._ready("generate_profile"), self.judged.used().get(platform, ()), self._settings.profiles
        if reason := refusal(self._settings.cluster, platform, len(posts), spec):
            return ProfileMade(refused=reason)
        self._batches = _Batches(tell, self._pace)
        if self._encoder is None:
            self._encoder = TextEncoder(spec.encoder, self._next_batch)
        tell(f"the profile of {len(posts)} {platform} posts is made")
        unseen = visual_refusal(self._settings.cluster, platform, posts, spec)
        if unseen and spec.visual:
            _log.info("the %s profile has no visual embedding: %s", platform, unseen)
        ledger = self._output / "profiles" / f"{platform}.json"
        tower = None if unseen else trainer.tower(self._next_batch)
        shared = release.once(ledger, posts, self._images, self._encoder, tower, spec, self.judged.topics(platform))
        first, last = span(post.timestamp for post in posts)
        made = Profile(
            cluster=self._settings.cluster,
            platform=platform,
            posts=len(posts),
            first=first,
            last=last,
            encoder=self._encoder.digest,
            embedding=shared.embedding,
            visual=shared.visual,
            topics=shared.topics,
            noise=shared.noise,
        )
        self._profiles[platform] = made
        self._keep_profiles()
        return ProfileMade(profile=made)

    def make_again(self) -> None:
        """The records, from the exports on; what was judged of them stands."""
        self._posts.make_again()

    def records(self) -> dict[Platform, PlatformRecords]:
        """What there is to train on, in numbers; nothing before clean_data."""
        return statistics(self.judged.used(), self.judged.set_aside_for)

    def profiles(self) -> list[Profile]:
        """Those that were made, as they are shared."""
        return [profile for _, profile in sorted(self._profiles.items())]

    def _loaded(self) -> Trainer:
        settings = self._settings
        return Trainer(
            settings.training.model.name,
            settings.training,
            rounds=settings.rounds,
            aggregation=settings.aggregation,
            hide=Gaussian(settings.privacy, self._ledger) if settings.privacy.mechanism == "gaussian" else None,
            checkpoints=self._checkpoints,
            store=self._store,
        )

    def _split(self) -> Split:
        return split([post for platform in self.judged.used().values() for post in platform], self._settings.training.holdout)

    def _measured(self, trainer: Trainer, posts: Split, adapter: Path | None) -> float | None:
        return trainer.loss(posts.held, self._images, adapter, self._next_batch) if posts.held else None

    def _next_batch(self) -> None:
        """Before each batch of what is measured, written or encoded."""
        self._still_wanted()
        self._batches.next()

    def _keep_weights(self, start: Path, result: Path) -> Path:
        """`lora_weights/`: the adapter as it leaves, with what of it did not change. Returns its file."""
        training = self._settings.training
        folder, whole = self._output / "lora_weights", result
        if self._settings.aggregation.lora == "ffa":
            whole = self._own / "whole.safetensors"
            adapters.save(adapters.read(start) | adapters.read(result), whole)
        peft_folder.save(folder, whole, training.lora, training.model.name)
        return folder / peft_folder.WEIGHTS_FILE

    def _keep_profiles(self) -> None:
        kept = [profile.model_dump(mode="json", by_alias=True) for profile in self.profiles()]
        files.replace(self._output / "profile.json", json.dumps(kept[0] if len(kept) == 1 else kept, indent=1).encode())

    @property
    def _images(self) -> Path:
        return self._output / own.RECORDS

    def _ready(self, step: str) -> Trainer:
        if self._trainer is None:
            raise Failed(f"{step} has no model; call download_model first")
        if missing := self._posts.missing:
            raise Failed(f"{step} has no records; call {missing} first")
        if not self.judged.used():
            raise Final(f"{step} has no records: all of them are set aside, or were shown to no crew")
        return self._trainer

    def _inside(self, path: str) -> Path:
        """A file of the collaborator's output; whoever calls the tools is not to read or write any other."""
        file = Path(path).resolve()
        if not file.is_relative_to(self._output):
            raise Refused(f"{path} lies outside the collaborator's output; name a file below {self._settings.output}")
        return file

    def _adapter(self, path: str) -> Path:
        """Where an adapter may be written: all else in the output is ours, the ledger of what was shared among it."""
        file = self._inside(path)
        if file.parent != self._output / orders.ROUNDS:
            raise Refused(f"{path} is no place for a trained adapter; name a file in {self._settings.output}/{orders.ROUNDS}")
        return file


def _held_out(posts: Split, before: float | None, after: float | None) -> HeldOut | None:
    return None if before is None or after is None else HeldOut(posts=len(posts.held), before=before, after=after)


class _Batches:
    """Counts a step's batches for whoever listens."""

    def __init__(self, tell: Tell, pace: float) -> None:
        self._progress, self._done = paced(tell, pace), 0

    def next(self) -> None:
        self._progress("batches of posts", self._done, None)
        self._done += 1
