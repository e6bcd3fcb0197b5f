import json
import subprocess
import sys

PROGRAM = """
import logging
from shared.observability import logs
from shared.queueing import celery_app
logs.configure("worker")
celery_app("redis://127.0.0.1:1").log.setup("DEBUG")
logs.log().info("batch.written", done=3)
logging.getLogger("celery.worker.strategy").info("a line for every notification")
logging.getLogger("uvicorn.error").warning("from a library")
"""


def test_every_line_is_json_with_its_service_and_notifications_are_not_logged():
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in completed.stdout.splitlines()]
    assert [(line["event"], line["service"]) for line in lines] == [
        ("batch.written", "worker"),
        ("from a library", "worker"),
    ]
    assert lines[0]["done"] == 3
    assert completed.stderr == ""
