"""The collaborator's work as a CrewAI flow over the trainer's MCP tools; but for curating, which few ask for, without an LLM:

    await_trainer → download_model → fetch_data → clean_data → curate → next_order ─┬─ train ──► train_llava
                                                                                    └─ finish ─► evaluate → generate_profile

One run of the flow is one turn: to the next order, and to its answer. Each turn goes on from the state in workflow.json, where
what the trainer of now has done already need not be done again. So nothing special happens after a kill: the next turn is what
it is anyway. (One run for all rounds would nest each round in the one before it: CrewAI awaits what a step leads to inside it.)

Nobody else calls the trainer: Flower's processes fetch and send adapters, and hand the flow what is to be done in between.
"""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, PrivateAttr

from fedspoke.api import files
from fedspoke.api.curation import Curation
from fedspoke.api.errors import Failed, Final
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings, Prepared, Record
from fedspoke.collaborator import orders, workflow
from fedspoke.collaborator.answers import (
    MOST_LISTED,
    DataCleaned,
    DataFetched,
    Evaluated,
    LlavaTrained,
    ModelReady,
    PostsListed,
    PostsSetAside,
    ProfileMade,
    TopicNamed,
)
from fedspoke.collaborator.crew import Flow, FlowPersistence, listen, persist, router, start
from fedspoke.collaborator.curate import Curate
from fedspoke.collaborator.curation import Curated, curated, grouped, remark
from fedspoke.collaborator.orders import Answer, FinishTask, Handed, TrainTask
from fedspoke.collaborator.trainer import Trainer
from fedspoke.collaborator.wanted import Tell
from fedspoke.collaborator.workflow import READY, Finishing, TrainedRound, Workflow

K = TypeVar("K", TrainTask, FinishTask)
R = TypeVar("R", bound=Record)

_POLL = 0.1  # seconds between two looks for an order
_WATCH = 0.5  # … and whether the trainer is still there; each is a connection
_TELL = 5.0  # seconds between two words of how far a step is, each of which is a file written
_TRAINER_UP = 300.0
"""Seconds that mcp-server may take to answer, after its end, too: it is started again, and imports torch."""


class WorkflowFile(FlowPersistence):
    """The flow's state in workflow.json, replaced at once: SQLite, CrewAI's own way, would be one more file that nobody reads."""

    settings: CollaboratorSettings | None = None  # the class is marked with one that has none
    _written: Workflow | None = PrivateAttr(None)

    def init_db(self) -> None:
        """There is nothing to make."""

    def save_state(self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel) -> None:
        """After each step, of which most turns find all but one done before."""
        state = Workflow.model_validate(dict(state_data))
        if self.settings and state != self._written:
            workflow.save(self.settings, state)
            self._written = state

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        """What a flow of this id left."""
        state = workflow.load(self.settings) if self.settings else None
        self._written = state
        return dict(state) if state and state.id == flow_uuid else None


