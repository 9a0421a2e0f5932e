"""The crews that judge a post: of a privacy curator, and of a topic librarian, each asked one closed question at a time.

They are CrewAI's agents on CrewAI's own client of OpenAI-compatible servers, without tools, memory, or knowledge of any other
post. All that they can do is to answer with a word; what is done about it is not theirs to decide. Each question has a crew of
its own, so that no agent reads what another was shown.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx

from fedspoke.api.curation import KEY_VARIABLE, Curation
from fedspoke.api.errors import Failed
from fedspoke.collaborator.crew import Agent, BaseInterceptor, Crew, Task, openai_compatible
from fedspoke.collaborator.curation import BACKSTORY, Question, answer_of, read
from fedspoke.manifestworks.collaborator import CURATION


class NoCompletionError(Exception):
    """What answers is no OpenAI-compatible endpoint."""


class Curators:
    """Agents on the model of one endpoint."""

    def __init__(self, curation: Curation) -> None:
        self._curation = curation
        self._wire = _Wire()

    def ask(self, question: Question) -> str | None:
        """The word that was answered, or None if it was none of the question's: one request.

        Raises:
            Failed: the endpoint does not answer, or not as such endpoints do. The sentence quotes nothing of what it said.
        """
        agent = Agent(
            role=question.role,
            goal=question.goal,
            backstory=BACKSTORY,
            llm=self._model(question),
            allow_delegation=False,
            max_iter=1,
            max_retry_limit=0,
        )
        task = Task(description=question.task, expected_output="one word of the list, as JSON", agent=agent)
        self._wire.heard = False
        try:
            said = str(Crew(agents=[agent], tasks=[task], memory=False, cache=False, tracing=False).kickoff())
        except Exception as error:  # noqa: BLE001  what CrewAI and its clients raise has no other base
            if not self._wire.heard:
                raise Failed(self._why(error)) from None  # whose text may quote the post
            said = ""  # CrewAI takes an empty answer for an error
        return read(said, question.words)

    def _model(self, question: Question) -> Any:
        it = self._curation
        return openai_compatible(
            model=it.model,
            provider="hosted_vllm",  # the one of CrewAI's providers that is nobody's service
            base_url=it.endpoint,
            api_key=os.environ.get(KEY_VARIABLE) or "none",
            timeout=it.request_timeout.total_seconds(),
            max_retries=0,
            max_tokens=it.max_tokens,
            temperature=0,
            response_format=answer_of(question),
            interceptor=self._wire,
        )

    def _why(self, error: BaseException) -> str:
        it, causes = self._curation, list(_causes(error))
        status = next((code for cause in causes if isinstance(code := getattr(cause, "status_code", None), int)), None)
        if status in (401, 403):
            said = f"answers {status}: its API key goes into the Secret {CURATION} as apiKey, before the pod starts"
        elif status == 404:
            said = f"answers 404: it has no model {it.model}, or another path"
        elif status:
            said = f"answers {status}"
        elif any(isinstance(cause, NoCompletionError) for cause in causes):
            said = "answers with something that is no chat completion"
        elif any(isinstance(cause, httpx.TimeoutException) for cause in causes):
            said = f"has said nothing for {it.request_timeout.total_seconds():g} s"
        elif any(isinstance(cause, httpx.TransportError) for cause in causes):
            said = "does not answer"
        else:
            said = f"cannot be asked ({type(error).__name__})"
        return f"the endpoint of client.curation, {it.endpoint}, {said}"


class _Wire(BaseInterceptor[httpx.Request, httpx.Response]):
    """Sees what is said. With one, CrewAI's client takes neither a proxy from the environment nor a redirect to somebody else."""

    heard = False
    """Whether an answer came to the last request, of whatever use."""

    def on_outbound(self, message: httpx.Request) -> httpx.Request:
        """As it is."""
        return message

    def on_inbound(self, message: httpx.Response) -> httpx.Response:
        """As it is, if it is a completion or says that it is an error."""
        if message.is_success:
            try:
                content = json.loads(message.read())["choices"][0]["message"].get("content")
            except (ValueError, LookupError, TypeError, AttributeError):
                raise NoCompletionError from None
            if not isinstance(content, str | None):
                raise NoCompletionError
            self.heard = True
        return message


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:  # CrewAI raises an error as its own cause
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__
