from bots.storage_checks import BLOCKS, check_storage
from tests.bots.conftest import MakeBucket, stored_in


def test_a_bucket_that_keeps_versions_encrypts_and_stays_private_is_in_order(use_bucket: MakeBucket) -> None:
    use_bucket()
    store = stored_in()
    store.client.put_public_access_block(
        Bucket=store.bucket_name, PublicAccessBlockConfiguration=dict.fromkeys(BLOCKS, True)
    )

    assert check_storage() == []
    assert list(store.listing("bots/")) == []


def test_what_is_wrong_with_a_bucket_is_named_with_what_to_do(use_bucket: MakeBucket) -> None:
    use_bucket(is_versioned=False, object_parameters={})

    found = check_storage()

    assert [each.id for each in found] == ["bots.E002", "bots.W001", "bots.W002"]
    assert "put-bucket-versioning" in str(found[0].hint)
    assert "BlockPublicAcls=true" in str(found[2].hint)
    assert list(stored_in().listing("bots/")) == []


def test_a_bucket_that_is_not_there_or_does_not_answer_is_named(use_bucket: MakeBucket) -> None:
    for options in ({"bucket_name": "nowhere"}, {"endpoint_url": "http://127.0.0.1:9"}):
        use_bucket(**options)

        assert [each.id for each in check_storage()] == ["bots.E001"]


def test_the_local_folder_has_nothing_to_check() -> None:
    assert check_storage() == []
