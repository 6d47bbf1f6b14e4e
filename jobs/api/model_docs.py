"""What the OpenAPI document says of the model."""

from drf_spectacular.utils import OpenApiResponse, extend_schema

from jobs.api import model_shapes

get_model = extend_schema(
    operation_id="get_model",
    summary="The model that predicts",
    description="Which version is in use and why, how near it came lately, and when it is trained again.",
    tags=["predict"],
    responses={200: model_shapes.ModelSerializer},
)
promote_model = extend_schema(
    operation_id="promote_model",
    summary="Put a version of the model into use",
    description="In every process within seconds, whatever its figures are.",
    tags=["predict"],
    request=None,
    responses={
        200: model_shapes.ModelVersionSerializer,
        409: OpenApiResponse(description="In use already, or cannot be read, or another was put into use meanwhile."),
    },
)
rollback_model = extend_schema(
    operation_id="rollback_model",
    summary="Go back to the version in use before",
    tags=["predict"],
    request=None,
    responses={
        200: model_shapes.ModelVersionSerializer,
        409: OpenApiResponse(description="None was in use before, or it is no longer kept."),
    },
)
