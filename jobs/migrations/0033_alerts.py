"""Rules that the leader watches, and the log of what they found; subscribers may be told of both ends of an alert."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import jobs.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0032_bulk_operations'),
        ('orgs', '0021_org_halted'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.UUIDField(default=jobs.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('rule_id', models.UUIDField()),
                ('name', models.CharField(max_length=64)),
                ('kind', models.CharField(max_length=12)),
                ('queue', models.CharField(blank=True, max_length=40)),
                ('threshold', models.FloatField()),
                ('value', models.FloatField()),
                ('worst', models.FloatField()),
                ('told', models.CharField(blank=True, max_length=500)),
                ('raised_at', models.DateTimeField()),
                ('cleared_at', models.DateTimeField(null=True)),
                ('cleared_why', models.CharField(blank=True, max_length=8)),
                ('deliveries', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None)),
            ],
        ),
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.UUIDField(default=jobs.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=64)),
                ('kind', models.CharField(max_length=12)),
                ('queue', models.CharField(blank=True, max_length=40)),
                ('threshold', models.FloatField()),
                ('window_seconds', models.IntegerField(default=600)),
                ('settle_seconds', models.IntegerField(default=120)),
                ('is_paused', models.BooleanField(default=False)),
                ('subscribers', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), null=True, size=None)),
                ('seen_value', models.FloatField(null=True)),
                ('seen_at', models.DateTimeField(null=True)),
                ('quiet_since', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='subscriber',
            name='subscriber_events_valid',
        ),
        migrations.AddConstraint(
            model_name='subscriber',
            constraint=models.CheckConstraint(condition=models.Q(('events__contained_by', ['job.done', 'job.failed', 'job.cancelled', 'alert.raised', 'alert.cleared']), ('events__len__gte', 1)), name='subscriber_events_valid'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['org_id', 'id'], name='alert_list_idx'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(condition=models.Q(('cleared_at__isnull', True)), fields=('rule_id',), name='alert_one_open_per_rule'),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='created_by',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='alertrule',
            name='org',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.UniqueConstraint(fields=('org', 'name'), name='alertrule_name_uniq'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['dead_letters', 'latency', 'no_worker', 'cron_missed', 'error_rate'])), name='alertrule_kind_valid'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('threshold__gt', 0)), name='alertrule_threshold_positive'),
        ),
    ]
