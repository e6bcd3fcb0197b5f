import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.networks import WeightsSource
from shared.networks.weights.download import download

BODY = bytes(range(256)) * 40
SHA256 = hashlib.sha256(BODY).hexdigest()
SHA = SHA256[:8]
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


class Publisher(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header(
            "Content-Length", str(len(BODY) + (self.path.startswith("/cut")))
        )
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        """Logs nothing, so that the output of the tests stays readable."""


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}
        ).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def weights(url: str, md5: str = "", sha256: str = "") -> WeightsSource:
    return WeightsSource(("net.pth",), url, "none", md5, sha256)


@pytest.mark.parametrize(
    "name", [f"net-{SHA}.pth", "model.safetensors", "imagenet-caffe-alex.mat"]
)
def test_a_file_is_complete_with_or_without_a_hash_in_its_name(address, tmp_path, name):
    download(weights(f"{address}/{name}"), tmp_path / "cache" / "net.pth")
    assert (tmp_path / "cache" / "net.pth").read_bytes() == BODY


def test_a_stated_md5_is_checked(address, tmp_path):
    download(weights(f"{address}/net.mat", MD5), tmp_path / "net.mat")
    with pytest.raises(ValueError, match="MD5"):
        download(weights(f"{address}/net.mat", "0" * 32), tmp_path / "other.mat")
    assert [file.name for file in tmp_path.iterdir()] == ["net.mat"]


def test_the_sha256_of_the_card_is_checked(address, tmp_path):
    url = f"{address}/net.pth"
    download(weights(url, sha256=SHA256), tmp_path / "net.pth")
    with pytest.raises(ValueError, match="SHA-256"):
        download(weights(url, sha256="0" * 64), tmp_path / "other.pth")
    assert [file.name for file in tmp_path.iterdir()] == ["net.pth"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("net-00000000.pth", "hash"),
        ("cut/model.safetensors", "connection ended"),
        ("gone", "404"),
    ],
)
def test_an_incomplete_download_leaves_no_file(address, tmp_path, path, problem):
    with pytest.raises((ValueError, OSError), match=problem):
        download(weights(f"{address}/{path}"), tmp_path / "net.pth")
    assert list(tmp_path.iterdir()) == []
