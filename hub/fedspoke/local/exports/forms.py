"""Each platform's form of an export."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from fedspoke.api.names import Platform
from fedspoke.local.exports import facebook, instagram
from fedspoke.local.exports.darkroom import Darkroom
from fedspoke.local.exports.file import File
from fedspoke.local.exports.posted import Posted

Form = Callable[[Iterable[Posted], Darkroom, int], Iterator[File]]
"""Posts, and who develops their photos, as the files that the platform delivered in a year."""

FORMS: Mapping[Platform, Form] = {"facebook": facebook.files, "instagram": instagram.files}
