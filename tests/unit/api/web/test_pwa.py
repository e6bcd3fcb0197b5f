"""What a phone needs to keep the pages as an app."""

from io import BytesIO

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from services.api.web.pwa import MANIFEST, router


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.include_router(router)
    return TestClient(app)


def test_the_manifest_names_icons_that_are_there_and_of_their_size(client):
    told = client.get("/manifest.webmanifest")
    assert told.headers["content-type"] == "application/manifest+json"
    assert {icon["purpose"] for icon in told.json()["icons"]} == {"any", "maskable"}
    for icon in MANIFEST["icons"]:
        image = Image.open(BytesIO(client.get(icon["src"]).content))
        assert (image.format, f"{image.width}x{image.height}") == ("PNG", icon["sizes"])


def test_the_service_worker_is_served_from_the_root_and_is_asked_for_anew(client):
    told = client.get("/service-worker.js")
    assert told.headers["content-type"].startswith("text/javascript")
    assert told.headers["cache-control"] == "no-cache"


def test_the_offline_page_speaks_both_languages(client):
    page = client.get("/offline").text
    assert 'lang="en"' in page
    assert 'lang="ko"' in page
    assert "네트워크" in page