@persist(WorkflowFile())
class ClientWorkflow(Flow[Workflow]):
    """One turn of one collaborator."""

    _skip_auto_memory: bool = True  # a memory is for agents
    settings: CollaboratorSettings
    trainer: Trainer
    file: WorkflowFile
    order: Handed | None = None
    """The order at work: what fails then is its answer."""

    @classmethod
    def of(cls, settings: CollaboratorSettings) -> "ClientWorkflow":
        """The turn that goes on from workflow.json."""
        file = WorkflowFile(settings=settings)
        return cls(
            settings=settings,
            trainer=Trainer(settings),
            file=file,
            persistence=file,
            suppress_flow_events=True,
            tracing=False,
        )

    @start()
    def await_trainer(self) -> None:
        """A trainer that was started in another's place goes through all steps anew; rounds stay trained."""
        if self.trainer.still(self.state.trainer):
            return
        state = self.state
        state.trainer, state.done, state.layout, state.cleaned, state.prepared, state.finishing = None, (), None, None, None, None
        self._begin("wait for the trainer", datetime.now(UTC) + timedelta(seconds=_TRAINER_UP))
        self.trainer.await_up(_TRAINER_UP)
        state.trainer = self.trainer.identity()
        self._done("wait for the trainer")

    @listen(await_trainer)
    def download_model(self) -> None:
        """Find or fetch the model."""
        if self._lacks("download_model"):
            self.state.layout = self._call("download_model", {}, ModelReady).layout
            self._done("download_model")

    @listen(download_model)
    def fetch_data(self) -> None:
        """Read the export of each platform."""
        for platform in self.settings.datasets:
            if self._lacks(f"fetch_data {platform}"):
                self._call("fetch_data", {"platform": platform}, DataFetched)
                self._done(f"fetch_data {platform}")

    @listen(fetch_data)
    def clean_data(self) -> None:
        """Make records."""
        if self._lacks("clean_data"):
            self.state.cleaned = self._call("clean_data", {}, DataCleaned).records
            self._done("clean_data")

    @listen(clean_data)
    def curate(self) -> None:
        """Have them judged, if that is asked for. Then it is known what is trained on, and an order can come."""
        state, curation = self.state, self.settings.curation
        if state.prepared is not None or state.cleaned is None:
            return
        posts = dict(state.cleaned)
        if curation:
            for platform in self.settings.datasets:
                if self._lacks(f"curate {platform}"):
                    state.curated = state.curated | {platform: self._curated(platform, curation)}
                    self._done(f"curate {platform}")
            posts = {platform: it.kept for platform, it in state.curated.items()}
            if not any(posts.values()):
                raise Final("curation leaves no post to train on; curation.jsonl in the collaborator's output says why")
        said = remark(curation, state.curated.values()) if curation else ""
        state.prepared = Prepared(cluster=self.settings.cluster, posts=posts, layout=state.layout or (), remark=said)
        state.layout = state.cleaned = None  # a long one, and there now
        self._save()

    @router(curate)
    def next_order(self) -> Literal["train", "finish", "again"]:
        """Wait for one, as long as the trainer is the one that went through the steps."""
        state = self.state
        state.again, state.error, state.passing = "", None, False
        if state.step != READY:
            self._begin(READY)
        looked = 0.0
        while True:
            if time.monotonic() - looked > _WATCH:
                if not self.trainer.still(self.state.trainer):
                    return "again"
                looked = time.monotonic()
            if order := orders.handed(self.settings):
                self.order = order
                return "train" if isinstance(order.task, TrainTask) else "finish"
            time.sleep(_POLL)

    @listen("train")
    def train_llava(self) -> None:
        """One round. A flow that was killed between the trainer's word and its own says what the trainer said."""
        order, task = self._at_work(TrainTask)
        before = next((each for each in self.state.trained if each.order == order.id), None)
        if before is None:
            self._begin(f"train_llava round {task.round}", order.until)
            outcome = self._call("train_llava", dict(task), LlavaTrained)
            before = TrainedRound(order=order.id, round=task.round, outcome=outcome)
            others = (each for each in self.state.trained if each.round != task.round)
            self.state.trained = (*others, before)
            self._save()
        self._answer(Answer(id=order.id, outcome=before.outcome))

    @listen("finish")
    def evaluate(self) -> None:
        """What the final adapter is worth."""
        order, task = self._at_work(FinishTask)
        if self.state.finishing is None or self.state.finishing.adapter != task.adapter:
            self.state.finishing = Finishing(adapter=task.adapter)
        if not self.state.finishing.evaluated:
            self._begin("evaluate", order.until)
            measured = self._call("evaluate", dict(task), Evaluated)
            self.state.finishing = Finishing(adapter=task.adapter, evaluated=True, held_out=measured.held_out)

    @listen(evaluate)
    def generate_profile(self) -> None:
        """A profile of each platform, as far as it may be shared."""
        order, task = self._at_work(FinishTask)
        finishing = self.state.finishing or Finishing(adapter=task.adapter)
        for platform in self.settings.datasets:
            if platform in finishing.profiles or platform in finishing.refused:
                continue
            self._begin(f"generate_profile {platform}", order.until)
            made = self._call("generate_profile", {"platform": platform}, ProfileMade)
            if made.profile is None:
                refused = finishing.refused | {platform: made.refused or "the trainer gave no reason"}
                finishing = finishing.model_copy(update={"refused": refused})
            else:
                file = orders.profile(self.settings, platform)
                files.replace(file, made.profile.model_dump_json(by_alias=True).encode())
                finishing = finishing.model_copy(update={"profiles": finishing.profiles | {platform: str(file)}})
            self.state.finishing = finishing
            self._save()
        self._answer(Answer(id=order.id, outcome=finishing))

    def _curated(self, platform: Platform, curation: Curation) -> Curated:
        """The crew's work on one platform's records, and what the trainer is told of it."""
        # Here, as few flows want the crew, and it brings what speaks to its model.
        from fedspoke.collaborator.curators import Curators

        work = Curate.of(self.settings, curation, Curators(curation).ask, lambda: datetime.now(UTC))
        fates = work.records(platform, partial(self._page, platform), self._paced())
        for reason, ids in grouped(fates, lambda fate: fate.reason):
            self._call("set_aside", {"platform": platform, "ids": ids, "reason": reason}, PostsSetAside)
        for topic, ids in grouped(fates, lambda fate: fate.topic):
            self._call("name_topic", {"platform": platform, "ids": ids, "topic": topic}, TopicNamed)
        return curated(fates, work.decisions.requests)

    def _page(self, platform: Platform, offset: int) -> PostsListed:
        return self._call("list_posts", {"platform": platform, "offset": offset, "limit": MOST_LISTED}, PostsListed)

    def _call(self, tool: str, arguments: dict[str, object], answer: type[R]) -> R:
        return self.trainer.call(tool, arguments, answer, self._still_wanted, self._paced())

    def _paced(self) -> Tell:
        """What hears how far a step is, and says so every few seconds."""
        told = 0.0

        def tell(words: str) -> None:
            nonlocal told
            if time.monotonic() - told > _TELL:
                told, self.state.progress = time.monotonic(), words
                self._save()

        return tell

    def _lacks(self, step: str) -> bool:
        if step in self.state.done:
            return False
        self._begin(step)
        return True

    def _begin(self, step: str, until: datetime | None = None) -> None:
        self.state.step, self.state.since, self.state.until, self.state.progress = step, datetime.now(UTC), until, ""
        self._save()

    def _done(self, step: str) -> None:
        self.state.done = (*self.state.done, step)
        self._save()

    def _save(self) -> None:
        self.file.save_state(self.settings.run, self.state.step, self.state)

    def _at_work(self, kind: type[K]) -> tuple[Handed, K]:
        if self.order is None or not isinstance(self.order.task, kind):
            raise TypeError(f"the order at work is no {kind.__name__}")
        return self.order, self.order.task

    def _still_wanted(self) -> None:
        """The same order may have come anew: its process was killed, and Flower started another."""
        if self.order is None:  # a step before the first order, which every one needs
            return
        now = orders.handed(self.settings)
        if now is None or now.task != self.order.task:
            raise Failed(f"nobody waits for {self.state.step} any more")
        self.order = now

    def _answer(self, said: Answer) -> None:
        now = orders.handed(self.settings)
        again = now is not None and self.order is not None and now.task == self.order.task
        orders.answer(self.settings, said.model_copy(update={"id": now.id}) if now and again else said)
