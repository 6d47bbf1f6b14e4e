"""Jobs that are submitted again and again, by cron."""

import django.db.models.deletion
import django.db.models.functions.datetime
import jobs.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0007_seen_events'),
        ('orgs', '0002_audit_append_only'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.UUIDField(default=jobs.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=64)),
                ('cron', models.CharField(max_length=100)),
                ('timezone', models.CharField(default='UTC', max_length=64)),
                ('missed', models.CharField(choices=[('skip', 'Skip'), ('once', 'Once'), ('all', 'All')], default='once', max_length=4)),
                ('is_paused', models.BooleanField(default=False)),
                ('job', models.JSONField()),
                ('next_at', models.DateTimeField(null=True)),
                ('last_at', models.DateTimeField(null=True)),
                ('last_error', models.TextField(blank=True)),
                ('version', models.IntegerField(default=1)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
            ],
        ),
        migrations.CreateModel(
            name='ScheduleTick',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('outcome', models.CharField(max_length=7)),
                ('job_id', models.UUIDField(null=True)),
                ('error', models.TextField(blank=True)),
                ('fired_at', models.DateTimeField()),
                ('epoch', models.BigIntegerField()),
                ('schedule', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='ticks', to='jobs.schedule')),
            ],
        ),
        migrations.AddIndex(
            model_name='schedule',
            index=models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='schedule_due_idx'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.UniqueConstraint(fields=('org', 'name'), name='schedule_name_uniq'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(('missed__in', ['skip', 'once', 'all'])), name='schedule_missed_valid'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(('is_paused', False), ('next_at__isnull', True), _connector='OR'), name='schedule_paused_is_not_due'),
        ),
        migrations.AddIndex(
            model_name='scheduletick',
            index=models.Index(fields=['fired_at'], name='schedule_tick_age_idx'),
        ),
        migrations.AddConstraint(
            model_name='scheduletick',
            constraint=models.UniqueConstraint(fields=('schedule', 'at'), name='schedule_tick_once'),
        ),
        migrations.AddConstraint(
            model_name='scheduletick',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('job_id__isnull', False), ('outcome', 'fired')), models.Q(('job_id__isnull', True), ('outcome__in', ['missed', 'refused'])), _connector='OR'), name='schedule_tick_outcome_valid'),
        ),
    ]
