"""What takes long, on all cores: each post's text cleaned, each photo decoded. What is done is kept as it comes."""

from collections.abc import Collection
from functools import partial
from itertools import islice
from typing import Any

from fedspoke.data import stage
from fedspoke.data.cleaning.language import language
from fedspoke.data.cleaning.photo import BrokenPhotoError, Photo, photo
from fedspoke.data.cleaning.rules import clean_text, left_out
from fedspoke.data.exports.files import Files
from fedspoke.data.extract import EXTRACTED
from fedspoke.data.output import Output, image_name
from fedspoke.data.progress import Progress
from fedspoke.data.work import CleanPost, Picture, Work
from fedspoke.data.workers import each, each_of_many


def clean_texts(work: Work, output: Output, posts: int, without: Collection[str], progress: Progress) -> None:
    """Add the posts of `dummy_data.json`, of which there are so many, that an earlier run has not added."""
    done = work.posts_done()
    rest = islice(stage.reading(output.path / EXTRACTED, output.store), done, None)
    for number, (post, answer) in enumerate(each_of_many(partial(_clean_text, without), rest, None, returns=CleanPost), done):
        work.add_post(number, answer or _clean_post(post, dropped="unreadable_text"))
        progress("texts cleaned", number + 1, posts)


def _clean_text(without: Collection[str], post: dict[str, Any]) -> CleanPost:
    if rule := left_out(post["kind"], without):
        return _clean_post(post, dropped=rule)
    told = clean_text(post["text"], without)
    if not told.text:
        return _clean_post(post, dropped=told.dropped or "no_text")
    return _clean_post(post, text=told.text, changed=told.changed, language=language(told.text))


def _clean_post(post: dict[str, Any], **told: Any) -> CleanPost:
    return CleanPost(kind=post["kind"], images=tuple(post["images"]), timestamp=post["timestamp"], **{"text": "", **told})


def decode_photos(work: Work, files: Files, output: Output, progress: Progress) -> None:
    """Add the photos of all posts that stay, each of which is then in `images/`; one that cannot be decoded has no picture."""
    for uri, earlier in work.pictures():
        if not output.has_image(earlier.name):
            work.forget(uri)
    done, photos = work.photos_done(), work.photos()
    for uri, found in each(partial(_decode, files), work.photos_missing(), None, returns=Photo):
        work.add_photo(uri, _written(found, output) if found else None)
        done += 1
        progress("photos decoded", done, photos)


def _decode(files: Files, uri: str) -> Photo | None:
    try:
        with files.open(uri) as file:
            return photo(file)
    except (BrokenPhotoError, OSError, MemoryError):
        return None


def _written(found: Photo, output: Output) -> Picture:
    picture = Picture(image_name(found.jpeg), found.look)
    if not output.has_image(picture.name):  # of an earlier run, or of a photo that was posted twice
        output.write_image(picture.name, found.jpeg)
    return picture
