import secrets

import pytest
from moto.server import ThreadedMotoServer

from shared.objects.bucket import Bucket
from shared.objects.directory import DirectoryStore
from shared.objects.s3 import S3Store


@pytest.fixture(scope="session")
def s3_endpoint():
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(s3_endpoint):
    return Bucket(
        s3_endpoint, name=f"bucket-{secrets.token_hex(4)}", key="KEY", secret="SECRET"
    )


@pytest.fixture(params=["directory", "s3"])
def store(request, tmp_path):
    """Each adapter in turn."""
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    return S3Store(request.getfixturevalue("bucket"))
