"""The fusion service is asked for the general profile, and asked again while it is being started anew."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fedspoke.api.errors import Failed
from fedspoke.hub import loopback
from fedspoke.hub.aggregation.server_app import general_profile
from support.federation import settings
from support.mcp import free_port


def fusion(answer: Response) -> Starlette:
    async def give(request: Request) -> Response:
        return answer

    return Starlette(routes=[Route("/v1/runs/test.run/general-profile", give)])


def test_a_service_that_comes_up_late_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    pauses: list[float] = []
    with ExitStack() as stack:

        def wait(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                stack.enter_context(loopback.serving(fusion(Response("it")), port))

        assert general_profile(settings(tmp_path, fusion=f"127.0.0.1:{port}"), wait) == b"it"
    assert pauses == [1, 2, 4]


def test_a_service_that_never_comes_is_given_up_after_a_minute(tmp_path: Path) -> None:
    pauses: list[float] = []
    with pytest.raises(Failed, match=r"the model is saved, but the fusion service at 127\.0\.0\.1:1 does not answer: "):
        general_profile(settings(tmp_path, fusion="127.0.0.1:1"), pauses.append)
    assert sum(pauses) == 61


def test_a_service_that_has_none_is_quoted(tmp_path: Path) -> None:
    with (
        loopback.serving(fusion(JSONResponse({"error": "no profile came"}, 404)), 0) as port,
        pytest.raises(Failed, match=r"no general profile: 404 .*no profile came"),
    ):
        general_profile(settings(tmp_path, fusion=f"127.0.0.1:{port}"), lambda _: None)
