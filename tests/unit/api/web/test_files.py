import re

import pytest

from services.api.web.files import FILES, FOLDER, accepts_gzip

ACCEPT_ENCODINGS = {
    "gzip, deflate, br": True,
    "br;q=1.0, GZIP;q=0.5": True,
    "gzip;q=1": True,
    "gzip; q=0": False,
    "gzip;q=0.000": False,
    "identity": False,
    "": False,
}


@pytest.mark.parametrize(("accept_encoding", "accepts"), ACCEPT_ENCODINGS.items())
def test_gzip_is_sent_only_to_clients_that_accept_it(accept_encoding, accepts):
    assert accepts_gzip(accept_encoding) is accepts


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_script_imports_others_relatively_so_that_all_are_of_one_release(name):
    imports = re.findall(
        r'^import .*?"([^"]+)";', (FOLDER / name).read_text(), flags=re.MULTILINE
    )
    assert imports == [path for path in imports if path.startswith("./")]
    assert {path.removeprefix("./") for path in imports} <= FILES.keys()
