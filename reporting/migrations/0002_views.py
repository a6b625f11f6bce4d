"""Make the views (docs/reporting.md). It has been left to 0004, which changes a table below them."""

from django.db import migrations

from reporting.views import making


class Migration(migrations.Migration):

    dependencies = [
        ('collect', '0010_capture'),
        ('reporting', '0001_rollup'),
    ]

    operations = [migrations.RunPython(migrations.RunPython.noop, making.backwards)]
