import pytest

from shared.objects import StoreUrlInvalid, open_store

SECRET = "hunter2/+hunter2"
QUOTED = "hunter2%2F%2Bhunter2"


def test_a_file_address_opens_a_directory(tmp_path):
    objects = open_store(f"file://{tmp_path}/with%20space")
    objects.put(b"value")
    assert (tmp_path / "with space" / "objects").is_dir()


def test_an_s3_address_opens_a_bucket_without_connecting():
    objects = open_store(
        f"s3://KEY:{QUOTED}@objects.invalid:9000/images?secure=true&region=eu-west-1"
    )
    assert repr(objects) == "ObjectStore(S3Store('objects.invalid:9000/images'))"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "neither"),
        ("/var/objects", "neither"),
        ("http://host/bucket", "neither"),
        ("file://relative/folder", "three slashes"),
        ("file:///", "not absolute"),
        ("file:relative", "not absolute"),
        (f"s3://KEY:{QUOTED}/bucket", "key or secret"),
        (f"s3://KEY:{SECRET}@host:9000/bucket", "key or secret"),
        ("s3://host:9000/bucket", "key or secret"),
        (f"s3://:{QUOTED}@host:9000/bucket", "key or secret"),
        (f"s3://KEY:{QUOTED}@/bucket", "host or port"),
        (f"s3://KEY:{QUOTED}@host:port/bucket", "host or port"),
        (f"s3://KEY:{QUOTED}@host:99999/bucket", "host or port"),
        (f"s3://KEY:{QUOTED}@[host/bucket", "not a URL"),
        (f"s3://KEY:{QUOTED}@host:9000", "one bucket"),
        (f"s3://KEY:{QUOTED}@host:9000/bucket/folder", "one bucket"),
        (f"s3://KEY:{QUOTED}@host:9000/bucket?secure=yes", "true or false"),
        (f"s3://KEY:{QUOTED}@host:9000/bucket?{QUOTED}=1", "other than secure, region"),
        (f"s3://KEY:{QUOTED}@ho st:9000/bucket", "host or port"),
        (f"s3://KEY:{QUOTED}@host:9000/Images", "one bucket"),
        (f"s3://KEY:{QUOTED}@host:9000/10.0.0.1", "one bucket"),
        (f"s3://KEY:{QUOTED}@host:9000/images?region=a%20b", "region"),
        (f"s3://KEY:{QUOTED}@host:9000/images?region=", "region"),
    ],
)
def test_the_error_of_a_malformed_address_never_quotes_the_secret(url, problem):
    with pytest.raises(StoreUrlInvalid, match=problem) as raised:
        open_store(url)
    error = raised.value
    visible = f"{error} {error.facts} {error.__cause__} {error.__context__}"
    assert "hunter2" not in visible
