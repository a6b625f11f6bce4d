"""Time as the tests of the directory have it, and what another process does meanwhile."""

from django.utils import timezone

from keys.models import ApiKey, KeyChange


class Clock:
    """Monotonic seconds that move when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def revoke_elsewhere(key: ApiKey) -> None:
    """Revoke it as another process does: this one is told nothing."""
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())


def erase(key: ApiKey) -> None:
    """Delete it as by hand in the database; the program deletes no key, and no history of one."""
    KeyChange.objects.filter(key=key)._raw_delete(using="default")
    key.delete()
