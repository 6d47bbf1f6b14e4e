from django.apps import AppConfig


class SmartqueueConfig(AppConfig):
    name = "smartqueue"
