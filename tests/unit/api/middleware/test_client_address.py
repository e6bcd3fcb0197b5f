import asyncio

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.api.middleware.client_address import (
    ClientAddress,
    ProxiesUnusable,
    trusted_hosts,
)
from shared.ledger.audit.repository import ORIGIN

PROXIES = "10.0.0.0/8, ::1"


def forward_request(client, *forwarded, proxies=PROXIES, **headers):
    """Return the origin and the scheme that the app sees."""
    scope = {
        "type": "http",
        "scheme": "http",
        "client": client and (client, 1),
        "headers": [
            *((b"x-forwarded-for", value.encode()) for value in forwarded),
            *(
                (name.replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
            ),
        ],
    }
    requests = []

    async def app(scope, receive, send):
        requests.append((ORIGIN.get(), scope["scheme"]))

    gateway = ProxyHeadersMiddleware(
        ClientAddress(app), trusted_hosts=trusted_hosts(proxies)
    )
    asyncio.run(gateway(scope, None, None))
    return requests[0]


def origin_of(client, *forwarded, proxies=PROXIES):
    return forward_request(client, *forwarded, proxies=proxies)[0]


def test_an_untrusted_client_cannot_set_its_address():
    assert origin_of("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_a_trusted_proxy_sets_the_client_address():
    assert origin_of("10.1.2.3", "198.51.100.1") == "198.51.100.1"
    assert origin_of("10.1.2.3", "198.51.100.1:4711") == "198.51.100.1"
    assert origin_of("::1", "2001:db8::7") == "2001:db8::7"


def test_addresses_before_the_proxys_own_entry_are_ignored():
    assert origin_of("10.1.2.3", "1.1.1.1, 198.51.100.1, 10.9.9.9") == "198.51.100.1"
    assert origin_of("10.1.2.3", "1.1.1.1", "198.51.100.1") == "198.51.100.1"


def test_an_invalid_address_is_not_recorded():
    assert origin_of("10.1.2.3", "1.1.1.1, patient name, 10.9.9.9") is None
    assert origin_of("10.1.2.3", "patient:1") is None


def test_a_proxy_without_a_header_is_the_origin():
    assert origin_of("10.1.2.3") == "10.1.2.3"
    assert origin_of("10.1.2.3", "") == "10.1.2.3"
    assert origin_of(None) is None


def test_without_trusted_proxies_the_header_is_ignored():
    assert origin_of("127.0.0.1", "1.1.1.1", proxies="") == "127.0.0.1"


def test_only_a_trusted_proxy_sets_the_scheme():
    proxied = forward_request("10.1.2.3", "198.51.100.1", x_forwarded_proto="https")
    direct = forward_request("203.0.113.9", "198.51.100.1", x_forwarded_proto="https")
    assert proxied == ("198.51.100.1", "https")
    assert direct == ("203.0.113.9", "http")


@pytest.mark.parametrize("setting", ["nobody", "*", "10.0.0.1/8", "10.0.0.0/99"])
def test_an_invalid_proxy_network_is_refused(setting):
    with pytest.raises(ProxiesUnusable, match="SERA_TRUSTED_PROXIES"):
        trusted_hosts(setting)
