"""The buckets of the rollup and their summaries, how far it is, and the database's views as models nobody writes."""

from typing import ClassVar

from django.db import models

from collect.intake.contract import MAX_ATTRIBUTION_TYPE, MAX_TEXT
from collect.intake.source import MAX_CHANNEL
from keys.models import Partner
from keys.restrictions import MAX_TAG_LENGTH
from reporting.views import counts


class Counted(models.Model):
    """Events that have all in common that counts are by, and the sum of their values."""

    tag_id = models.CharField(max_length=MAX_TAG_LENGTH)
    event_name = models.CharField(max_length=MAX_TEXT)
    channel = models.CharField(max_length=MAX_CHANNEL)
    country = models.CharField(max_length=2, null=True)
    browser = models.CharField(max_length=MAX_TEXT, null=True)
    bot_reason = models.CharField(max_length=16, null=True)
    currency = models.CharField(max_length=3, null=True)
    value_issue = models.CharField(max_length=32, null=True)
    events = models.BigIntegerField()
    # The sum of the values in ten-thousandths.
    value_e4 = models.DecimalField(max_digits=38, decimal_places=0, null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.event_name} {self.events}"


class Bucket(Counted):
    """Counted events of two quarter-hours, of test keys or of live ones."""

    # The quarter-hour in which the events arrived: what came late is in a bucket of today.
    arrived = models.DateTimeField()
    # The quarter-hour in which they happened.
    quarter = models.DateTimeField()
    is_test = models.BooleanField()

    class Meta:
        abstract = True


class Cell(Bucket):
    """A stored bucket. It is counted anew when its events change, and never added to."""

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    # The distinct clients of the bucket (`rollups.sketches`).
    clients = models.BinaryField()
    # How many of the events have been pruned: none, or all. Nothing can count those again.
    pruned = models.BigIntegerField()

    class Meta:
        db_table = counts.CELL
        default_permissions = ()
        indexes: ClassVar = [
            # Finds the buckets that are counted anew.
            models.Index(fields=["partner", "arrived"], name="cell_arrived"),
            models.Index(fields=["quarter"], name="cell_quarter"),
        ]


class Summary(models.Model):
    """The sum of the buckets that have one dimension in common, besides time, partner and currency.

    Of one dimension there are far fewer of these than buckets, where many events come in. They are always made of all
    buckets of an arrival (`rollups.summaries`), and never of events.
    """

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    arrived = models.DateTimeField()
    quarter = models.DateTimeField()
    is_test = models.BooleanField()
    currency = models.CharField(max_length=3, null=True)
    value_issue = models.CharField(max_length=32, null=True)
    # The column of `Cell` that the sum is by, and what it has there. "" and NULL for the sum of all.
    dimension = models.CharField(max_length=16)
    member = models.CharField(max_length=MAX_TAG_LENGTH, null=True)
    events = models.BigIntegerField()
    value_e4 = models.DecimalField(max_digits=38, decimal_places=0, null=True)
    # How many of the events have been pruned.
    pruned = models.BigIntegerField()

    class Meta:
        db_table = "reporting_summary"
        default_permissions = ()
        indexes: ClassVar = [
            # The first finds those that are made anew; the others what a question is about, by either time.
            models.Index(fields=["partner", "arrived"], name="summary_partner"),
            models.Index(fields=["dimension", "quarter"], name="summary_quarter"),
            models.Index(fields=["dimension", "arrived"], name="summary_arrived"),
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.member} {self.events}"


class Progress(models.Model):
    """How far the rollup is: all that arrived before `until` is in its buckets, but for what marks name."""

    until = models.DateTimeField()
    # Whether every bucket is in its summaries. After an upgrade from a version without these it takes a while.
    is_summed_up = models.BooleanField(default=True)

    class Meta:
        db_table = counts.PROGRESS
        default_permissions = ()

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M:%S}"


