"""What a crew does at the trainer: three more tools, of which one hands out posts.

They are offered to the flow of a collaborator whose posts are curated, and to nobody else: the model of a desktop client may
be anywhere.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Annotated, TypeVar

from anyio import to_thread
from mcp.types import ToolAnnotations
from pydantic import Field

from fedspoke.api.names import Platform
from fedspoke.api.topics import NAMES
from fedspoke.collaborator.answers import MOST_LISTED, PostsListed, PostsSetAside, TopicNamed
from fedspoke.collaborator.curation import Reason
from fedspoke.collaborator.tools import PLATFORM, REPEATABLE, Caller, Server, telling

if TYPE_CHECKING:  # it imports torch; the process that loads it says when
    from fedspoke.collaborator.judged import Judged
    from fedspoke.collaborator.steps import Steps

T = TypeVar("T")

_IDS = Field(description="Of records, as list_posts tells them.")
_READING = ToolAnnotations(readOnlyHint=True, idempotentHint=True, openWorldHint=False)


def offer(server: Server, steps: "Future[Steps]") -> None:
    """Let clients of this server call them."""

    async def run(work: Callable[["Judged"], T]) -> T:
        return await to_thread.run_sync(lambda: work(steps.result().judged))

    @server.tool(title="Show posts to a crew", annotations=_READING)
    async def list_posts(
        platform: Annotated[Platform, PLATFORM],
        offset: Annotated[int, Field(ge=0, description="How many to pass over.")],
        limit: Annotated[int, Field(ge=1, le=MOST_LISTED, description="How many to list at most.")],
        caller: Caller,
    ) -> PostsListed:
        """One page of a platform's records, with their texts. Their order does not change before clean_data is called again."""
        return await run(lambda judged: judged.page(platform, offset, limit, telling(caller)))

    @server.tool(title="Set posts aside", annotations=REPEATABLE)
    async def set_aside(
        platform: Annotated[Platform, PLATFORM],
        ids: Annotated[list[str], _IDS],
        reason: Annotated[Reason, Field(description="Why; it is counted.")],
        caller: Caller,
    ) -> PostsSetAside:
        """These are neither trained on, nor measured with, nor in a profile; clean_data brings them back."""
        return await run(lambda judged: judged.set_aside(platform, ids, reason, telling(caller)))

    @server.tool(title="Name posts' topic", annotations=REPEATABLE)
    async def name_topic(
        platform: Annotated[Platform, PLATFORM],
        ids: Annotated[list[str], _IDS],
        topic: Annotated[str, Field(json_schema_extra={"enum": list(NAMES)}, description="One of the list of topics.")],
        caller: Caller,
    ) -> TopicNamed:
        """These count for this topic in the profile, and not for the one that the text encoder would find."""
        return await run(lambda judged: judged.name_topic(platform, ids, topic, telling(caller)))
