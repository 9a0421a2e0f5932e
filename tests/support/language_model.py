"""An OpenAI-compatible server, on loopback if not said otherwise: chat completions, not streamed, for whoever has its key.

What it answers comes from a function: the tiny LLaVA, which by real forward passes takes the likeliest of the answers that a
schema allows, as servers with guided decoding do; or a script, for tests that need a certain one.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fedspoke.api.curation import Curation

MODEL = "tiny-llava"


@dataclass(frozen=True)
class Request:
    """One that came."""

    post: str
    words: tuple[str, ...]
    body: dict[str, Any]
    path: str

    @property
    def prompt(self) -> str:
        return "\n".join(message["content"] for message in self.body["messages"])


@dataclass(frozen=True)
class Reply:
    """An answer that is no completion."""

    status: int
    body: bytes = b"{}"
    location: str = ""


Answer = Callable[[Request], str | Reply]


@dataclass(frozen=True)
class LanguageModel:
    """One that listens."""

    port: int
    requests: list[Request] = field(default_factory=list)

    def curation(self, **changes: Any) -> Curation:
        """As a federation asks for it."""
        return Curation.model_validate({"endpoint": f"http://127.0.0.1:{self.port}/v1", "model": MODEL} | changes)

    @property
    def posts(self) -> list[str]:
        """What it was shown, by each request."""
        return [it.post for it in self.requests]


def saying(words: Mapping[str, str], otherwise: str = "keep", topic: str = "other") -> Answer:
    """A script: by a part of the post what is said of it."""

    def answer(request: Request) -> str:
        if "keep" not in request.words:
            return json.dumps({"answer": topic})
        return json.dumps({"answer": next((word for part, word in words.items() if part in request.post), otherwise)})

    return answer


def tiny(folder: Path) -> Answer:
    """The tiny LLaVA of this folder."""
    import torch

    from fedspoke.collaborator.model import load

    processor, model = load(str(folder))
    tokenizer, one_at_a_time = processor.tokenizer, threading.Lock()

    def answer(request: Request) -> str:
        prompt = torch.tensor([tokenizer(f"USER: {request.prompt} ASSISTANT: ")["input_ids"]])
        allowed = [json.dumps({"answer": word}) for word in request.words]
        said = [torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in allowed]
        padded = torch.nn.utils.rnn.pad_sequence(said, batch_first=True)
        with one_at_a_time, torch.inference_mode():
            read = model(input_ids=prompt, use_cache=True)  # once for all answers
            read.past_key_values.batch_repeat_interleave(len(said))
            mask = torch.ones(len(said), prompt.shape[1] + padded.shape[1])
            follow = model(input_ids=padded, attention_mask=mask, past_key_values=read.past_key_values).logits
            logits = torch.cat([read.logits[:, -1:].expand(len(said), -1, -1), follow[:, :-1]], dim=1).log_softmax(-1)
        known = [logits[n, torch.arange(len(it)), it].sum().item() for n, it in enumerate(said)]
        return allowed[known.index(max(known))]

    return answer


@contextmanager
def serving(answer: Answer, key: str = "", port: int = 0, host: str = "127.0.0.1") -> Iterator[LanguageModel]:
    """It listens as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.say(Reply(200, json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if key and self.headers.get("authorization") != f"Bearer {key}":
                self.say(Reply(401))
            elif self.path != "/v1/chat/completions" or body["model"] != MODEL:
                self.say(Reply(404))
            else:
                request = Request(_post(body), _words(body), body, self.path)
                served.requests.append(request)
                said = answer(request)
                self.say(said if isinstance(said, Reply) else Reply(200, json.dumps(_completion(request, said)).encode()))

        def say(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply.body)))
            if reply.location:
                self.send_header("location", reply.location)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    served = LanguageModel(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _post(body: Any) -> str:
    """What stands between the first mark and the last one, as the whole of a post does."""
    text = str(body["messages"][-1]["content"])
    return text[text.index("<post>\n") + 7 : text.rindex("\n</post>")]


def _words(body: Any) -> tuple[str, ...]:
    return tuple(body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"])


def _completion(request: Request, said: str) -> dict[str, Any]:
    usage = {"prompt_tokens": len(request.prompt) // 4, "completion_tokens": len(said) // 4}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
        "usage": usage | {"total_tokens": sum(usage.values())},
    }
