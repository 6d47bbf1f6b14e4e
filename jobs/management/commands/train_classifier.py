"""manage.py train_classifier: learn the shipped classifier again from its samples."""

from typing import Any

from django.core.management.base import BaseCommand

from predictor import classifier


class Command(BaseCommand):
    help = "Learns the classifier that organisations begin with from predictor/samples, and writes its weights."

    def handle(self, **options: Any) -> None:
        fitted = classifier.train_default()
        classifier.WEIGHTS.write_bytes(classifier.dump(fitted.classifier))
        for name, value in fitted.metrics.items():
            self.stdout.write(f"{name}: {value:.3f}")
        self.stdout.write(f"wrote {classifier.WEIGHTS.name}, version {classifier.default().version}")