class ReportRun(models.Model):
    """A question that a page has asked a report, and its answer once it is there. Kept for a day (`runs.asking`)."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        # The question names something that is none, which only the report itself could tell.
        REFUSED = "refused"
        FAILED = "failed"

    OPEN = (State.WAITING, State.RUNNING)

    report = models.CharField(max_length=64)
    # As canonical JSON (`runs.encoding`), and its digest together with the report's name.
    question = models.TextField()
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField()
    # The answer has what was stored by then.
    started_at = models.DateTimeField(null=True)
    # When the process that counts it last said that it lives.
    alive_at = models.DateTimeField(null=True)
    # How often a process has begun to count it.
    attempts = models.IntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    # As JSON (`runs.encoding`). Text: jsonb would refuse some characters that senders may send.
    answer = models.TextField(null=True)
    error = models.TextField(default="")

    class Meta:
        db_table = "reporting_run"
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["digest"], condition=models.Q(state__in=["waiting", "running"]), name="run_open_once"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["digest"], name="run_digest")]

    def __str__(self) -> str:
        return f"{self.report} {self.state}"


class Money(models.Model):
    """What the views make of `params.value` and `params.currency`."""

    value = models.DecimalField(max_digits=15, decimal_places=4, null=True)
    value_e4 = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, null=True)
    value_issue = models.CharField(max_length=32, null=True)

    class Meta:
        abstract = True


class Reported(models.Model):
    """What the views of single events have in common."""

    id = models.UUIDField(primary_key=True)
    received_at = models.DateTimeField()
    timestamp = models.DateTimeField()
    partner_id = models.BigIntegerField()
    partner = models.CharField(max_length=MAX_TEXT)
    event_name = models.CharField(max_length=MAX_TEXT)
    tag_id = models.CharField(max_length=MAX_TAG_LENGTH)
    session_id = models.CharField(max_length=MAX_TEXT, null=True)
    client_id = models.CharField(max_length=MAX_TEXT, null=True)
    click_id = models.CharField(max_length=MAX_TEXT, null=True)
    impression_id = models.CharField(max_length=MAX_TEXT, null=True)
    bid_id = models.CharField(max_length=MAX_TEXT, null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.id} {self.event_name}"


class ReportedEvent(Reported, Money):
    """A row of `reporting_events`."""

    api_key_id = models.BigIntegerField(null=True)
    channel = models.CharField(max_length=MAX_CHANNEL)
    category = models.CharField(max_length=32)
    event_id = models.CharField(max_length=MAX_TEXT, null=True)
    page_url = models.TextField(null=True)
    referrer = models.TextField(null=True)
    attribution_type = models.CharField(max_length=MAX_ATTRIBUTION_TYPE, null=True)
    consent = models.JSONField(null=True)
    params = models.JSONField()
    extra = models.JSONField()
    geo_country = models.CharField(max_length=2, null=True)
    geo_region = models.CharField(max_length=MAX_TEXT, null=True)
    geo_city = models.CharField(max_length=MAX_TEXT, null=True)
    geo_lat = models.FloatField(null=True)
    geo_lon = models.FloatField(null=True)
    ua_browser = models.CharField(max_length=MAX_TEXT, null=True)
    ua_browser_version = models.CharField(max_length=MAX_TEXT, null=True)
    ua_os = models.CharField(max_length=MAX_TEXT, null=True)
    ua_os_version = models.CharField(max_length=MAX_TEXT, null=True)
    ua_device = models.CharField(max_length=MAX_TEXT, null=True)
    ua_device_brand = models.CharField(max_length=MAX_TEXT, null=True)
    ua_device_model = models.CharField(max_length=MAX_TEXT, null=True)
    ua_is_bot = models.BooleanField(null=True)
    ua_bot_reason = models.CharField(max_length=16, null=True)

    class Meta:
        managed = False
        db_table = "reporting_events"
        default_permissions = ()


class ReportedConversion(Reported, Money):
    """A row of `reporting_conversions`."""

    category = models.CharField(max_length=32)
    event_id = models.CharField(max_length=MAX_TEXT, null=True)
    channel = models.CharField(max_length=MAX_CHANNEL)
    attribution_type = models.CharField(max_length=MAX_ATTRIBUTION_TYPE, null=True)
    repeats = models.BigIntegerField()
    differing = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "reporting_conversions"
        default_permissions = ()


class ReportedTouch(Reported):
    """A row of `reporting_touches`."""

    event_id = models.CharField(max_length=MAX_TEXT, null=True)
    kind = models.CharField(max_length=8)
    interaction = models.CharField(max_length=MAX_TEXT, null=True)

    class Meta:
        managed = False
        db_table = "reporting_touches"
        default_permissions = ()


class CountedView(models.Model):
    """What the views of counts add to what they count."""

    partner_id = models.BigIntegerField()
    partner = models.CharField(max_length=MAX_TEXT)
    category = models.CharField(max_length=32)
    value = models.DecimalField(max_digits=38, decimal_places=4, null=True)

    class Meta:
        abstract = True


class Quarter(Bucket, CountedView):
    """A row of `reporting_quarters`, which has no key of its own: it is only summed up."""

    arrived = models.DateTimeField(primary_key=True)

    class Meta:
        managed = False
        db_table = "reporting_quarters"
        default_permissions = ()


class DailyCount(Counted, CountedView):
    """A row of `reporting_daily`, which has no key of its own either."""

    day = models.DateField(primary_key=True)

    class Meta:
        managed = False
        db_table = "reporting_daily"
        default_permissions = ()
