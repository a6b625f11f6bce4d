"""Sum the buckets up by one dimension alone, and count by the reason for which a user agent is taken for a bot's.

The rollup does so, step by step, and until then questions are answered from the buckets. A version before this one
cannot count any more: it would leave the summaries behind.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Max, Min

from collect.storage.marks import QUARTER
from reporting.views import making


def count_anew(apps, _schema_editor):
    """Have all that has been counted counted anew."""
    cell, mark = apps.get_model("reporting", "Cell"), apps.get_model("collect", "Mark")
    cell.objects.filter(is_frozen=True).update(pruned=F("events"))
    apps.get_model("reporting", "Progress").objects.update(is_summed_up=False)
    times = cell.objects.order_by().values_list("partner").annotate(Min("arrived"), Max("arrived"))
    mark.objects.bulk_create(mark(partner_id=partner, start=first, end=last + QUARTER) for partner, first, last in times)


def freeze(apps, _schema_editor):
    """Note again which buckets are of pruned events."""
    apps.get_model("reporting", "Cell").objects.filter(pruned__gt=0).update(is_frozen=True)


class Migration(migrations.Migration):

    dependencies = [
        ('collect', '0011_mark'),
        ('keys', '0004_capture'),
        ('reporting', '0003_report_run'),
    ]

    operations = [
        migrations.RunPython(making.backwards, migrations.RunPython.noop),
        migrations.AddField('Cell', 'bot_reason', models.CharField(max_length=16, null=True)),
        migrations.AddField('Cell', 'pruned', models.BigIntegerField(default=0), preserve_default=False),
        migrations.AddField('Progress', 'is_summed_up', models.BooleanField(default=True)),
        migrations.RunPython(count_anew, freeze),
        migrations.RemoveField('Cell', 'is_frozen'),
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
        migrations.RunPython(making.forwards, making.backwards),
    ]
