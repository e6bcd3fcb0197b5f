"""The columns of a manifest: those that SERA reads, those it ignores, and slips of the pen."""

import difflib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.datasets.table_text import TableFault
from shared.domain.identity import identity_key

OPTIONAL_COLUMNS = ("roi", "patient", "site", "size_mm", "split", "tirads")
KNOWN_COLUMNS = ("image", "mask", "malignant", *OPTIONAL_COLUMNS)
READER_PREFIX = "reader_"
"""Start of the name of a column with the judgements of a person."""
MAX_COLUMNS = 500
SEPARATORS = re.compile(r"[\W_]+")
MIN_SIMILARITY = 0.8
"""Ratio of `difflib.SequenceMatcher` from which a name counts as another, misspelt."""
MAX_LENGTH_RATIO = 1.5
"""A name that is longer than this times a known one, and a letter, is not like it. The comparison
takes the product of both lengths.
"""
MAX_COMPARED_LETTERS = 100
"""A name that is longer is no slip of a known one, nor its repetition."""
SIZE_COLUMN = "size_mm"
CENTIMETRES = "cm"
REFERENCE = "(id|uid|no|nr|num|number|code|key|name|file|filename|path|번호|명)*"
"""What people add to the name of a column that names something."""
SIZE_NAMES = (
    "(nodule|lesion|tumor|tumour|max|maximum|maximal|largest|결절|최대)*"
    "(size|diameter|크기|직경|장경)(in)?(mm|cm)?"
)
"""Names with `cm` have a fault of their own, because only to rename the column would make each
size ten times too small.
"""
OTHER_NAMES = {
    "image": f"(image|img|file|path|영상|이미지|파일){REFERENCE}",
    "malignant": "label",
    "mask": f"(mask|segmentation|seg|마스크){REFERENCE}",
    "patient": f"(patient|pat|pt|subject|chart|환자|등록|병록|차트){REFERENCE}|pid|mrn",
    "site": f"(site|hospital|center|centre|institution|institute|병원|기관){REFERENCE}",
    "split": "subset|partition",
    SIZE_COLUMN: SIZE_NAMES,
}
"""Names that people give a column that SERA knows, if that column itself is not there: patterns of
the name without separators, to which a plural and a number may be added.
"""
READER_WITH_NUMBER = re.compile("reader([0-9]+)")
NUMBERED = re.compile(r"(?P<name>.*?)[\s_.-]*[0-9]{1,2}")
"""How a column is named that was there twice: pandas writes `mask.1`, other programs `mask_2`."""
REPEATED_COLUMNS = ("image", "malignant", "mask", "patient", "size_mm")
"""Columns whose numbered twins are repeats; `split_1` and `split_2` are two splits."""
NUMBERED_READER = re.compile(r"(?P<name>.*)\.[0-9]+")
"""Only so, because `reader_1` and `reader_2` are two people."""
ORDINARY_NAMES = frozenset(
    {
        "acrtirads",
        "birads",
        "ctirads",
        "eutirads",
        "header",
        "inpatient",
        "ktirads",
        "leader",
        "nonmalignant",
        "onsite",
        "outpatient",
        "premalignant",
        "suite",
    }
)
"""Names of other things that are spelt like a known column."""


