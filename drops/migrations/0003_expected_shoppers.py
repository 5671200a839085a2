from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("drops", "0002_hold_version"),
    ]

    operations = [
        migrations.AddField(
            model_name="drop",
            name="expected_shoppers",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
    ]
