"""What holds for every template."""

import re
from pathlib import Path

import pytest

from services.api.web import page as shell

TEMPLATES = sorted((Path(shell.__file__).parent / "templates").glob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_form_that_a_script_sends_is_sent_by_nothing_else(template):
    """A form without a method, sent before its script listens, would put a password into the address and the log."""
    forms = re.findall(r"<form\b[^>]*>", template.read_text())
    assert [
        form for form in forms if not re.search('method="(get|dialog)"', form)
    ] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_nothing_secret_is_in_a_form_that_goes_into_the_address(template):
    asked = re.findall(
        r'<form\b[^>]*method="get".*?</form>', template.read_text(), flags=re.DOTALL
    )
    assert [form for form in asked if "password" in form] == []