@dataclass(frozen=True)
class ColumnSet:
    """The columns that SERA reads of one kind of table.

    Attributes
    ----------
    other_names : the column -> a pattern of the names that people give it, without separators
    has_readers : whether columns `reader_NAME` are read
    """

    known: tuple[str, ...]
    other_names: Mapping[str, str]
    has_readers: bool = False

    def check(
        self, names: Sequence[str], required: Collection[str], line: int
    ) -> tuple[str, ...]:
        """Check the header of a table and return the names of the columns that are ignored.

        Raises TableFault for too many columns, a name that is there twice, also as a program
        numbers it, a name that is nearly a known one, and a required column that is missing.
        """
        if len(names) > MAX_COLUMNS:
            raise TableFault(
                "table-too-wide", line=line, columns=len(names), most=MAX_COLUMNS
            )
        _check_no_repeats(names, line)
        for name in names:
            original = self._original(name)
            if original in names:
                raise TableFault(
                    "table-column-numbered", line=line, name=name, original=original
                )
            meant = self._meant(name, names)
            if meant is not None:
                is_in_cm = meant == SIZE_COLUMN and CENTIMETRES in identity_key(name)
                code = "table-column-cm" if is_in_cm else "table-column-slip"
                raise TableFault(code, line=line, name=name, meant=meant)
        missing = sorted(set(required) - set(names))
        if missing:
            raise TableFault("table-columns-missing", columns=", ".join(missing))
        return tuple(
            name or f"#{number}"
            for number, name in enumerate(names, start=1)
            if not self.is_known(name)
        )

    def is_known(self, name: str) -> bool:
        return name in self.known or (self.has_readers and is_reader(name))

    def _original(self, name: str) -> str | None:
        """The known column that `name` repeats with a number; None if it repeats none."""
        if self.has_readers and is_reader(name):
            reader = NUMBERED_READER.fullmatch(name)
            return reader["name"] if reader else None
        if len(name) > MAX_COMPARED_LETTERS:
            return None
        numbered = NUMBERED.fullmatch(name)
        if numbered is None:
            return None
        return numbered["name"] if numbered["name"] in REPEATED_COLUMNS else None

    def _meant(self, name: str, names: Collection[str]) -> str | None:
        """The known column that `name` is a slip of; None if it is known or another thing."""
        if not name or self.is_known(name) or len(name) > MAX_COMPARED_LETTERS:
            return None
        key = SEPARATORS.sub("", identity_key(name))
        reader = _meant_reader(name) if self.has_readers else None
        if reader is not None:
            return reader
        by_key = {column.replace("_", ""): column for column in self.known}
        if key in by_key:
            return by_key[key]
        for column, pattern in self.other_names.items():
            if re.fullmatch(f"({pattern})s?[0-9]{{0,2}}", key):
                return None if column in names else column
        if self._is_compound(name) or key in ORDINARY_NAMES:
            return None
        for known_key, column in by_key.items():
            if _is_near(key, known_key):
                return column
        return None

    def _is_compound(self, name: str) -> bool:
        """Whether a name is a known one with another word, such as `patient_age`."""
        spelt = SEPARATORS.sub("_", name.strip().casefold())
        return any(
            spelt.startswith(f"{column}_") or spelt.endswith(f"_{column}")
            for column in self.known
        )


MANIFEST_COLUMNS = ColumnSet(
    known=KNOWN_COLUMNS, other_names=OTHER_NAMES, has_readers=True
)
CASE_COLUMNS = ColumnSet(
    known=("file", "size_mm", "external_id", "roi", "roi_space", "priority"),
    other_names={"file": OTHER_NAMES["image"], SIZE_COLUMN: SIZE_NAMES},
)
"""The columns of a table of cases that the page sends together."""


def is_reader(name: str) -> bool:
    return name.startswith(READER_PREFIX) and name != READER_PREFIX


def _check_no_repeats(names: Sequence[str], line: int) -> None:
    for name, count in Counter(names).items():
        if name and count > 1:
            raise TableFault("table-column-twice", line=line, name=name, count=count)


def _meant_reader(name: str) -> str | None:
    """The column `reader_NAME` that a name such as `Reader kim` is a slip of."""
    numbered = READER_WITH_NUMBER.fullmatch(identity_key(name))
    if numbered is not None:
        return f"{READER_PREFIX}{numbered[1]}"
    first, *rest = SEPARATORS.split(name.strip(), maxsplit=1)
    prefix = READER_PREFIX.rstrip("_")
    key = identity_key(first)
    if not rest or not rest[0] or key in ORDINARY_NAMES or not _is_near(key, prefix):
        return None
    return f"{READER_PREFIX}{rest[0]}"


def _is_near(key: str, known_key: str) -> bool:
    """Whether a word is nearly another: most of its letters in order, or all in another order."""
    if len(key) > MAX_LENGTH_RATIO * len(known_key) + 1:
        return False
    if sorted(key) == sorted(known_key):
        return True
    matcher = difflib.SequenceMatcher(a=known_key, b=key, autojunk=False)
    return matcher.ratio() >= MIN_SIMILARITY
