"""Rules for every template."""

import re
from pathlib import Path

import pytest

from services.api.web import page as page_module

TEMPLATES = sorted((Path(page_module.__file__).parent / "templates").glob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_form_has_a_method_that_sends_nothing_by_itself(template):
    """Without a method, a form sent before its script runs puts a password into address and log."""
    forms = re.findall(r"<form\b[^>]*>", template.read_text())
    assert [
        form for form in forms if not re.search('method="(get|dialog)"', form)
    ] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_form_that_goes_into_the_address_has_a_password(template):
    get_forms = re.findall(
        r'<form\b[^>]*method="get".*?</form>', template.read_text(), flags=re.DOTALL
    )
    assert [form for form in get_forms if "password" in form] == []
