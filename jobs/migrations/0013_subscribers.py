"""Who is told how jobs end, by webhook or mail, and what was sent."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import jobs.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0012_retry_policy'),
        ('orgs', '0002_audit_append_only'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Subscriber',
            fields=[
                ('id', models.UUIDField(default=jobs.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=7)),
                ('target', models.CharField(max_length=2048)),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), size=None)),
                ('types', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), null=True, size=None)),
                ('active', models.BooleanField(default=True)),
                ('disabled_reason', models.CharField(blank=True, max_length=200)),
                ('secret', models.TextField(blank=True)),
                ('previous_secret', models.TextField(blank=True)),
                ('previous_until', models.DateTimeField(null=True)),
                ('mailed_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
            ],
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=jobs.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('event', models.CharField(max_length=16)),
                ('job_id', models.UUIDField(null=True)),
                ('correlation_id', models.CharField(blank=True, max_length=128)),
                ('data', models.JSONField()),
                ('status', models.CharField(default='pending', max_length=9)),
                ('attempt', models.IntegerField(default=0)),
                ('attempts_before', models.IntegerField(default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('last_attempt_at', models.DateTimeField(null=True)),
                ('response_status', models.IntegerField(null=True)),
                ('response_body', models.TextField(blank=True)),
                ('error', models.TextField(blank=True)),
                ('duration_ms', models.FloatField(null=True)),
                ('created_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('subscriber', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='jobs.subscriber')),
            ],
        ),
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(fields=['org', 'kind', 'id'], name='subscriber_org_idx'),
        ),
        migrations.AddConstraint(
            model_name='subscriber',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'mail'), ('secret', '')), models.Q(('kind', 'webhook'), models.Q(('secret', ''), _negated=True)), _connector='OR'), name='subscriber_kind_valid'),
        ),
        migrations.AddConstraint(
            model_name='subscriber',
            constraint=models.CheckConstraint(condition=models.Q(('events__contained_by', ['job.done', 'job.failed', 'job.cancelled']), ('events__len__gte', 1)), name='subscriber_events_valid'),
        ),
        migrations.AddConstraint(
            model_name='subscriber',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('previous_secret', ''), ('previous_until__isnull', True)), models.Q(models.Q(('previous_secret', ''), _negated=True), ('previous_until__isnull', False)), _connector='OR'), name='subscriber_previous_secret_ends'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('next_at__isnull', False)), fields=['subscriber', 'next_at'], name='delivery_due_idx'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['subscriber', 'id'], name='delivery_list_idx'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('next_at__isnull', False), ('status', 'pending')), models.Q(('ended_at__isnull', False), ('next_at__isnull', True), ('status__in', ['delivered', 'failed'])), _connector='OR'), name='delivery_due_while_pending'),
        ),
    ]
