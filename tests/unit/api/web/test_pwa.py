"""The pages can be installed as an app on a phone."""

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


def test_the_manifest_names_icons_that_exist_and_have_their_size(client):
    response = client.get("/manifest.webmanifest")
    assert response.headers["content-type"] == "application/manifest+json"
    assert {icon["purpose"] for icon in response.json()["icons"]} == {"any", "maskable"}
    for icon in MANIFEST["icons"]:
        image = Image.open(BytesIO(client.get(icon["src"]).content))
        assert (image.format, f"{image.width}x{image.height}") == ("PNG", icon["sizes"])


def test_the_service_worker_is_served_from_the_root_and_not_cached(client):
    response = client.get("/service-worker.js")
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["cache-control"] == "no-cache"


def test_the_offline_page_is_in_both_languages(client):
    page = client.get("/offline").text
    assert 'lang="en"' in page
    assert 'lang="ko"' in page
    assert "네트워크" in page
