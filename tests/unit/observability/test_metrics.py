import os
import socket
import subprocess
import sys

import httpx2
import pytest
from structlog.testing import capture_logs

from shared.networks.gpus import GpuCollector
from shared.observability import metrics
from shared.settings import Settings
from tests.e2e.stage import ROOT, free_port, until

KEY = "the-key-of-the-metrics"


def test_beat_serves_metrics_of_notifications_disk_and_version(tmp_path):
    port = free_port()
    environment = {
        "SERA_HOME": str(tmp_path),
        "SERA_BROKER_URL": f"redis+socket://{tmp_path}/none.sock",
        "SERA_METRICS_PORT": str(port),
        "SERA_METRICS_HOST": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
    }
    beat = subprocess.Popen(
        [sys.executable, "-m", "services.beat"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        page = until(lambda: scrape(port), within_s=60)
    finally:
        beat.terminate()
        beat.wait()
    assert {
        "sera_beat_rings_total",
        "sera_home_free_bytes",
        "process_resident_memory_bytes",
    } <= families(page)
    assert 'sera_build_info{version="' in page


def scrape(port):
    """The page, or None while the port is closed."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx2.TransportError:
        return None


def families(page):
    return {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}


def test_a_port_in_use_is_logged_and_does_not_stop_the_process(tmp_path):
    with socket.socket() as listener, capture_logs() as events:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        metrics.serve(
            Settings(home=tmp_path, metrics_port=port, metrics_host="127.0.0.1")
        )
    assert [(event["event"], event["port"]) for event in events] == [
        ("metrics.not-served", port)
    ]


@pytest.mark.parametrize(
    ("facts", "token", "status"),
    [
        ({"production": True}, None, 401),
        ({"production": True}, KEY, 401),
        ({"metrics_host": "0.0.0.0"}, None, 401),
        ({"metrics_key": KEY}, None, 401),
        ({"metrics_key": KEY}, KEY + "x", 401),
        ({"metrics_key": KEY}, KEY, 200),
        ({"metrics_key": KEY, "production": True}, KEY, 200),
        ({}, None, 200),
    ],
)
def test_a_stranger_reads_no_metrics_of_a_process(tmp_path, facts, token, status):
    port = free_port()
    address = {"metrics_port": port, "metrics_host": "127.0.0.1"}
    metrics.serve(Settings(home=tmp_path, **(address | facts)))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx2.get(f"http://127.0.0.1:{port}/metrics", headers=headers)
    assert answer.status_code == status
    assert ("sera_build_info" in answer.text) is (status == 200)


def test_without_a_port_nothing_is_served(tmp_path):
    with capture_logs() as events:
        metrics.serve(Settings(home=tmp_path))
    assert events == []


def test_without_a_gpu_its_metrics_have_names_and_no_samples():
    gpus = pytest.importorskip("torch").cuda.device_count()
    if gpus > 0:
        pytest.skip(f"this machine has {gpus} GPUs")
    assert [family.samples for family in GpuCollector().collect()] == [[]] * 4
