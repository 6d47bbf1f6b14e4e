"""What an organisation's jobs can be about, and how well that is known."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.api.docs import body
from jobs.api.fields import MomentField, TextField
from jobs.classifier_facts import facts
from jobs.models import ClassifierVersion
from jobs.models.classification import CATEGORY_CHARACTERS
from jobs.queue import labels
from orgs.roles import Action
from orgs.serializers import StrictSerializer


class ClassifierVersionSerializer(serializers.Serializer[ClassifierVersion]):
    version = serializers.IntegerField()
    active = serializers.BooleanField()
    created_at = MomentField()
    labels = serializers.IntegerField(help_text="Corrections that it was fitted to.")
    categories = serializers.ListField(child=serializers.CharField())
    metrics = serializers.DictField(
        help_text="Among them how much it had right that it had not seen, and the one before."
    )


class ConfusedSerializer(serializers.Serializer[Any]):
    told = serializers.CharField(allow_blank=True, help_text="Empty: nothing.")
    corrected = serializers.CharField()
    jobs = serializers.IntegerField()


class ClassifierSerializer(serializers.Serializer[Any]):
    categories = serializers.ListField(child=serializers.CharField(), help_text="What a job may be filed under.")
    own_categories = serializers.BooleanField(help_text="False: they are the deployment's.")
    endpoint = serializers.CharField(allow_blank=True, help_text="The model that the operator has asked first, if any.")
    active = ClassifierVersionSerializer(
        allow_null=True, help_text="Fitted to the organisation's corrections. Null: the one that all begin with."
    )
    versions = ClassifierVersionSerializer(many=True, help_text="The latest first.")
    corrections = serializers.IntegerField(source="labels")
    corrections_since = serializers.IntegerField(source="labels_since", help_text="Since the latest version.")
    cache_hits = serializers.IntegerField(source="hits", help_text="Texts that were answered from memory.")
    cache_misses = serializers.IntegerField(source="misses")
    confused = ConfusedSerializer(many=True, help_text="What the newest corrections made of what.")


class CategoriesSerializer(StrictSerializer):
    categories = serializers.ListField(
        child=TextField(max_length=CATEGORY_CHARACTERS),
        max_length=labels.MOST_CATEGORIES,
        help_text="2 to 100 names; none for the deployment's.",
    )


class ClassifierView(OrgView):
    actions = {"GET": Action.READ}

    @extend_schema(
        operation_id="get_classifier",
        summary="Categories, and the classifier that tells them",
        responses={200: ClassifierSerializer},
    )
    def get(self, request: Request) -> Response:
        return Response(ClassifierSerializer(facts(self.scope.org)).data)


class CategoriesView(OrgView):
    actions = {"PUT": Action.MANAGE_ORG}

    @extend_schema(
        operation_id="set_categories",
        summary="Set the categories of the organisation",
        description="Jobs keep what they are filed under; new ones are told among these.",
        request=CategoriesSerializer,
        responses={200: CategoriesSerializer},
        examples=[
            body("Three", {"categories": ["Billing", "Reports", "Servers"]}),
            body("As usual", {"categories": []}),
        ],
    )
    def put(self, request: Request) -> Response:
        sent = CategoriesSerializer.read(request)
        found = labels.set_categories(sent["categories"], scope=self.scope, request=request._request)
        return Response({"categories": found})
