from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.api.web.languages import Translations
from services.api.web.times import FORMATS, moment

EIGHT_IN_SEOUL = datetime(2026, 3, 14, 8, 5, 9, tzinfo=timezone(timedelta(hours=9)))
SAYS = {
    "minute": "2026-03-13 23:05 UTC",
    "second": "2026-03-13 23:05:09 UTC",
    "day": "2026-03-13 UTC",
    "clock": "23:05:09 UTC",
}


@pytest.mark.parametrize("shape", FORMATS)
def test_a_moment_says_utc_and_carries_all_of_itself(shape):
    said = moment(EIGHT_IN_SEOUL, shape)
    assert f">{SAYS[shape]}</time>" in said
    assert (
        'datetime="2026-03-13T23:05:09+00:00" title="2026-03-13 23:05:09 UTC"' in said
    )


def test_a_sentence_with_a_moment_in_it_keeps_it_and_escapes_all_else():
    said = Translations("en", {"a": "<{who}> at {when}"})(
        "a", who="<b>", when=moment(datetime(2026, 3, 14, tzinfo=UTC), "day")
    )
    assert said.startswith("&lt;&lt;b&gt;&gt; at <time ")
