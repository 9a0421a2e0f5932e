from datetime import date

from fedspoke.collaborator.statistics import PlatformRecords, statistics
from fedspoke.data.records import CleanRecord, record

DAY = 86_400


def of(text: str, photos: int = 0, at: int | None = None, language: str | None = None) -> CleanRecord:
    return record(text, [f"images/{number:016x}.jpg" for number in range(photos)], at, language)


def test_records_are_told_in_numbers() -> None:
    posts = [of("four", 0, 3 * DAY + 1, "en"), of("a text", 1, DAY, "en"), of("ten chars.", 3, None, "de")]
    assert statistics({"facebook": posts}) == {
        "facebook": PlatformRecords(
            records=3,
            with_photo=2,
            photos=4,
            characters=6,
            longest=10,
            languages={"de": 1, "en": 2},
            first=date(1970, 1, 2),
            last=date(1970, 1, 4),
        )
    }


def test_a_platform_without_records_is_not_told_of() -> None:
    assert statistics({"facebook": [], "instagram": [of("a")]}).keys() == {"instagram"}
