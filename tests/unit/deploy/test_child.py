import http.server
import signal
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local.child import Backoff, describe_exit, has_ready_file, responds_to_http


@given(failures=st.integers(min_value=1, max_value=10_000))
@settings(max_examples=50)
def test_the_rest_grows_with_failures_and_never_past_the_cap(failures: int) -> None:
    backoff = Backoff(first_s=0.5, cap_s=8)
    assert 0.5 <= backoff.delay_s(failures) <= backoff.delay_s(failures + 1) <= 8


def test_the_rest_doubles() -> None:
    assert [Backoff(first_s=1, cap_s=5).delay_s(n) for n in (1, 2, 3, 4)] == [
        1,
        2,
        4,
        5,
    ]


def test_an_exit_is_described_by_code_or_signal() -> None:
    assert describe_exit(3) == "it ended with exit code 3"
    assert describe_exit(-signal.SIGKILL) == "it was ended by SIGKILL"
    assert describe_exit(-63) == "it was ended by signal 63"


def test_a_child_is_ready_when_its_file_is_there(tmp_path) -> None:
    env = {"SERA_READY_FILE": str(tmp_path / "x.ready")}
    assert not has_ready_file(env)
    (tmp_path / "x.ready").touch()
    assert has_ready_file(env)


class OnlyReadyz(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_api_is_ready_when_it_answers_200() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), OnlyReadyz) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        env = {"SERA_HOST": "0.0.0.0", "SERA_PORT": str(server.server_port)}
        try:
            assert responds_to_http("/readyz")(env)
            assert not responds_to_http("/healthz")(env)
        finally:
            server.shutdown()
            thread.join()
    assert not responds_to_http("/readyz")(env)
