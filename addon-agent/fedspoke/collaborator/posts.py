"""A cluster's posts, from the exports to what training reads, and how that is made again where a file of it is lost."""

import logging
from pathlib import Path

from fedspoke.api.errors import Failed, Final, Refused
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.answers import DataCleaned, DataFetched
from fedspoke.collaborator.wanted import Tell, silent
from fedspoke.data import records
from fedspoke.data.clean import Cleaned, EmptyError, clean
from fedspoke.data.extract import Extracted, extract
from fedspoke.data.output import Output
from fedspoke.data.prepare import find_for
from fedspoke.data.progress import Progress, paced
from fedspoke.data.records import CleanRecord
from fedspoke.data.sealed import DamagedError, Store

_log = logging.getLogger(__name__)


class Posts:
    """Of all platforms that the cluster declares."""

    def __init__(self, settings: CollaboratorSettings, store: Store, pace: float) -> None:
        """`pace`: seconds between two words to a caller."""
        self._settings, self._store, self._pace = settings, store, pace
        self._fetched: dict[Platform, Extracted] = {}
        self.records: dict[Platform, tuple[CleanRecord, ...]] = {}
        """Those to train on; none before they are cleaned."""

    @property
    def missing(self) -> str | None:
        """Which step is, as long as there are no records."""
        return None if self.records else "clean_data" if self._fetched else "fetch_data"

    def fetch(self, platform: Platform, tell: Tell = silent) -> DataFetched:
        """Read one platform's export."""
        datasets = self._settings.datasets
        if platform not in datasets:
            declared = ", ".join(datasets) or "nothing"
            raise Refused(f"{self._settings.cluster} declares no {platform} data; it declares {declared}")
        folder = self._folder(platform)
        tell(f"the {platform} export is opened")
        export = find_for([Path(datasets[platform])], folder, platform)
        with Output.open(folder, self._store) as output:
            self._fetched[platform] = extracted = extract(export, output, self._heard(platform, tell))
        self.records.clear()
        return DataFetched(posts=extracted.posts, skipped=extracted.skipped)

    def clean(self, tell: Tell = silent) -> DataCleaned:
        """Make records of all of them. A platform may end up with none, as long as another has some."""
        missing = [platform for platform in self._settings.datasets if platform not in self._fetched]
        if missing or not self._fetched:
            raise Failed(f"clean_data lacks {' and '.join(missing) or 'any'} posts; call fetch_data first")
        self.records.clear()
        told: dict[Platform, Cleaned] = {}
        empty: list[str] = []
        made: dict[Platform, tuple[CleanRecord, ...]] = {}
        for platform in self._settings.datasets:
            tell(f"the {platform} posts are cleaned")
            try:
                told[platform], cleaned = self._cleaned(platform, tell)
            except EmptyError as error:
                empty.append(str(error))
            else:
                made[platform] = tuple(_among_all(record, platform) for record in cleaned)
        self.records = made
        if not self.records:
            raise Final("; ".join(empty))
        for sentence in empty:
            _log.warning(sentence)
        return DataCleaned(
            records={platform: told[platform].records if platform in told else 0 for platform in self._settings.datasets},
            dropped={platform: cleaned.dropped for platform, cleaned in told.items()},
            changed={platform: cleaned.changed for platform, cleaned in told.items()},
        )

    def make_again(self) -> None:
        """From the exports on: of photos that lie there already, those that are whole stay."""
        for platform in self._settings.datasets:
            self.fetch(platform)
        self.clean()

    def _cleaned(self, platform: Platform, tell: Tell) -> tuple[Cleaned, tuple[CleanRecord, ...]]:
        try:
            return self._clean(platform, tell)
        except DamagedError as error:
            _log.warning("%s export: %s", platform, error)
        self.fetch(platform, tell)
        return self._clean(platform, tell)

    def _clean(self, platform: Platform, tell: Tell) -> tuple[Cleaned, tuple[CleanRecord, ...]]:
        with Output.open(self._folder(platform), self._store) as output:
            made = clean(self._fetched[platform], output, self._heard(platform, tell))
        return made, records.load(self._folder(platform), self._store)

    def _heard(self, platform: Platform, tell: Tell) -> Progress:
        """A line now and then in the log, and more often to the caller."""
        log = paced(lambda line: _log.info("%s export: %s", platform, line), seconds=30)
        caller = paced(lambda line: tell(f"{platform} export: {line}"), self._pace)

        def progress(what: str, done: int, total: int | None) -> None:
            log(what, done, total)
            caller(what, done, total)

        return progress

    def _folder(self, platform: Platform) -> Path:
        return records.stages(Path(self._settings.output).resolve(), platform)


def _among_all(record: CleanRecord, platform: Platform) -> CleanRecord:
    """The record with its images named from the folder of all platforms, since training mixes them."""
    image = record.image and f"{platform}/{record.image}"
    return record.model_copy(update={"image": image, "images": tuple(f"{platform}/{name}" for name in record.images)})
