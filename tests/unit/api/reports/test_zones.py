from datetime import UTC, datetime

import pytest

from services.api.reports.zones import in_hours_of, zone_named

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SENTENCES = {
    "Asia/Seoul": "2026-03-14 21:00:00 (UTC+09:00)",
    "America/St_Johns": "2026-03-14 09:30:00 (UTC-02:30)",
    None: "2026-03-14 12:00:00 UTC",
    "Nowhere/Land": "2026-03-14 12:00:00 UTC",
    "../etc/passwd": "2026-03-14 12:00:00 UTC",
    "America": "2026-03-14 12:00:00 UTC",
}


@pytest.mark.parametrize(("name", "expected"), SENTENCES.items())
def test_a_time_is_shown_in_a_known_zone_or_in_utc(name, expected):
    assert in_hours_of(zone_named(name), NOON) == expected
