"""Make the views (docs/reporting.md)."""

from django.db import migrations

from reporting.views import making


class Migration(migrations.Migration):

    dependencies = [
        ('collect', '0010_capture'),
        ('reporting', '0001_rollup'),
    ]

    operations = [migrations.RunPython(making.forwards, making.backwards)]
