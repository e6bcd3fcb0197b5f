from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.api.web.languages import Translations
from services.api.web.times import FORMATS, moment

EIGHT_IN_SEOUL = datetime(2026, 3, 14, 8, 5, 9, tzinfo=timezone(timedelta(hours=9)))
TEXTS = {
    "minute": "2026-03-13 23:05 UTC",
    "second": "2026-03-13 23:05:09 UTC",
    "day": "2026-03-13 UTC",
    "clock": "23:05:09 UTC",
}


@pytest.mark.parametrize("shape", FORMATS)
def test_a_time_is_shown_in_utc_and_has_its_full_value(shape):
    element = moment(EIGHT_IN_SEOUL, shape)
    assert f">{TEXTS[shape]}</time>" in element
    assert (
        'datetime="2026-03-13T23:05:09+00:00" title="2026-03-13 23:05:09 UTC"'
        in element
    )


def test_a_sentence_keeps_a_time_as_markup_and_escapes_other_fields():
    translations = Translations("en", {"a": "<{who}> at {when}"})
    day = moment(datetime(2026, 3, 14, tzinfo=UTC), "day")
    text = translations("a", who="<b>", when=day)
    assert text.startswith("&lt;&lt;b&gt;&gt; at <time ")
