"""CEL's library `url`: absolute URIs and paths, taken apart as Go does it.

Source: k8s.io/apiserver, pkg/cel/library/urls.go; Go's net/url (ParseRequestURI, then Parse).
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from fedspoke.placement.cel_functions.opaque import BOOL, STRING, Kubernetes, Overload, list_of, map_of

_SUB_DELIMITERS = "!$&'()*+,;="
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_USER = re.compile(rf"[A-Za-z0-9._:~%@{re.escape(_SUB_DELIMITERS)}-]*")
_HOST = re.compile(rf"\[[^\]]*\]|(?:[A-Za-z0-9._~{re.escape(_SUB_DELIMITERS)}:\]<>\"-]|%25|%[89A-Fa-f][0-9A-Fa-f]|[^\x00-\x7f])*")
_PORT = re.compile(r"(.*?)(?::([0-9]*))?", re.DOTALL)
_IN_PATH = f"/:@[]%{_SUB_DELIMITERS}"


@dataclass(frozen=True, slots=True)
class Url:
    """A URI in its parts; of one that is opaque, like `mailto:a@b`, `rest` is what follows the scheme."""

    scheme: str
    user: str
    host: str
    port: str | None
    path: str
    query: str
    rest: str = ""

    def __str__(self) -> str:
        authority = f"//{self.user}{self.netloc}" if self.host or self.port is not None or self.user else ""
        return (f"{self.scheme}:" if self.scheme else "") + (self.rest or authority + self.path) + self.query

    @property
    def netloc(self) -> str:
        """The host, with the port if there is one."""
        return self.host + (f":{self.port}" if self.port is not None else "")


def url(text: str) -> Url:
    """An absolute URI, or a path that begins with a slash.

    Raises:
        ValueError: it is neither.
    """
    if text == "*":
        return Url("", "", "", None, text, "")
    if not text or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError(f"URL parse error during conversion from string: {text!r} is empty or has control characters")
    before_fragment, hash_mark, fragment = text.partition("#")
    _well_escaped(fragment)
    scheme, rest = (found[1].lower(), found[2]) if (found := _SCHEME.fullmatch(before_fragment)) else ("", before_fragment)
    rest, mark, query = rest.partition("?")
    tail = mark + query + hash_mark + fragment
    if not rest.startswith("/"):
        if not scheme:
            raise ValueError("URL parse error during conversion from string: invalid URI for request")
        return Url(scheme, "", "", None, "", tail, rest)
    if not (scheme and rest.startswith("//")):
        return Url(scheme, "", "", None, _path(rest), tail)
    authority, slash, path = rest[2:].partition("/")
    user, at, host = authority.rpartition("@")
    name, port = found.groups() if (found := _PORT.fullmatch(host)) else ("", None)
    if not _HOST.fullmatch(name) or (":" in name and not name.endswith("]")) or not _USER.fullmatch(user):
        raise ValueError(f"URL parse error during conversion from string: invalid user, host or port in {authority!r}")
    _well_escaped(user)
    return Url(scheme, user + at, name, port, _path(slash + path), tail)


def _path(path: str) -> str:
    _well_escaped(path)
    if re.fullmatch(rf"[A-Za-z0-9._~{re.escape(_IN_PATH)}-]*", path):
        return path
    return quote(unquote_to_bytes(path), safe="/:@&=+$,;~")


def _well_escaped(text: str) -> None:
    if found := re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", text):
        raise ValueError(f'URL parse error during conversion from string: invalid URL escape "{found[0]}"')


def _query(it: Url) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for pair in it.query.partition("#")[0][1:].split("&"):
        key, _, value = pair.partition("=")
        if pair and ";" not in pair and not re.search(r"%(?![0-9A-Fa-f]{2})", pair):
            plain = [unquote_to_bytes(part.replace("+", " ")).decode(errors="replace") for part in (key, value)]
            values.setdefault(plain[0], []).append(plain[1])
    return values


def _is_url(text: str) -> bool:
    try:
        url(text)
    except ValueError:
        return False
    return True


URL = Kubernetes("URL", url)

OVERLOADS = [
    Overload("url", (STRING,), URL.type, lambda text: URL.wrap(url(text)), member=False),
    Overload("isURL", (STRING,), BOOL, _is_url, member=False),
    Overload("getScheme", (URL.type,), STRING, lambda it: URL.unwrap(it).scheme),
    Overload("getHost", (URL.type,), STRING, lambda it: URL.unwrap(it).netloc),
    Overload("getHostname", (URL.type,), STRING, lambda it: URL.unwrap(it).host.strip("[]")),
    Overload("getPort", (URL.type,), STRING, lambda it: URL.unwrap(it).port or ""),
    Overload("getEscapedPath", (URL.type,), STRING, lambda it: URL.unwrap(it).path),
    Overload("getQuery", (URL.type,), map_of(STRING, list_of(STRING)), lambda it: _query(URL.unwrap(it))),
]
