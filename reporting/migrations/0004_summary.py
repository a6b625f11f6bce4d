"""Sum the buckets up by one dimension alone, and count by the reason for which a user agent is taken for a bot's."""

from datetime import timedelta

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Max, Min

from collect.storage.marks import QUARTER
from reporting.rollups import summaries
from reporting.views import making

DAY = timedelta(days=1)


def sum_up(apps, _schema_editor):
    """Sum up the buckets that are there, and have all of them counted anew: none knows its reason yet."""
    times = apps.get_model("reporting", "Cell").objects.values_list("partner").annotate(Min("arrived"), Max("arrived"))
    for partner, first, last in times.order_by():
        start = first
        while start <= last:
            summaries.make(partner, start, start + DAY)
            start += DAY
        apps.get_model("collect", "Mark").objects.create(partner_id=partner, start=first, end=last + QUARTER)


class Migration(migrations.Migration):

    dependencies = [
        ('collect', '0012_event_happened'),
        ('keys', '0004_capture'),
        ('reporting', '0003_report_run'),
    ]

    operations = [
        migrations.RunPython(making.backwards, migrations.RunPython.noop),
        migrations.AddField('Cell', 'bot_reason', models.CharField(max_length=16, null=True)),
        migrations.CreateModel(
            name='Summary',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('arrived', models.DateTimeField()),
                ('quarter', models.DateTimeField()),
                ('is_test', models.BooleanField()),
                ('currency', models.CharField(max_length=3, null=True)),
                ('value_issue', models.CharField(max_length=32, null=True)),
                ('dimension', models.CharField(max_length=16)),
                ('member', models.CharField(max_length=258, null=True)),
                ('events', models.BigIntegerField()),
                ('value_e4', models.DecimalField(decimal_places=0, max_digits=38, null=True)),
                ('pruned', models.BigIntegerField()),
                ('partner', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='keys.partner')),
            ],
            options={
                'db_table': 'reporting_summary',
                'default_permissions': (),
                'indexes': [models.Index(fields=['partner', 'arrived'], name='summary_partner'), models.Index(fields=['dimension', 'quarter'], name='summary_quarter'), models.Index(fields=['dimension', 'arrived'], name='summary_arrived')],
            },
        ),
        migrations.RunPython(sum_up, migrations.RunPython.noop),
        migrations.RunPython(making.forwards, making.backwards),
    ]
