"""The fusion service: each cluster leaves one profile a platform, and everyone may read the general one.

    PUT /v1/runs/{run}/profiles/{platform}     the sender's own, as its certificate says
    GET /v1/runs/{run}/general-profile         ETag; 404 until there is a profile

The general profile is made anew with every profile that arrives, so it is never older than they are, and what is left out of it
now may be in it when more clusters have answered. A cluster may replace its own profile for as long as the service runs: it
alone knows whether the first one was right. The aggregator takes what is there once all clusters have answered.
"""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import PLATFORMS
from fedspoke.api.profiles import GeneralProfile, Profile
from fedspoke.api.records import FusionSettings
from fedspoke.hub import loopback
from fedspoke.hub.fusion import admission
from fedspoke.hub.fusion.fuse import fuse
from fedspoke.hub.fusion.releases import Releases

log = logging.getLogger(__name__)

GENERAL_FILE = "general_profile.json"
_LARGEST = 1 << 20  # bytes of a profile: one of 384 dimensions has 9 thousand


class Fusion:
    """The profiles of one run, kept in a folder that outlives the process.

    Raises:
        Failed: the folder holds something else.
    """

    def __init__(self, told: Callable[[], FusionSettings]) -> None:
        self._told = told  # clusters come and go
        self._settings = settings = told()
        self._folder = Path(settings.folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._releases = Releases(self._folder)
        self._profiles = _stored(settings)
        self._general = b""
        if self._profiles:
            try:
                self._publish(fuse(settings.run, list(self._profiles.values())))
            except Refused as error:
                raise Failed(f"the profiles in {self._folder} cannot be fused: {error}") from None
        self.app = loopback.application(
            [
                Route("/v1/runs/{run}/profiles/{platform}", self._put, methods=["PUT"]),
                Route("/v1/runs/{run}/general-profile", self._get, methods=["GET"]),
            ]
        )

    async def _put(self, request: Request) -> Response:
        body = await _body(request)  # first, since a sender hears no refusal before it has sent all
        self._check_run(request)
        cluster, platform = loopback.sender(request), request.path_params["platform"]
        if platform not in PLATFORMS:
            raise HTTPException(404, f"there are profiles of {' and '.join(PLATFORMS)}, not of {platform!r:.100}")
        profile = _parsed(body)
        if profile.cluster != cluster:
            raise HTTPException(403, f"the profile is of {profile.cluster!r:.100}, and the certificate is of {cluster}")
        if profile.platform != platform:
            raise HTTPException(400, f"the profile is of {profile.platform}, and the path says {platform}")
        try:
            _check_chosen(cluster, self._told())
        except Refused as error:
            raise HTTPException(403, str(error)) from None
        # No await from here on, so profiles are taken one after another.
        name = f"{cluster}.{platform}.profile.json"
        others = {key: value for key, value in self._profiles.items() if key != name}
        try:
            admission.check(profile, self._settings.profiles)
            profile = self._releases.counted(profile)
            general = fuse(self._settings.run, [*others.values(), profile])
        except Refused as error:
            raise HTTPException(422, str(error)) from None
        status = 200 if name in self._profiles else 201
        files.replace(self._folder / name, profile.model_dump_json(by_alias=True).encode(), 0o600)
        self._profiles = {**others, name: profile}
        self._publish(general)
        return JSONResponse({"digest": hashlib.sha256(body).hexdigest()}, status)

    async def _get(self, request: Request) -> Response:
        self._check_run(request)
        if not self._general:
            raise HTTPException(404, "no cluster has left a profile yet, so there is no general one")
        headers = {"etag": f'"{hashlib.sha256(self._general).hexdigest()}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(self._general, headers=headers, media_type="application/json")

    def _check_run(self, request: Request) -> None:
        if request.path_params["run"] != self._settings.run:
            raise HTTPException(404, f"there is no run {request.path_params['run']!r:.200} here")

    def _publish(self, general: GeneralProfile) -> None:
        self._general = general.model_dump_json(by_alias=True).encode()
        files.replace(self._folder / GENERAL_FILE, self._general, 0o600)


def serve(told: Callable[[], FusionSettings]) -> None:
    """Runs the service until the process is told to end.

    Args:
        told: Gives the settings as they are now.

    Raises:
        Failed: the port is taken, or the folder holds what cannot be fused.
    """
    loopback.run(Fusion(told).app, told().port)


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                raise HTTPException(413, f"a profile has at most {_LARGEST} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "the profile broke off") from None
    return bytes(body)


def _parsed(body: bytes) -> Profile:
    try:
        return Profile.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise HTTPException(400, f"the body is no profile: {where}: {first['msg']}") from None


def _check_chosen(cluster: str, settings: FusionSettings) -> None:
    if cluster not in settings.clusters:
        raise Refused(f"cluster {cluster} is not chosen for {settings.run}; {', '.join(settings.clusters)} would be right")


def _stored(settings: FusionSettings) -> dict[str, Profile]:
    """The profiles of an earlier process, by file name, without those that are no longer asked for."""
    kept = dict[str, Profile]()
    for path in sorted(Path(settings.folder).glob("*.profile.json")):
        try:
            profile = Profile.model_validate_json(path.read_bytes())
        except ValidationError:
            raise Failed(f"{path} is no profile; the fusion service's folder must be its own") from None
        try:
            _check_chosen(profile.cluster, settings)
            admission.check(profile, settings.profiles)
        except Refused as error:
            log.warning("%s is not used: %s", path, error)
        else:
            kept[path.name] = profile
    return kept
