import pytest

from services.api.middleware.client_address import ProxiesUnusable, networks, origin

PROXIES = networks("10.0.0.0/8, ::1")


def seen(client, *forwarded):
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return origin(
        {"type": "http", "client": client and (client, 1), "headers": headers}, PROXIES
    )


def test_a_client_speaks_for_itself_whatever_it_claims():
    assert seen("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_a_trusted_proxy_tells_who_is_behind_it():
    assert seen("10.1.2.3", "198.51.100.1") == "198.51.100.1"
    assert seen("::1", "2001:db8::7") == "2001:db8::7"


def test_what_a_client_wrote_before_the_proxys_own_word_is_not_believed():
    assert seen("10.1.2.3", "1.1.1.1, 198.51.100.1, 10.9.9.9") == "198.51.100.1"
    assert seen("10.1.2.3", "1.1.1.1", "198.51.100.1") == "198.51.100.1"


def test_a_word_that_is_no_address_ends_what_is_believed():
    assert seen("10.1.2.3", "1.1.1.1, patient name, 10.9.9.9") == "10.9.9.9"


def test_a_proxy_that_says_nothing_is_itself_the_origin():
    assert seen("10.1.2.3") == "10.1.2.3"
    assert seen(None) is None


def test_without_trusted_proxies_nobody_is_believed():
    assert (
        origin(
            {"client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.1.1.1")]},
            [],
        )
        == "127.0.0.1"
    )


@pytest.mark.parametrize("setting", ["nobody", "10.0.0.1/8", "10.0.0.0/99"])
def test_a_proxy_that_is_no_network_is_refused(setting):
    with pytest.raises(ProxiesUnusable, match="SERA_TRUSTED_PROXIES"):
        networks(setting)
