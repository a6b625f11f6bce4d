"""How a key comes into being and how it ends; the console and the commands both go through here."""

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from keys import crypto, directory
from keys.models import ApiKey


def issue(key: ApiKey) -> str:
    """Give the unsaved `key` (partner, label and so on are set) its secret and save it.

    Returns the raw key, which from then on exists nowhere but with the caller.
    Raises ValueError for a key that exists: a second secret would end the first one unseen.
    """
    if key.pk is not None:
        raise ValueError("this key has been issued")
    raw_key = crypto.make(is_test=key.is_test)
    key.prefix, key.digest = crypto.prefix_of(raw_key), crypto.digest(raw_key)
    key.save()
    return raw_key


def revoke(key: ApiKey, by: AbstractBaseUser | None = None) -> bool:
    """End `key` for good; False where it had been revoked before, and then who and when stay as they were.

    This process refuses the key at once, the others when they next look (see `directory`).
    """
    # In one conditional statement, so that of two people who revoke at the same moment one is recorded whole.
    revoked = (
        ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=timezone.now(), revoked_by=by) == 1
    )
    key.refresh_from_db(fields=["revoked_at", "revoked_by"])
    directory.forget(key.prefix)
    return revoked
