"""What jobs are about: those to be told, what was told, what people taught, and the classifiers that learned it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


# As of the other tables whose rows come and go all the time.
STORAGE = """
ALTER TABLE jobs_toclassify SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0022_order'),
        ('orgs', '0006_org_weight'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ClassifierCount',
            fields=[
                ('org_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('hits', models.BigIntegerField(default=0)),
                ('misses', models.BigIntegerField(default=0)),
                ('corrections', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name='job',
            name='classification',
            field=models.JSONField(null=True),
        ),
        migrations.CreateModel(
            name='ClassifiedText',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('version', models.CharField(max_length=64)),
                ('answer', models.JSONField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['at'], name='classifiedtext_age_idx')],
                'constraints': [models.UniqueConstraint(fields=('org_id', 'digest', 'version'), name='classifiedtext_uniq')],
            },
        ),
        migrations.CreateModel(
            name='ToClassify',
            fields=[
                ('job_id', models.UUIDField(primary_key=True, serialize=False)),
                ('org_id', models.BigIntegerField()),
                ('category', models.BooleanField()),
                ('urgency', models.BooleanField()),
                ('due_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['due_at'], name='toclassify_due_idx')],
            },
        ),
        migrations.CreateModel(
            name='ClassifierVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('weights', models.BinaryField()),
                ('categories', models.JSONField()),
                ('labels', models.PositiveIntegerField()),
                ('last_label_id', models.BigIntegerField(default=0)),
                ('metrics', models.JSONField(default=dict)),
                ('active', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('org', 'version'), name='classifierversion_uniq'), models.UniqueConstraint(condition=models.Q(('active', True)), fields=('org',), name='classifierversion_one_active')],
            },
        ),
        migrations.CreateModel(
            name='Label',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job_id', models.UUIDField(null=True)),
                ('digest', models.CharField(max_length=64)),
                ('type', models.CharField(max_length=32)),
                ('title', models.CharField(blank=True, max_length=200)),
                ('description', models.TextField(blank=True)),
                ('category', models.CharField(blank=True, max_length=40)),
                ('urgency', models.CharField(blank=True, max_length=6)),
                ('told_category', models.CharField(blank=True, max_length=40)),
                ('told_urgency', models.CharField(blank=True, max_length=6)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('by', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
            ],
            options={
                'indexes': [models.Index(fields=['org', 'id'], name='label_newest_idx'), models.Index(fields=['org', 'digest', 'id'], name='label_text_idx')],
                'constraints': [models.CheckConstraint(condition=models.Q(('urgency__in', ['', 'high', 'medium', 'low'])), name='label_urgency_valid'), models.CheckConstraint(condition=models.Q(('category', ''), ('urgency', ''), _negated=True), name='label_says_something')],
            },
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
