import re

import pytest

from services.api.web.files import FILES, FOLDER, accepts_gzip

ACCEPTED = {
    "gzip, deflate, br": True,
    "br;q=1.0, GZIP;q=0.5": True,
    "gzip;q=1": True,
    "gzip; q=0": False,
    "gzip;q=0.000": False,
    "identity": False,
    "": False,
}


@pytest.mark.parametrize(("accepted", "takes"), ACCEPTED.items())
def test_a_file_is_packed_for_who_takes_that(accepted, takes):
    assert accepts_gzip(accepted) is takes


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_module_names_others_relatively_so_that_all_are_of_one_release(name):
    named = re.findall(
        r'^import .*?"([^"]+)";', (FOLDER / name).read_text(), flags=re.MULTILINE
    )
    assert [
        each
        for each in named
        if not each.startswith("./") or each.removeprefix("./") not in FILES
    ] == []
